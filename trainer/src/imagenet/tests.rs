use std::path::PathBuf;

use data::backbone::{HubFile, Tensor, Tensors};
use data::draw;
use data::recipe::Pool;
use data::weights::{Origin, collect};
use tempfile::TempDir;

use super::baseline::{Mask, baseline_split};
use super::*;
use crate::prediction::Prediction;
use crate::synthetic::{Synthetic, message};

/// A network with maps of 2 x 3 x 3, 5 hidden units and 4 classes.
static SMALL: Backbone = Backbone {
    name: "small",
    hub: HubFile { repository: "", file: "", pin: None, tensor_bytes: 0, licence: "" },
    package: None,
    features: Tensors::Listed(&[
        Tensor::new("features.2.weight", &[2, 1, 1, 1]),
        Tensor::new("features.2.bias", &[2]),
    ]),
    classifier: Tensors::Listed(&[
        Tensor::new("classifier.0.weight", &[5, 18]),
        Tensor::new("classifier.0.bias", &[5]),
        Tensor::new("classifier.3.weight", &[5, 5]),
        Tensor::new("classifier.3.bias", &[5]),
        Tensor::new("classifier.6.weight", &[4, 5]),
        Tensor::new("classifier.6.bias", &[4]),
    ]),
    n_channels: 2,
    stride: 10,
    image_size: 30,
    presets: &["torchvision"],
    pool: Pool::None,
    has_maps: true,
};

fn drawn(name: &str, shape: &[usize]) -> Vec<f32> {
    let mut stream = draw::stream(5, "weights", name);
    (0..shape.iter().product()).map(|_| stream.normal() as f32).collect()
}

/// What makes the features of [`SMALL`].
fn features() -> Weights {
    let origin = Origin { origin: "test".into(), revision: None, licence: None, trained: true };
    let tensors = collect(&SMALL.features, |tensor| Ok(drawn(tensor.name, tensor.shape))).unwrap();
    Weights::of_features(&SMALL, origin, tensors)
}

/// The recipe of [`features`].
fn recipe() -> Recipe {
    let weights_sha256 = features().info.weights_sha256;
    let synthetic = Synthetic { image_size: 30, weights_sha256, ..Synthetic::small() };
    Recipe { backbone: SMALL.name.into(), ..synthetic.recipe() }
}

/// A classifier's file with these values.
fn classifier(values_of: impl FnMut(&Tensor) -> Vec<f32>) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small-classifier.safetensors");
    let mut values_of = values_of;
    let tensors = collect(&SMALL.classifier, |tensor| Ok(values_of(tensor))).unwrap();
    features().with_classifier(tensors).write(&path).unwrap();
    (dir, path)
}

/// By the definition, in f64.
fn defined_logits(features: &[f32]) -> Vec<f64> {
    let mut x: Vec<f64> = features.iter().map(|&x| f64::from(x)).collect();
    for (layer, tensors) in SMALL.classifier.chunks(2).enumerate() {
        let [weight, bias] = [0, 1].map(|i| drawn(tensors[i].name, tensors[i].shape));
        let (n_out, n_in) = (tensors[0].shape[0], tensors[0].shape[1]);
        let sum = |o: usize| {
            let products = (0..n_in).map(|i| f64::from(weight[o * n_in + i]) * x[i]);
            products.sum::<f64>() + f64::from(bias[o])
        };
        x = (0..n_out).map(sum).map(|z| if layer < 2 { z.max(0.0) } else { z }).collect();
    }
    x
}

#[test]
fn logits_are_those_of_the_definition() {
    let pictures: Vec<Vec<f32>> = (0..70).map(|i| drawn(&format!("picture {i}"), &[18])).collect();
    let pictures: Vec<&[f32]> = pictures.iter().map(Vec::as_slice).collect();
    let mut n_negative = 0;
    let (_dir, path) = classifier(|tensor| drawn(tensor.name, tensor.shape));
    let head = ImagenetHead::open_of(&path, &recipe(), &SMALL).unwrap();
    let logits = head.logits(&FeatureMatrix::new(pictures.concat(), 18).unwrap()).unwrap();
    assert_eq!(logits.len(), pictures.len());
    for (picture, logits) in pictures.iter().zip(&logits) {
        for (&got, expected) in logits.iter().zip(defined_logits(picture)) {
            assert!((f64::from(got) - expected).abs() < 1e-4, "{got}, not {expected}");
            n_negative += usize::from(got < -0.1);
        }
    }
    assert!(head.logits(&FeatureMatrix::new(pictures[0][1..].to_vec(), 17).unwrap()).is_err());
    assert!(n_negative > 10, "there is no ReLU behind the last layer");
}

#[test]
fn features_are_flattened_channel_by_channel() {
    // The one weight of the first layer is at channel 1, row 2, column 0.
    let (c, y, x) = (1, 2, 0);
    let (_dir, path) = classifier(|tensor| {
        let mut values = vec![0.0; tensor.len()];
        match tensor.name {
            "classifier.0.weight" => values[c * 9 + y * 3 + x] = 1.0,
            "classifier.3.weight" | "classifier.6.weight" => values[0] = 1.0,
            _ => {}
        }
        values
    });
    let head = ImagenetHead::open_of(&path, &recipe(), &SMALL).unwrap();
    // The features as PyTorch flattens (C, H, W): all different.
    let features: Vec<f32> = (0..18).map(|i| 100.0 + i as f32).collect();
    let at = 100.0 + ((c * 3 + y) * 3 + x) as f32;
    assert_eq!(
        head.logits(&FeatureMatrix::new(features.to_vec(), features.len()).unwrap()).unwrap(),
        [[at, 0.0, 0.0, 0.0]]
    );
}

fn refusal(path: &Path, recipe: &Recipe) -> String {
    message(ImagenetHead::open_of(path, recipe, &SMALL).map(|_| ()))
}

#[test]
fn what_does_not_fit_is_refused() {
    let (dir, path) = classifier(|tensor| drawn(tensor.name, tensor.shape));
    let found = refusal(&path, &Recipe { weights_sha256: "cd".repeat(32), ..recipe() });
    assert!(found.contains("belongs to other layers") && found.contains(&recipe().weights_sha256), "{found}");
    for other in [
        Recipe { image_size: 20, ..recipe() },
        Recipe { pool: Pool::Avg, ..recipe() },
        Recipe { backbone: "vgg19".into(), ..recipe() },
    ] {
        let found = refusal(&path, &other);
        assert!(found.contains("run the extractor with --image-size 30 --pool none"), "{found}");
    }
    let found = refusal(Path::new("nowhere.safetensors"), &recipe());
    assert!(found.contains("cannot read the weights nowhere.safetensors"), "{found}");

    let other = dir.path().join("small.safetensors");
    features().write(&other).unwrap();
    let found = refusal(&other, &recipe());
    assert!(found.contains("small-classifier.safetensors") && found.contains("--full"), "{found}");
}

#[test]
fn the_mask_holds_the_120_breeds_at_their_places() {
    let of_stanford_dogs = data::breeds::known().iter().filter(|breed| breed.name != "dalmatian");
    let mut classes: Vec<String> = of_stanford_dogs.map(|breed| breed.class_dir.clone()).collect();
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
