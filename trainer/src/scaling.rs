//! Standardising: each feature to mean 0 and standard deviation 1 over the train split.
//!
//! Features of a network with random weights share a large common component, so that plain gradient
//! descent crawls; standardised they are well conditioned. The scaling is folded into the first layer
//! when a head is saved, so a head always takes features as they are on disk.

use data::features::SplitFeatures;
use data::head::Dense;

/// x -> (x - mean) * factor, feature by feature.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scaling {
    /// (D)
    mean: Vec<f32>,
    /// (D) 1 / standard deviation; 0 for a feature that does not vary and so tells nothing.
    factor: Vec<f32>,
}

/// A standard deviation below this share of the mean is the rounding of f16 and f32, not variation.
const CONSTANT: f64 = 1e-6;

impl Scaling {
    /// Measures `split` in two passes over its rows, summing in f64.
    pub(crate) fn measure(split: &SplitFeatures) -> Self {
        let n = split.len() as f64;
        let mut mean = vec![0.0; split.n_features()];
        for i in 0..split.len() {
            mean.iter_mut().zip(split.row(i).iter()).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= n);
        let mut variance = vec![0.0; split.n_features()];
        for i in 0..split.len() {
            for ((sum, &x), mean) in variance.iter_mut().zip(split.row(i).iter()).zip(&mean) {
                *sum += (f64::from(x) - mean).powi(2);
            }
        }
        let factor = |(sum, mean): (&f64, &f64)| {
            let deviation = (sum / n).sqrt();
            if deviation > CONSTANT * mean.abs() { (1.0 / deviation) as f32 } else { 0.0 }
        };
        let factor = variance.iter().zip(&mean).map(factor).collect();
        Self { mean: mean.into_iter().map(|m| m as f32).collect(), factor }
    }

    /// Scales one row in place.
    pub(crate) fn apply(&self, row: &mut [f32]) {
        for ((x, mean), factor) in row.iter_mut().zip(&self.mean).zip(&self.factor) {
            *x = (*x - mean) * factor;
        }
    }

    /// Makes `first`, a layer that takes scaled features, take raw ones: its result stays the same.
    ///
    /// W (s (x - m)) + b = (W s) x + (b - (W s) m)
    pub(crate) fn fold_into(&self, first: &mut Dense) {
        for (weights, bias) in first.weight.chunks_exact_mut(first.n_in).zip(&mut first.bias) {
            let mut shift = 0.0;
            for ((w, mean), factor) in weights.iter_mut().zip(&self.mean).zip(&self.factor) {
                *w *= factor;
                shift += f64::from(*w) * f64::from(*mean);
            }
            *bias = (f64::from(*bias) - shift) as f32;
        }
    }
}
