use data::backbone::EFFICIENTNET_LITE0;
use data::breeds;
use data::current::RerunArgs;
use data::draw;
use data::features::FeatureMatrix;
use data::stage::CommonArgs;
use data::weights::{Origin, Weights, collect};

use super::*;
use crate::Classifier;
use crate::loss::log_softmax;

/// A classifier with drawn weights, as a file in a new directory; and the configuration that makes a head of it.
fn drawn() -> (tempfile::TempDir, Config) {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin { origin: "test".into(), revision: None, licence: None, trained: true };
    let values = |name: &str, n: usize| {
        let mut draws = draw::stream(1, "classifier", name);
        (0..n).map(|_| draws.normal() as f32).collect::<Vec<f32>>()
    };
    let tensors = collect(&EFFICIENTNET_LITE0.classifier, |t| Ok(values(t.name, t.len()))).unwrap();
    let features = Weights::of_features(&EFFICIENTNET_LITE0, origin, Vec::new());
    let classifier = dir.path().join("classifier.safetensors");
    features.with_classifier(tensors).write(&classifier).unwrap();
    let common = CommonArgs { seed: 1, threads: 0, quiet: true, verbose: 0, json: false };
    let out = dir.path().join("model");
    let config = Config { classifier, out, rerun: RerunArgs::default(), common };
    (dir, config)
}

#[test]
fn the_probabilities_are_the_sums_of_those_of_the_1000_outputs() {
    let (_dir, config) = drawn();
    let summary = run(&config).unwrap().unwrap();
    assert_eq!((summary.n_classes, summary.n_outputs), (122, 1000));
    let classifier = Classifier::open(&config.out).unwrap();
    let mut draws = draw::stream(1, "features", "");
    let features: Vec<f32> = (0..1280).map(|_| 0.03 * draws.normal() as f32).collect();
    let matrix = FeatureMatrix::new(features.clone(), 1280).unwrap();

    // By definition, from the layer itself.
    let head = data::head::Head::read(&config.out.join(data::head::FILE_NAME)).unwrap();
    let layer = &head.layers[0];
    let logit = |o: usize| -> f32 {
        let row = &layer.weight[o * 1280..(o + 1) * 1280];
        layer.bias[o] + row.iter().zip(&features).map(|(w, x)| w * x).sum::<f32>()
    };
    let expected: Vec<f64> =
        log_softmax(&(0..1000).map(logit).collect::<Vec<f32>>()).iter().map(|p| p.exp()).collect();

    let outputs = &classifier.output_log_probabilities(&matrix).unwrap()[0];
    let by_class = classifier.by_class(outputs);
    assert_eq!(classifier.log_probabilities(&matrix).unwrap()[0], by_class);
    let is_dog = |o: &usize| breeds::known().iter().any(|breed| breed.imagenet_index == *o);
    for (class, breed) in breeds::known().iter().enumerate() {
        let p = expected[breed.imagenet_index];
        assert!((by_class[class].exp() / p - 1.0).abs() < 1e-4, "{}", breed.name);
    }
    let others: Vec<usize> = (0..1000).filter(|o| !is_dog(o)).collect();
    let sum: f64 = others.iter().map(|&o| expected[o]).sum();
    assert!((by_class[121].exp() / sum - 1.0).abs() < 1e-5, "{} {sum}", by_class[121].exp());
    let likeliest = others.iter().copied().max_by(|&a, &b| expected[a].total_cmp(&expected[b])).unwrap();
    let (name, p) = classifier.likeliest_output(outputs, 121).unwrap();
    assert_eq!(name, data::imagenet::classes()[likeliest].name);
    assert!((p / expected[likeliest] - 1.0).abs() < 1e-4);
}

#[test]
fn a_head_that_is_up_to_date_stays_and_another_classifier_makes_another() {
    let (_dir, config) = drawn();
    run(&config).unwrap().unwrap();
    assert_eq!(run(&config).unwrap(), None);
    let mut other = Weights::read(&config.classifier, data::weights::Part::Classifier).unwrap();
    other.tensors[1].values[0] += 1.0;
    other.write(&config.classifier).unwrap();
    assert!(run(&config).unwrap().is_some());
}

#[test]
fn the_weights_of_the_network_are_not_taken_for_its_classifier() {
    let (dir, mut config) = drawn();
    config.classifier = dir.path().join("network.safetensors");
    Weights::seeded(&EFFICIENTNET_LITE0, 1).write(&config.classifier).unwrap();
    let message = format!("{:#}", run(&config).unwrap_err());
    assert!(message.contains("efficientnet-lite0-classifier.safetensors"), "{message}");
}
