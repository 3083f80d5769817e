//! One epoch: the training steps, and the loss on valid afterwards.

use data::head::Dense;
use data::stage;
use indicatif::ProgressBar;

use super::config::Config;
use super::dataset::Dataset;
use super::network::Network;
use crate::batches::{self, Rows};
use crate::loss::{Loss, is_right};

/// The loss or a weight is not a finite number: training cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("loss is {loss} at epoch {epoch} {place}")]
pub(super) struct Diverged {
    loss: f64,
    epoch: usize,
    /// `step 3`, or `on valid`.
    place: String,
}

/// Goes once through the train split, in the seeded order of `epoch`. The first `n_carrying` units of a hidden layer
/// carry the logits of a pretrained classifier and are never dropped.
///
/// # Errors
/// [`Diverged`]; or if a row cannot be read, or the user interrupts.
pub(super) fn train_epoch(
    network: &mut Network,
    config: &Config,
    dataset: &Dataset,
    epoch: usize,
    n_carrying: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Loss> {
    let h = &config.hyperparameters;
    let rows = Rows { split: &dataset.train, scaling: dataset.scaling.as_ref() };
    let mut total = Loss::default();
    let order = batches::order(h.seed, epoch, dataset.train.len());
    for (step, indices) in (1..).zip(order.chunks(h.batch_size)) {
        stage::check_interrupted()?;
        let n_factors = indices.len() * h.hidden.0.first().unwrap_or(&0);
        let mask = (h.dropout > 0.0 && n_factors > 0).then(|| {
            let mut mask = batches::dropout_mask(h.seed, epoch, step, h.dropout, n_factors); // (B * H)
            mask.chunks_exact_mut(n_factors / indices.len()).for_each(|units| units[..n_carrying].fill(1.0));
            mask
        });
        let loss = network.step(&rows.batch(indices)?, mask, &dataset.objective)?;
        ensure_finite(&loss, epoch, || format!("step {step}"))?;
        total += loss;
        bar.inc(indices.len() as u64);
    }
    // Weights that the last step made infinite show in the loss of valid, where there is one.
    if dataset.valid.is_empty() && !network.layers()?.iter().all(Dense::is_finite) {
        return Err(Diverged { loss: f64::NAN, epoch, place: "after its last step".to_owned() }.into());
    }
    Ok(total)
}

/// Computes the loss on valid, without dropout, and which pictures are classified correctly.
///
/// # Errors
/// As [`train_epoch`].
pub(super) fn validate(
    network: &Network,
    config: &Config,
    dataset: &Dataset,
    epoch: usize,
) -> anyhow::Result<(Loss, Vec<bool>)> {
    let rows = Rows { split: &dataset.valid, scaling: dataset.scaling.as_ref() };
    let mut total = Loss::default();
    let mut right = Vec::with_capacity(dataset.valid.len());
    let order: Vec<usize> = (0..dataset.valid.len()).collect();
    for indices in order.chunks(config.hyperparameters.batch_size) {
        stage::check_interrupted()?;
        let batch = rows.batch(indices)?;
        let logits = network.logits(&batch.features)?; // (B,D) -> (B,K)
        total.add(&logits, &batch.labels);
        right.extend(is_right(&logits, &batch.labels));
    }
    ensure_finite(&total, epoch, || "on valid".to_owned())?;
    Ok((total, right))
}

fn ensure_finite(loss: &Loss, epoch: usize, place: impl FnOnce() -> String) -> Result<(), Diverged> {
    let loss = loss.cross_entropy;
    if loss.is_finite() { Ok(()) } else { Err(Diverged { loss, epoch, place: place() }) }
}
