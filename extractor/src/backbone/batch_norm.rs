//! Batch norm in inference: a scale and a shift for each channel, which the convolution before it can take over.

use candle_core::{Error, Result};

/// The values of a batch norm, (n_out) each.
pub(super) struct BatchNorm<'a> {
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) mean: &'a [f32],
    pub(super) variance: &'a [f32],
    /// Added to the variance.
    pub(super) epsilon: f64,
}

impl BatchNorm<'_> {
    /// Folds it, in f64, into the convolution before it, `weight` (n_out, ...), which has no bias: gives a weight of the same
    /// shape and a bias (n_out).
    ///
    /// # Errors
    /// If there are no channels.
    pub(super) fn fold_into(&self, weight: &[f32]) -> Result<(Vec<f32>, Vec<f32>)> {
        let n_out = self.scale.len();
        let of_channel =
            weight.len().checked_div(n_out).ok_or_else(|| Error::msg("a batch norm of no channels"))?;
        let factor: Vec<f64> = self
            .scale
            .iter()
            .zip(self.variance)
            .map(|(&scale, &variance)| f64::from(scale) / (f64::from(variance) + self.epsilon).sqrt())
            .collect();
        let folded = weight.iter().enumerate().map(|(i, &w)| (f64::from(w) * factor[i / of_channel]) as f32);
        let bias = (0..n_out).map(|c| (f64::from(self.bias[c]) - f64::from(self.mean[c]) * factor[c]) as f32);
        Ok((folded.collect(), bias.collect()))
    }
}
