//! Batches of features, in the seeded order of an epoch, and the dropout masks of its steps.
//!
//! Letters: B rows in a batch, D features.

use candle_core::{Device, Tensor};
use data::draw;
use data::features::SplitFeatures;

use crate::scaling::Scaling;

/// The rows of one split, standardized where that is asked for. They are read from the shards batch by batch, so that
/// memory is bounded by the batch.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) split: &'a SplitFeatures,
    /// `None` for features as they are on disk.
    pub(crate) scaling: Option<&'a Scaling>,
}

/// The input of a training step.
#[derive(Debug)]
pub(crate) struct Batch {
    /// (B,D)
    pub(crate) features: Tensor,
    /// (B)
    pub(crate) labels: Vec<u32>,
}

impl Rows<'_> {
    /// Reads the rows `indices` as one batch.
    ///
    /// # Errors
    /// If a row cannot be read, or candle refuses the shape.
    pub(crate) fn batch(&self, indices: &[usize]) -> anyhow::Result<Batch> {
        let mut features = self.split.read(indices)?;
        if let Some(scaling) = self.scaling {
            features.rows_mut().for_each(|row| scaling.apply(row));
        }
        let shape = (features.n(), features.d());
        Ok(Batch {
            features: Tensor::from_vec(features.into_values(), shape, &Device::Cpu)?, // (B,D)
            labels: indices.iter().map(|&i| self.split.labels()[i]).collect(),
        })
    }
}

/// Draws the order in which `epoch` goes through the `n` rows of the train split.
pub(crate) fn order(seed: u64, epoch: usize, n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    draw::stream(seed, "batches", &epoch.to_string()).shuffle(&mut order);
    order
}

/// Draws the mask of inverted dropout for one step of one epoch: `n` factors that are 0 with probability `rate` and
/// 1 / (1 - rate) otherwise.
pub(crate) fn dropout_mask(seed: u64, epoch: usize, step: usize, rate: f64, n: usize) -> Vec<f32> {
    let mut stream = draw::stream(seed, "dropout", &format!("{epoch}/{step}"));
    let kept = (1.0 / (1.0 - rate)) as f32;
    (0..n).map(|_| if stream.chance(rate) { 0.0 } else { kept }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_epoch_has_every_row_once_in_its_own_order() {
        let mut first = order(1, 1, 100);
        assert_ne!(first, order(1, 2, 100));
        assert_ne!(first, order(2, 1, 100));
        assert_eq!(first, order(1, 1, 100));
        first.sort_unstable();
        assert_eq!(first, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn dropout_keeps_the_mean_and_depends_on_epoch_and_step() {
        let mask = dropout_mask(1, 1, 1, 0.2, 20_000);
        assert!(mask.iter().all(|&m| m == 0.0 || m == 1.25));
        assert!((mask.iter().sum::<f32>() / 20_000.0 - 1.0).abs() < 0.02);
        assert_ne!(mask, dropout_mask(1, 1, 2, 0.2, 20_000));
        assert_ne!(mask, dropout_mask(1, 2, 1, 0.2, 20_000));
        assert!(dropout_mask(1, 1, 1, 0.0, 100).iter().all(|&m| m == 1.0));
    }
}
