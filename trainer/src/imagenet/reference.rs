//! The same logits as the publishers' code, from recorded features: `backbone_parity.py --record` of `tests/peers` made them.

use data::backbone::{ALL, Backbone};
use data::features::FeatureMatrix;
use data::recipe::Recipe;
use data::weights::{Origin, Weights, collect};
use safetensors::SafeTensors;

use super::ImagenetHead;
use crate::synthetic::Synthetic;

/// Relative L2 of one picture's logits.
const MAX_DISTANCE: f64 = 1e-5;

/// The script's `uniform`: n values in [-0.5, 0.5).
fn uniform(n: usize, t: u64) -> impl Iterator<Item = f64> {
    (0..n as u64).map(move |i| ((i + 977 * t) * 2_654_435_761 % (1 << 32)) as f64 / 2f64.powi(32) - 0.5)
}

/// The script's classifier: weight (1000, C) and bias (1000).
fn classifier(backbone: &Backbone) -> Weights {
    let origin = Origin { origin: "formula".into(), revision: None, licence: None, trained: true };
    let values = collect(&backbone.classifier, |tensor| {
        let (scale, t) = if tensor.shape.len() == 2 { (0.1, 1) } else { (1.0, 2) };
        Ok(uniform(tensor.len(), t).map(|u| (scale * u) as f32).collect())
    });
    Weights::of_features(backbone, origin, Vec::new()).with_classifier(values.unwrap())
}

#[test]
fn logits_are_those_of_the_publishers_code() {
    let recorded = include_bytes!("../../../tests/references/backbones.safetensors");
    let recorded = SafeTensors::deserialize(recorded).unwrap();
    let floats = |name: &str| -> Vec<f32> {
        let tensor = recorded.tensor(name).unwrap();
        tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let mut n_compared = 0;
    for backbone in ALL.into_iter().filter(|backbone| backbone.classifier.len() == 2) {
        let classifier = classifier(backbone);
        let recipe = Recipe {
            backbone: backbone.name.to_owned(),
            weights_sha256: classifier.info.weights_sha256.clone(),
            image_size: backbone.image_size,
            pool: backbone.pool,
            ..Synthetic::small().recipe()
        };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("classifier.safetensors");
        classifier.write(&path).unwrap();
        let head = ImagenetHead::open(&path, &recipe).unwrap();
        for side in [64, 96] {
            let features = floats(&format!("{}_features_{side}", backbone.name));
            let expected = floats(&format!("{}_logits_{side}", backbone.name));
            let features = FeatureMatrix::new(features, backbone.n_channels).unwrap();
            let got = head.logits(&features).unwrap().concat();
            assert_eq!(got.len(), 1000);
            let apart = got.iter().zip(&expected).map(|(&a, &b)| f64::from(a - b).powi(2)).sum::<f64>();
            let norm = expected.iter().map(|&b| f64::from(b).powi(2)).sum::<f64>();
            assert!(
                (apart / norm).sqrt() <= MAX_DISTANCE,
                "{}, {side} px: {apart:e} of {norm}",
                backbone.name
            );
            n_compared += 1;
        }
    }
    assert_eq!(n_compared, 8);
}
