//! Random weights from a seed, for machines that cannot fetch trained ones.

use rayon::prelude::*;

use super::{Origin, TensorValues, Weights};
use crate::backbone::{Backbone, Tensor, Untrained};
use crate::draw;

impl Weights {
    /// Draws the layers of `backbone` that make features. The same seed gives the same values on any machine.
    pub fn seeded(backbone: &Backbone, seed: u64) -> Self {
        let purpose = format!("{} weights", backbone.name);
        let draw = |tensor: &Tensor| {
            let &Tensor { name, shape, .. } = tensor;
            let values = match tensor.untrained {
                Untrained::Zeros => vec![0.0; tensor.len()],
                Untrained::Ones => vec![1.0; tensor.len()],
                Untrained::Drawn => he_normal(seed, &purpose, tensor),
            };
            TensorValues { name, shape, values }
        };
        let tensors = backbone.features.par_iter().map(draw).collect();
        let origin =
            Origin { origin: format!("seeded:{seed}"), revision: None, licence: None, trained: false };
        Self::of_features(backbone, origin, tensors)
    }
}

/// Draws normals of variance 2 / fan-in (He and others, "Delving deep into rectifiers", 2015; PyTorch's
/// `kaiming_normal_`), which keeps the size of the activations from layer to layer. The tensor has the shape
/// (n_out, n_in, ...).
fn he_normal(seed: u64, purpose: &str, tensor: &Tensor) -> Vec<f32> {
    let fan_in: usize = tensor.shape[1..].iter().product();
    let deviation = (2.0 / fan_in as f64).sqrt();
    let mut draws = draw::stream(seed, purpose, tensor.name);
    (0..tensor.len()).map(|_| (deviation * draws.normal()) as f32).collect()
}
