use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use data::commit;
use data::recipe::{Pool, Recipe};
use extractor::weights::Weights;
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::harness::seeded_weights;

/// Name, shape and values of every tensor.
type Tensors = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

fn seeded_tensors() -> Tensors {
    let bytes = fs::read(seeded_weights()).unwrap();
    let floats = |data: &[u8]| data.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    SafeTensors::deserialize(&bytes)
        .unwrap()
        .iter()
        .map(|(name, t)| (name.to_owned(), (t.shape().to_vec(), floats(t.data()))))
        .collect()
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
pub(crate) fn write_changed(path: &Path, change: impl Fn(&str, &mut [f32])) {
    let mut tensors = seeded_tensors();
    for (name, (_, values)) in &mut tensors {
        change(name, values);
    }
    write(path, &tensors, Dtype::F32);
}

/// The message with which the file at `path` is refused.
fn refusal(path: &Path) -> String {
    let message = format!("{:#}", Weights::read(path).unwrap_err());
    assert!(message.contains(path.file_name().unwrap().to_str().unwrap()), "{message}");
    message
}

#[test]
fn a_file_that_is_cut_off_is_refused_wherever_it_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cut.safetensors");
    fs::copy(seeded_weights(), &path).unwrap();
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
    assert!(message.contains("none of its 26 tensors is there") && message.contains("block.0."), "{message}");

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
    let (whole, seeded) = (Weights::read(&path).unwrap(), Weights::read(seeded_weights()).unwrap());
    assert!(whole.convolutions == seeded.convolutions);
    assert_eq!(whole.sha256, seeded.sha256, "the digest is that of the convolutions");
    write_changed(&path, |name, values| {
        if name == "features.17.bias" {
            values[0] = 1.0;
        }
    });
    assert_ne!(Weights::read(&path).unwrap().sha256, seeded.sha256);
}

#[test]
fn half_precision_is_widened() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("half.safetensors");
    let seeded = Weights::read(seeded_weights()).unwrap();
    let narrowings: [(Dtype, fn(f32) -> f32); 3] = [
        (Dtype::F64, |x| x),
        (Dtype::F16, |x| half::f16::from_f32(x).to_f32()),
        (Dtype::BF16, |x| half::bf16::from_f32(x).to_f32()),
    ];
    for (dtype, narrowed) in narrowings {
        write(&path, &seeded_tensors(), dtype);
        let read = Weights::read(&path).unwrap();
        for (read, seeded) in read.convolutions.iter().zip(&seeded.convolutions) {
            assert!(read.weight.iter().zip(&seeded.weight).all(|(&a, &b)| a == narrowed(b)), "{dtype:?}");
        }
    }
}

/// What kind of file it is, is decided by its content, for a file and within a folder.
#[cfg(unix)]
#[test]
fn weights_are_found_whatever_they_are_called() {
    let seeded = Weights::read(seeded_weights()).unwrap();
    let recipe = Recipe {
        backbone: "vgg16".into(),
        weights: "seeded:1".into(),
        weights_sha256: seeded.sha256.clone(),
        image_size: 32,
        preset: "torchvision".into(),
        preprocessing_version: 1,
        pool: Pool::None,
    };
    for name in ["VGG16.SAFETENSORS", "vgg16.st", "vgg16", "vgg16.pth", &"57b026918159".repeat(4)] {
        let dir = tempfile::tempdir().unwrap();
        // As in the cache of the hub: a link into another folder.
        std::os::unix::fs::symlink(seeded_weights(), dir.path().join(name)).unwrap();
        commit::write_bytes(&dir.path().join("README.md"), b"no weights").unwrap();
        assert!(
            std::process::Command::new("mkfifo").arg(dir.path().join("a-pipe")).status().unwrap().success()
        );
        for path in [dir.path().join(name), dir.path().to_owned()] {
            let found = Weights::of_recipe(&path, &recipe).unwrap();
            assert!(found.convolutions == seeded.convolutions, "{}", path.display());
        }
        let other = Recipe { weights_sha256: "ab".repeat(32), ..recipe.clone() };
        let message = format!("{:#}", Weights::of_recipe(&dir.path().join(name), &other).unwrap_err());
        assert!(message.contains("is not the weights file of the features"), "{message}");
        let message = format!("{:#}", Weights::of_recipe(dir.path(), &other).unwrap_err());
        assert!(message.contains("holds no weights with the sha256 abab"), "{message}");
    }
}
