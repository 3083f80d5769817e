use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use data::backbone::{Tensor, VGG16};
use data::commit;
use safetensors::serialize;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use super::*;
use crate::tests::tiny;

/// Name, shape and values of every tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn seeded() -> &'static Weights {
    static SEEDED: OnceLock<Weights> = OnceLock::new();
    SEEDED.get_or_init(|| Weights::seeded(&VGG16, 42))
}

fn seeded_tensors() -> Tensors {
    let owned =
        |tensor: &TensorValues| (tensor.name.to_owned(), (tensor.shape.to_vec(), tensor.values.clone()));
    seeded().tensors.iter().map(owned).collect()
}

/// The layers that make features of the file at `path`.
fn features(path: &Path) -> anyhow::Result<Vec<TensorValues>> {
    read(path, &VGG16, Part::Features)
}

fn write(path: &Path, tensors: &Tensors, dtype: Dtype) {
    let narrow = |x: &f32| match dtype {
        Dtype::F16 => half::f16::from_f32(*x).to_le_bytes().to_vec(),
        Dtype::BF16 => half::bf16::from_f32(*x).to_le_bytes().to_vec(),
        Dtype::F64 => f64::from(*x).to_le_bytes().to_vec(),
        _ => x.to_le_bytes().to_vec(),
    };
    let bytes: Vec<Vec<u8>> =
        tensors.values().map(|(_, values)| values.iter().flat_map(narrow).collect()).collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, (shape, _)), bytes)| (name, TensorView::new(dtype, shape.clone(), bytes).unwrap()));
    commit::write_bytes(path, &serialize(views, None).unwrap()).unwrap();
}

/// Writes the seeded weights after `change(name, values)` of every tensor.
fn write_changed(path: &Path, change: impl Fn(&str, &mut [f32])) {
    let mut tensors = seeded_tensors();
    for (name, (_, values)) in &mut tensors {
        change(name, values);
    }
    write(path, &tensors, Dtype::F32);
}

/// The message with which the file at `path` is refused.
fn refusal(path: &Path) -> String {
    let message = format!("{:#}", features(path).unwrap_err());
    assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{message}");
    message
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.safetensors");
    write(&path, &seeded_tensors(), Dtype::F32);
    let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
    let n = file.metadata().unwrap().len();
    for length in (0..100).rev().map(|percent| n * percent / 100).chain([100, 9, 8, 7, 1, 0]) {
        file.set_len(length).unwrap();
        refusal(&path);
    }
    refusal(&dir.path().join("missing.safetensors"));
}

#[test]
fn hostile_headers_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hostile.safetensors");
    let with_header =
        |json: &str, data: &[u8]| [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), data].concat();
    let one = |offsets: &str| format!(r#"{{"a":{{"dtype":"F32","shape":[1],"data_offsets":{offsets}}}}}"#);
    let two = |second: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}},"b":{{"dtype":"F32","shape":[1],"data_offsets":{second}}}}}"#
        )
    };
    let overflow = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#;
    let zero_d = r#"{"features.0.weight":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}"#;
    let cases: [(&str, Vec<u8>, &str); 11] = [
        ("a header of 2^63 bytes", (1u64 << 63).to_le_bytes().to_vec(), "its header claims"),
        ("a header of 100 MB", [&100_000_000u64.to_le_bytes()[..], b"{"].concat(), "its header claims"),
        ("a header beyond the file", [&1000u64.to_le_bytes()[..], b"{}"].concat(), "is cut off"),
        ("no JSON", with_header("hello", b""), "makes no sense"),
        ("deep JSON", with_header(&"[".repeat(100_000), b""), "makes no sense"),
        ("data beyond the file", with_header(&one("[0,4]"), b"123"), "its header promises"),
        ("data after the end", with_header(&one("[0,4]"), b"12345"), "its header promises"),
        ("a hole", with_header(&two("[8,12]"), &[0; 12]), "makes no sense"),
        ("overlapping data", with_header(&two("[2,6]"), &[0; 6]), "makes no sense"),
        ("sizes that overflow", with_header(overflow, b""), "makes no sense"),
        (
            "no dimensions",
            with_header(zero_d, &[0; 4]),
            "features.0.weight has shape [], expected [64, 3, 3, 3]",
        ),
    ];
    for (what, bytes, expected) in cases {
        commit::write_bytes(&path, &bytes).unwrap();
        let message = refusal(&path);
        assert!(message.contains(expected), "{what}: {message}");
    }
}

#[test]
fn all_that_is_wrong_with_the_tensors_is_listed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("wrong.safetensors");
    let mut tensors = seeded_tensors();
    tensors.remove("features.5.weight");
    tensors.get_mut("features.7.bias").unwrap().0 = vec![2, 64];
    tensors.get_mut("features.10.weight").unwrap().0 = vec![128, 256, 3, 3];
    write(&path, &tensors, Dtype::F32);
    let message = refusal(&path);
    for expected in [
        "features.5.weight is missing",
        "features.7.bias has shape [2, 64], expected [128]",
        "features.10.weight has shape [128, 256, 3, 3], expected [256, 128, 3, 3]",
    ] {
        assert!(message.contains(expected), "{message}");
    }

    write(&path, &seeded_tensors(), Dtype::I32);
    assert_eq!(refusal(&path).matches("is I32, expected F32, F16, BF16 or F64").count(), 26);

    let renamed = seeded_tensors().into_iter().map(|(name, t)| (name.replace("features", "block"), t));
    write(&path, &renamed.collect(), Dtype::F32);
    let message = refusal(&path);
    assert!(message.contains("it has none of the 26 tensors") && message.contains("block.0."), "{message}");

    write_changed(&path, |name, values| match name {
        "features.0.bias" => values[3] = f32::NAN,
        "features.28.weight" => values[5] = f32::INFINITY,
        _ => {}
    });
    let message = refusal(&path);
    assert!(message.contains("features.0.bias: value 3 is NaN"), "{message}");
    assert!(message.contains("features.28.weight: value 5 is inf"), "{message}");
}

#[test]
fn dense_layers_are_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.safetensors");
    let mut tensors = seeded_tensors();
    // torchvision's IMAGENET1K_FEATURES carries NaN here; timm's names are others.
    tensors.insert("classifier.6.bias".into(), (vec![1000], vec![f32::NAN; 1000]));
    tensors.insert("head.fc.bias".into(), (vec![1000], vec![f32::NAN; 1000]));
    write(&path, &tensors, Dtype::F32);
    assert!(features(&path).unwrap() == seeded().tensors);
}

#[test]
fn half_precision_is_widened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.safetensors");
    let narrowings: [(Dtype, fn(f32) -> f32); 3] = [
        (Dtype::F64, |x| x),
        (Dtype::F16, |x| half::f16::from_f32(x).to_f32()),
        (Dtype::BF16, |x| half::bf16::from_f32(x).to_f32()),
    ];
    for (dtype, narrowed) in narrowings {
        write(&path, &seeded_tensors(), dtype);
        for (read, seeded) in features(&path).unwrap().iter().zip(&seeded().tensors) {
            assert!(read.values.iter().zip(&seeded.values).all(|(&a, &b)| a == narrowed(b)), "{dtype:?}");
        }
    }
}

/// The kind of a file is decided by its content.
#[cfg(unix)]
#[test]
fn weights_are_read_whatever_the_file_is_called() {
    let (_dir, file) = published(tiny().features.iter().map(|tensor| (tensor.name, tensor.shape)));
    let expected = read(&file, tiny(), Part::Features).unwrap();
    for name in ["VGG16.SAFETENSORS", "vgg16.st", "vgg16", "vgg16.pth", &"57b026918159".repeat(4)] {
        let dir = tempfile::tempdir().unwrap();
        // As in the cache of the hub: a link into another folder.
        std::os::unix::fs::symlink(&file, dir.path().join(name)).unwrap();
        assert_eq!(read(&dir.path().join(name), tiny(), Part::Features).unwrap(), expected, "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("a-pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(format!("{:#}", read(&pipe, tiny(), Part::Features).unwrap_err()).contains("a pipe"));
}

/// A file with tensors of these names and shapes, whose values are numbered on from tensor to tensor.
fn published<'a>(tensors: impl Iterator<Item = (&'a str, &'a [usize])>) -> (TempDir, PathBuf) {
    let mut next = 0.0;
    let mut values = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| {
                next += 1.0;
                next
            })
            .collect()
    };
    let tensors: Tensors = tensors
        .map(|(name, shape)| (name.to_owned(), (shape.to_vec(), values(shape.iter().product()))))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("published.safetensors");
    write(&path, &tensors, Dtype::F32);
    (dir, path)
}

#[test]
fn a_classifier_is_read_under_the_names_and_in_the_shapes_of_timm_too() {
    let torchvision = |tensor: &'static Tensor| (tensor.name, tensor.shape);
    let timm = |tensor: &'static Tensor| tensor.other.unwrap();
    let (_dir, theirs) = published(tiny().classifier.iter().map(torchvision));
    let (_other, timms) = published(tiny().classifier.iter().map(timm));
    assert_ne!(fs::read(&theirs).unwrap(), fs::read(&timms).unwrap());
    let expected = read(&theirs, tiny(), Part::Classifier).unwrap();
    assert_eq!(expected[0].shape, tiny().classifier[0].shape);
    assert_eq!(read(&timms, tiny(), Part::Classifier).unwrap(), expected);

    let (_dir, none) = published(tiny().features.iter().map(torchvision));
    let message = format!("{:#}", read(&none, tiny(), Part::Classifier).unwrap_err());
    assert!(
        message.contains("has none of the 2 tensors, such as classifier.0.weight or head.fc.weight"),
        "{message}"
    );
    let (_dir, broken) = published([("classifier.0.weight", &[5, 4][..])].into_iter());
    let message = format!("{:#}", read(&broken, tiny(), Part::Classifier).unwrap_err());
    assert!(message.contains("classifier.0.weight has shape [5, 4], expected [20, 20]\n"), "{message}");
    assert!(message.contains("classifier.0.bias is missing"), "{message}");
}
