use std::fs;
use std::path::PathBuf;

use super::*;
use crate::backbone::{HubFile, Tensors};
use crate::recipe::Pool;

/// A network as small as one can be.
static TINY: Backbone = Backbone {
    name: "tiny",
    hub: HubFile {
        repository: "owner/tiny.test",
        file: "model.safetensors",
        pin: None,
        tensor_bytes: 0,
        licence: "MIT",
    },
    package: None,
    features: Tensors::Listed(&[
        Tensor::new("features.0.weight", &[2, 3, 1, 1]),
        Tensor::new("features.0.bias", &[2]),
    ]),
    classifier: Tensors::Listed(&[
        Tensor::new("classifier.0.weight", &[4, 2]),
        Tensor::new("classifier.0.bias", &[4]),
    ]),
    n_channels: 2,
    stride: 1,
    image_size: 1,
    presets: &["torchvision"],
    pool: Pool::None,
    has_maps: true,
};

fn find(name: &str) -> anyhow::Result<&'static Backbone> {
    anyhow::ensure!(name == TINY.name, "there is no {name}");
    Ok(&TINY)
}

fn written(weights: &Weights) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it.safetensors");
    weights.write(&path).unwrap();
    (dir, path)
}

fn refusal(path: &Path, part: Part) -> String {
    format!("{:#}", Weights::read_of(path, part, find).unwrap_err())
}

#[test]
fn what_is_written_is_read_again() {
    let weights = Weights::seeded(&TINY, 42);
    let (_dir, path) = written(&weights);
    assert_eq!(Weights::read_of(&path, Part::Features, find).unwrap(), weights);
    assert_eq!((weights.info.origin.origin.as_str(), weights.info.origin.trained), ("seeded:42", false));

    let classifier =
        weights.with_classifier(collect(&TINY.classifier, |tensor| Ok(vec![0.5; tensor.len()])).unwrap());
    let (_dir, other) = written(&classifier);
    assert_eq!(Weights::read_of(&other, Part::Classifier, find).unwrap(), classifier);
    assert_eq!(classifier.info.weights_sha256, weights.info.weights_sha256);
    assert!(refusal(&path, Part::Classifier).contains("the file tiny-classifier.safetensors"));
    assert!(refusal(&other, Part::Features).contains("the file tiny.safetensors"));
    let message = format!("{:#}", Weights::read(&path, Part::Features).unwrap_err());
    assert!(message.contains("\"tiny\" is no network of this program"), "{message}");
}

#[test]
fn no_bit_of_a_weights_file_can_change() {
    let (_dir, path) = written(&Weights::seeded(&TINY, 42));
    let bytes = fs::read(&path).unwrap();
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        commit::write_bytes(&path, &flipped).unwrap();
        refusal(&path, Part::Features);
    }
    for length in 0..bytes.len() {
        commit::write_bytes(&path, &bytes[..length]).unwrap();
        refusal(&path, Part::Features);
    }
}

#[test]
fn a_file_of_another_program_is_refused_with_the_command_that_converts_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it's.safetensors");
    let view = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
    for bytes in
        [safetensors::serialize([("features.0.weight", view)], None).unwrap(), b"PK\x03\x04 a zip".to_vec()]
    {
        commit::write_bytes(&path, &bytes).unwrap();
        let message = refusal(&path, Part::Features);
        let quoted = path.display().to_string().replace('\'', r"'\''");
        assert!(message.contains(&format!("`weights --from '{quoted}' --out")), "{message}");
    }
    let message = refusal(&dir.path().join("none"), Part::Features);
    assert!(
        message.contains("cannot read the weights") && message.contains("weights --from hub"),
        "{message}"
    );
    assert!(refusal(dir.path(), Part::Features).contains("a directory"));
}

#[test]
fn all_that_is_wrong_with_the_values_is_listed_at_once() {
    let values = |tensor: &Tensor| match tensor.shape.len() {
        1 => Ok(vec![0.0; 5]),
        _ => Ok(vec![f32::NAN; tensor.len()]),
    };
    let message = collect(&TINY.features, values).unwrap_err().to_string();
    assert!(message.contains("features.0.weight: value 0 is NaN, expected a finite number"), "{message}");
    assert!(message.contains("features.0.bias has 5 values, expected 2"), "{message}");
}

/// Whoever changes the drawn values changes the features, heads and figures that users have made of them.
#[test]
fn the_seeded_weights_of_vgg16_are_always_the_same() {
    let drawn = Weights::seeded(&crate::backbone::VGG16, 42);
    assert_eq!(drawn.info.weights_sha256, "365935729e5c9eeac8c36c6572b520a4676b24c196a205712ff6775117ba156d");
    assert_ne!(Weights::seeded(&crate::backbone::VGG16, 43).tensors, drawn.tensors);
}
