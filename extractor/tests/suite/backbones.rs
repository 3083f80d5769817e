//! The same numbers as the publishers' code: timm and the package efficientnet-lite-pytorch. `backbone_parity.py --record`
//! of `tests/peers` made the reference.

use candle_core::{Device, Tensor};
use data::backbone::{ALL, Backbone, VGG16};
use data::recipe::Pool;
use data::weights::Weights;
use extractor::backbone::{Engine, open};
use extractor::preprocess::{Preset, preprocess};

use crate::reference::{Reference, apart, formula_input};

/// Relative L2 of one picture's features, for the same tensor and for the same PNG.
const MAX_DISTANCE: f64 = 1e-5;
const MAX_DISTANCE_OF_PNG: f64 = 1e-4;

fn recorded() -> Reference {
    Reference(include_bytes!("../../../tests/references/backbones.safetensors").to_vec())
}

/// The script's `uniform`: n values in [-0.5, 0.5).
fn uniform(n: usize, t: u64) -> impl Iterator<Item = f64> {
    (0..n as u64).map(move |i| ((i + 977 * t) * 2_654_435_761 % (1 << 32)) as f64 / 2f64.powi(32) - 0.5)
}

/// The script's `perturbed`: no vector is 0 or 1 everywhere, so none can be forgotten unnoticed.
fn perturbed(backbone: &Backbone) -> Weights {
    let mut weights = Weights::seeded(backbone, 42);
    let mut names: Vec<&str> = weights.tensors.iter().map(|tensor| tensor.name).collect();
    names.sort_unstable();
    for tensor in weights.tensors.iter_mut().filter(|tensor| tensor.shape.len() == 1) {
        let t = names.binary_search(&tensor.name).unwrap() as u64;
        for (value, u) in tensor.values.iter_mut().zip(uniform(tensor.shape[0], t)) {
            *value = (f64::from(*value) + 0.2 * u) as f32;
        }
    }
    weights
}

#[test]
fn features_are_those_of_the_publishers_code() {
    let reference = recorded();
    let png = reference.tensors().tensor("file_png").unwrap().data().to_vec();
    let photo = data::photo::decode(&png, &data::photo::Limits::STANDARD).unwrap().rgb;
    for backbone in ALL.into_iter().filter(|backbone| backbone.name != VGG16.name) {
        let name = backbone.name;
        let weights = perturbed(backbone);
        let from_png = preprocess(&photo, Preset::find(backbone.presets[0]).unwrap(), 64).unwrap();
        for engine in Engine::available() {
            let network = open(&weights, &Device::Cpu, engine).unwrap();
            let distance = |input: &[f32], side: usize, expected: &str| {
                let xs = Tensor::from_slice(input, (1, 3, side, side), &Device::Cpu).unwrap();
                let got = network.features(&xs, Pool::Avg).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                let distance = apart(&got, &reference.floats(expected).0);
                println!("{name}, {engine}, {expected}: {distance:.2e} apart");
                distance
            };
            for side in [64, 96] {
                let distance = distance(&formula_input(side), side, &format!("{name}_features_{side}"));
                assert!(distance <= MAX_DISTANCE, "{name}, {engine}, {side} px: {distance:e}");
            }
            let distance = distance(&from_png, 64, &format!("{name}_png"));
            assert!(distance <= MAX_DISTANCE_OF_PNG, "{name}, {engine}, the PNG: {distance:e}");
        }
    }
}
