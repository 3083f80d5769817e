use std::path::PathBuf;

use data::draw;
use data::weights::Digest;
use tempfile::TempDir;

use super::baseline::{Mask, baseline_split};
use super::*;
use crate::prediction::Prediction;
use crate::synthetic::{Synthetic, WeightsTensor, message, write_weights};

const SMALL: Sizes = Sizes { map: [2, 3, 3], hidden: 5, classes: 4 };
/// `features.*`, the weight behind the bias, and the later position first: the order is for the reader to find.
const CONVOLUTIONS: [(&str, &[usize]); 4] = [
    ("features.10.bias", &[2]),
    ("features.10.weight", &[2, 1, 1, 1]),
    ("features.2.bias", &[1]),
    ("features.2.weight", &[1, 1, 1, 1]),
];

fn drawn(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut stream = draw::stream(5, "weights", name);
    (0..shape.iter().product()).map(|_| stream.normal() as f32).collect()
}

/// What the features of [`CONVOLUTIONS`] were made with.
fn recipe() -> Recipe {
    let mut digest = Digest::default();
    for (name, shape) in [CONVOLUTIONS[3], CONVOLUTIONS[2], CONVOLUTIONS[1], CONVOLUTIONS[0]] {
        digest.add(name, shape, &drawn(name, shape));
    }
    Synthetic { image_size: 224, weights_sha256: digest.finish(), ..Synthetic::small() }.recipe()
}

/// A weights file with [`CONVOLUTIONS`] and these tensors.
fn weights_file(dense: &[WeightsTensor<'_>]) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("full.safetensors");
    let mut tensors: Vec<_> =
        CONVOLUTIONS.iter().map(|&(name, shape)| (name, shape, Some(drawn(name, shape)))).collect();
    tensors.extend_from_slice(dense);
    write_weights(&path, &tensors);
    (dir, path)
}

/// The layers under torchvision's names, or under timm's with its shapes; the values are the same.
fn dense(names: &[&'static str; 6], are_convolutions: bool) -> Vec<WeightsTensor<'static>> {
    let flat: [&[usize]; 6] = [&[5, 18], &[5], &[5, 5], &[5], &[4, 5], &[4]];
    let deep: [&[usize]; 6] = [&[5, 2, 3, 3], &[5], &[5, 5, 1, 1], &[5], &[4, 5], &[4]];
    let shapes = if are_convolutions { deep } else { flat };
    (0..6).map(|i| (names[i], shapes[i], Some(drawn(&format!("dense {i}"), flat[i])))).collect()
}

const TORCHVISION: [&str; 6] = [
    "classifier.0.weight",
    "classifier.0.bias",
    "classifier.3.weight",
    "classifier.3.bias",
    "classifier.6.weight",
    "classifier.6.bias",
];
const TIMM: [&str; 6] = [
    "pre_logits.fc1.weight",
    "pre_logits.fc1.bias",
    "pre_logits.fc2.weight",
    "pre_logits.fc2.bias",
    "head.fc.weight",
    "head.fc.bias",
];

/// By the definition, in f64.
fn defined_logits(features: &[f32]) -> Vec<f64> {
    let mut x: Vec<f64> = features.iter().map(|&x| f64::from(x)).collect();
    for (layer, (n_out, n_in)) in SMALL.layers().into_iter().enumerate() {
        let weight = drawn(&format!("dense {}", 2 * layer), &[n_out, n_in]);
        let bias = drawn(&format!("dense {}", 2 * layer + 1), &[n_out]);
        let sum = |o: usize| {
            let products = (0..n_in).map(|i| f64::from(weight[o * n_in + i]) * x[i]);
            products.sum::<f64>() + f64::from(bias[o])
        };
        x = (0..n_out).map(sum).map(|z| if layer < 2 { z.max(0.0) } else { z }).collect();
    }
    x
}

#[test]
fn logits_are_those_of_the_definition_under_either_naming() {
    let pictures: Vec<Vec<f32>> = (0..70).map(|i| drawn(&format!("picture {i}"), &[18])).collect();
    let pictures: Vec<&[f32]> = pictures.iter().map(Vec::as_slice).collect();
    let mut n_negative = 0;
    for (names, are_convolutions) in [(&TORCHVISION, false), (&TIMM, true)] {
        let (_dir, path) = weights_file(&dense(names, are_convolutions));
        let head = ImagenetHead::open_sized(&path, &recipe(), SMALL).unwrap();
        let logits = head.logits(&FeatureMatrix::from_rows(&pictures).unwrap()).unwrap();
        assert_eq!(logits.len(), pictures.len());
        for (picture, logits) in pictures.iter().zip(&logits) {
            for (&got, expected) in logits.iter().zip(defined_logits(picture)) {
                assert!((f64::from(got) - expected).abs() < 1e-4, "{got}, not {expected}");
                n_negative += usize::from(got < -0.1);
            }
        }
        assert!(head.logits(&FeatureMatrix::from_rows(&[&pictures[0][1..]]).unwrap()).is_err());
    }
    assert!(n_negative > 20, "there is no ReLU behind the last layer");
}

#[test]
fn features_are_flattened_channel_by_channel() {
    // timm's first layer is a convolution over the whole map: its one weight stands at channel 1, row 2, column 0.
    let (c, y, x) = (1, 2, 0);
    let mut fc6 = vec![0.0; 5 * 18];
    fc6[c * 9 + y * 3 + x] = 1.0;
    let through = |n_out: usize| {
        let mut weight = vec![0.0; n_out * 5];
        weight[0] = 1.0;
        Some(weight)
    };
    let (_dir, path) = weights_file(&[
        ("pre_logits.fc1.weight", &[5, 2, 3, 3], Some(fc6)),
        ("pre_logits.fc1.bias", &[5], None),
        ("pre_logits.fc2.weight", &[5, 5, 1, 1], through(5)),
        ("pre_logits.fc2.bias", &[5], None),
        ("head.fc.weight", &[4, 5], through(4)),
        ("head.fc.bias", &[4], None),
    ]);
    let head = ImagenetHead::open_sized(&path, &recipe(), SMALL).unwrap();
    // The features as PyTorch flattens (C, H, W): all different.
    let features: Vec<f32> = (0..18).map(|i| 100.0 + i as f32).collect();
    let at = 100.0 + ((c * 3 + y) * 3 + x) as f32;
    assert_eq!(head.logits(&FeatureMatrix::from_rows(&[features]).unwrap()).unwrap(), [[at, 0.0, 0.0, 0.0]]);
}

fn refusal(path: &Path, recipe: &Recipe) -> String {
    message(ImagenetHead::open_sized(path, recipe, SMALL).map(|_| ()))
}

#[test]
fn what_does_not_fit_is_refused() {
    let (_dir, slim) = weights_file(&[]);
    let found = refusal(&slim, &recipe());
    assert!(
        found.contains("has no dense layers, such as classifier.0.weight or pre_logits.fc1.weight"),
        "{found}"
    );
    assert!(found.contains("--weights hub --full"), "{found}");

    let mut layers = dense(&TORCHVISION, false);
    layers[2] = ("classifier.3.weight", &[5, 4], None);
    layers.remove(5);
    let (_dir, broken) = weights_file(&layers);
    let found = refusal(&broken, &recipe());
    assert!(found.contains("classifier.3.weight has shape [5, 4], expected [5, 5]\n"), "{found}");
    assert!(found.contains("classifier.6.bias is missing"), "{found}");

    let mut layers = dense(&TORCHVISION, false);
    layers[1] = ("classifier.0.bias", &[5], Some(vec![0.0, f32::NAN, 0.0, 0.0, 0.0]));
    let (_dir, broken) = weights_file(&layers);
    let found = refusal(&broken, &recipe());
    assert!(found.contains("classifier.0 holds a weight that is not finite"), "{found}");

    let (_dir, whole) = weights_file(&dense(&TORCHVISION, false));
    let found = refusal(&whole, &Recipe { weights_sha256: "cd".repeat(32), ..recipe() });
    assert!(found.contains("has other convolutions") && found.contains(&recipe().weights_sha256), "{found}");
    for other in [
        Recipe { image_size: 96, ..recipe() },
        Recipe { pool: Pool::Avg, ..recipe() },
        Recipe { backbone: "vgg19".into(), ..recipe() },
    ] {
        let found = refusal(&whole, &other);
        assert!(found.contains("run the extractor with --image-size 224 --pool none"), "{found}");
    }
    let found = refusal(Path::new("nowhere.safetensors"), &recipe());
    assert!(found.contains("cannot read the weights nowhere.safetensors"), "{found}");
}

#[test]
fn the_mask_holds_the_120_breeds_at_their_places() {
    let mut classes: Vec<String> = data::breeds::all().iter().map(|b| b.class_dir.clone()).collect();
    classes.insert(60, data::breeds::NOT_A_DOG.to_owned());
    let mask = Mask::of(&classes);
    assert_eq!((mask.len(), &mask.left_out[..]), (120, &["not_a_dog".to_owned()][..]));
    // ImageNet's 118 dogs are 151 to 268; 251 is the Dalmatian, which Stanford Dogs does not have, and 273 to
    // 275 are dingo, dhole and African hunting dog (timm's imagenet_synsets.txt).
    let indices: Vec<usize> = (151..=268).filter(|&i| i != 251).chain(273..=275).collect();
    let mut n_right = 0;
    for (i, &index) in indices.iter().enumerate() {
        let mut logits = vec![0.0; 1000];
        logits[index] = 5.0;
        // Classes that ImageNet is surer of, and that do not count: tench, Dalmatian, wolf, tabby.
        for other in [0, 251, 269, 281] {
            logits[other] = 50.0;
        }
        let class = if i < 60 { i } else { i + 1 };
        let prediction = mask.predict(7, class, &logits).unwrap();
        n_right += usize::from(prediction.predicted() == prediction.actual && prediction.actual == i);
        assert!(prediction.confidence() > 0.5, "of 120 classes, one has e^5 of e^5 + 119");
    }
    assert_eq!(n_right, 120);
    assert_eq!(mask.predict(7, 60, &[0.0; 1000]), None, "not_a_dog cannot be judged");
}

#[test]
fn both_heads_are_measured_on_the_same_pictures() {
    let said = |row: u32, actual: usize, predicted: usize| {
        let log_probabilities: Vec<f64> = (0..3).map(|c| if c == predicted { -0.1 } else { -3.0 }).collect();
        Prediction::new(row, actual, &log_probabilities, &[None; 3])
    };
    // Row 11 is of a class that ImageNet does not have; the head is right about it and about row 12.
    let head = [said(10, 0, 2), said(11, 2, 2), said(12, 1, 1), said(13, 1, 0)];
    let imagenet = [said(10, 0, 0), said(12, 1, 1), said(13, 1, 1)];
    let figures = baseline_split(&imagenet, &head).unwrap();
    assert_eq!((figures.n, figures.n_left_out), (3, 1));
    assert_eq!((figures.imagenet.top1, figures.head.top1), (1.0, 0.333333));
    assert_eq!(baseline_split(&[], &head), None);
}
