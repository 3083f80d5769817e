//! Standardization of features: every feature to mean 0, all of them together to standard deviation 1, over the
//! train split.
//!
//! The features of a network with random weights have a large common component, which makes plain gradient descent
//! slow; without it the problem is well conditioned. All features are divided by one standard deviation: they are
//! activations of one layer and have one unit, and dividing each by its own would amplify those that are hardly ever
//! active (on the sample data set that costs 7 points of top-1 accuracy).
//! The scaling is folded into the first layer when a head is saved, so that a head always takes features as they are
//! on disk.

use data::features::SplitFeatures;
use data::head::Dense;

/// x -> (x - mean) * factor.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scaling {
    /// (D)
    mean: Vec<f32>,
    /// 1 / standard deviation over all features; 0 where none of them varies.
    factor: f32,
}

impl Scaling {
    /// Computes mean and deviation of `split` in two passes over its rows, summing in f64.
    ///
    /// # Errors
    /// If a row cannot be read.
    pub(crate) fn measure(split: &SplitFeatures) -> anyhow::Result<Self> {
        let n = split.len() as f64;
        let mut mean = vec![0.0; split.n_features()];
        for i in 0..split.len() {
            let row = split.row(i)?; // (D)
            mean.iter_mut().zip(row.iter()).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        mean.iter_mut().for_each(|sum| *sum /= n);
        let mut variance = 0.0;
        for i in 0..split.len() {
            let row = split.row(i)?; // (D)
            let deviations =
                row.iter().zip(&mean).map(|(&x, mean)| (f64::from(x) - mean).powi(2)).sum::<f64>();
            variance += deviations / (n * mean.len() as f64);
        }
        let factor = if variance > 0.0 { (1.0 / variance.sqrt()) as f32 } else { 0.0 };
        Ok(Self { mean: mean.into_iter().map(|m| m as f32).collect(), factor })
    }

    /// Scales one row in place.
    pub(crate) fn apply(&self, row: &mut [f32]) {
        for (x, mean) in row.iter_mut().zip(&self.mean) {
            *x = (*x - mean) * self.factor;
        }
    }

    /// Changes `first`, a layer that takes scaled features, into one that takes unscaled features and has the same
    /// output.
    ///
    /// W (s (x - m)) + b = (W s) x + (b - (W s) m)
    pub(crate) fn fold_into(&self, first: &mut Dense) {
        for (weights, bias) in first.weight.chunks_exact_mut(first.n_in).zip(&mut first.bias) {
            let mut shift = 0.0;
            for (w, mean) in weights.iter_mut().zip(&self.mean) {
                *w *= self.factor;
                shift += f64::from(*w) * f64::from(*mean);
            }
            *bias = (f64::from(*bias) - shift) as f32;
        }
    }

    /// Changes `first`, a layer that takes unscaled features, into one that takes scaled features and has the same
    /// output: the inverse of [`Scaling::fold_into`].
    ///
    /// W x + b = (W / s) (s (x - m)) + (b + W m). Where no feature varies, s is 0, every scaled feature is 0, and the
    /// weights do not matter.
    pub(crate) fn unfold_from(&self, first: &mut Dense) {
        let inverse = if self.factor > 0.0 { 1.0 / self.factor } else { 0.0 };
        for (weights, bias) in first.weight.chunks_exact_mut(first.n_in).zip(&mut first.bias) {
            let mut shift = 0.0;
            for (w, mean) in weights.iter_mut().zip(&self.mean) {
                shift += f64::from(*w) * f64::from(*mean);
                *w *= inverse;
            }
            *bias = (f64::from(*bias) + shift) as f32;
        }
    }
}
