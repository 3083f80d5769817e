//! `checkpoint-NNNN.safetensors`: the whole state of a training run after epoch NNNN. A training run that is resumed
//! from it ends with the same bytes as one that was never interrupted.
//!
//! Tensors, for layers k = 1, 2, ...: `layers.dense_k.weight` (out, in) and `.bias` (out), the current weights;
//! `kept.dense_k.*`, the weights of the epoch that is kept so far, left out where they are the current ones;
//! `velocity.dense_k.*`, the momentum buffers, where there is momentum; `history` (epochs, 6) in f64, so that no
//! number is rounded. A digest of the whole file finds damage.

use std::path::{Path, PathBuf};

use anyhow::Context;
use data::commit;
use data::envelope;
use data::head::{Dense, Hyperparameters, MAX_BYTES, layer_views, read_layers};
use data::provenance::FORMAT_VERSION;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::history::{Epoch, Valid};

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".safetensors";
/// Checkpoints that are kept during training: the second serves where the newest is damaged.
const N_KEPT: usize = 2;
/// Numbers of one epoch in the tensor `history`.
const N_COLUMNS: usize = 6;

/// What tells training runs apart: a checkpoint is resumed only where it is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) hyperparameters: Hyperparameters,
    /// sha256 of the index of the features, and through it of every shard.
    pub(super) features_sha256: String,
    /// sha256 of the classifier whose weights are the initial ones; `None` for random ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) classifier_sha256: Option<String>,
}

/// The state of a training run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Checkpoint {
    pub(super) identity: Identity,
    /// The current weights.
    pub(super) layers: Vec<Dense>,
    /// Momentum buffers of each layer's weight and bias; no layers without momentum.
    pub(super) velocity: Vec<Dense>,
    /// The epoch that is kept so far, from 1; 0 for the initial weights.
    pub(super) kept_epoch: usize,
    /// Its weights; no layers for epoch 0.
    pub(super) kept: Vec<Dense>,
    /// The epochs that have ended.
    pub(super) history: Vec<Epoch>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u32,
    identity: Identity,
    kept_epoch: usize,
}

/// The row of an epoch in the tensor `history`: the columns of history.csv, NaN where there are no valid pictures.
fn to_row(epoch: &Epoch) -> [f64; N_COLUMNS] {
    let Epoch { train_loss, train_top1, valid, learning_rate } = *epoch;
    let [loss, top1, top5] = valid.map_or([f64::NAN; 3], |v| [v.loss, v.top1, v.top5]);
    [train_loss, train_top1, loss, top1, top5, learning_rate]
}

fn from_row([train_loss, train_top1, loss, top1, top5, learning_rate]: [f64; N_COLUMNS]) -> Epoch {
    let valid = (!loss.is_nan()).then_some(Valid { loss, top1, top5 });
    Epoch { train_loss, train_top1, valid, learning_rate }
}

impl Checkpoint {
    /// The number of epochs that have ended.
    pub(super) fn epoch(&self) -> usize {
        self.history.len()
    }

    /// Writes the checkpoint into `dir` and removes all but the newest [`N_KEPT`].
    ///
    /// # Errors
    /// If a weight is not finite (nothing is written then) or the file cannot be written.
    pub(super) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = path(dir, self.epoch());
        let parts = [&self.layers, &self.velocity, &self.kept];
        anyhow::ensure!(
            parts.into_iter().flatten().all(Dense::is_finite),
            "refusing to write {}: a weight is not finite",
            path.display()
        );
        let mut tensors = layer_views("layers.", &self.layers)?;
        tensors.extend(layer_views("velocity.", &self.velocity)?);
        if self.kept_epoch != self.epoch() {
            tensors.extend(layer_views("kept.", &self.kept)?);
        }
        let history: Vec<f64> = self.history.iter().flat_map(to_row).collect(); // (epochs,6)
        let history = bytemuck::cast_slice(&history);
        let history = TensorView::new(Dtype::F64, vec![self.epoch(), N_COLUMNS], history)?;
        tensors.push(("history".to_owned(), history));
        let metadata = Metadata {
            format_version: FORMAT_VERSION,
            identity: self.identity.clone(),
            kept_epoch: self.kept_epoch,
        };
        let tensors = tensors.iter().map(|(name, view)| (name.as_str(), view.clone()));
        commit::write_bytes(&path, &envelope::serialize(tensors, &metadata)?)?;
        keep_newest(dir, N_KEPT)
    }

    /// Reads and verifies the checkpoint at `path`.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let (Metadata { identity, kept_epoch, .. }, bytes) = envelope::read(path, MAX_BYTES)?;
        let tensors = SafeTensors::deserialize(&bytes)?;
        let numbers: Vec<f64> = bytemuck::pod_collect_to_vec(tensors.tensor("history")?.data());
        let history: Vec<Epoch> = numbers.as_chunks().0.iter().copied().map(from_row).collect();
        let layers = read_layers("layers.", &tensors)?;
        let kept = match kept_epoch == history.len() && kept_epoch > 0 {
            true => layers.clone(),
            false => read_layers("kept.", &tensors)?,
        };
        let velocity = read_layers("velocity.", &tensors)?;
        Ok(Self { identity, layers, velocity, kept_epoch, kept, history })
    }

    /// Reads the newest undamaged checkpoint of `dir`; `None` if there is none at all.
    ///
    /// # Errors
    /// If there are checkpoints and every one of them is damaged.
    pub(super) fn read_newest(dir: &Path) -> anyhow::Result<Option<Self>> {
        let mut damaged = Vec::new();
        for (_, path) in newest_first(dir)? {
            match Self::read(&path) {
                Ok(checkpoint) => {
                    for (older, error) in damaged {
                        tracing::warn!("{older} is corrupt ({error:#}), using {}", path.display());
                    }
                    return Ok(Some(checkpoint));
                }
                Err(error) => damaged.push((path.display().to_string(), error)),
            }
        }
        if damaged.is_empty() {
            return Ok(None);
        }
        let list: Vec<String> = damaged.iter().map(|(path, error)| format!("{path}: {error:#}")).collect();
        anyhow::bail!(
            "every checkpoint is corrupt; run trainer fit --force to start again from epoch 1\n  {}",
            list.join("\n  ")
        )
    }
}

/// The path of the checkpoint after `epoch` epochs in `dir`.
pub(super) fn path(dir: &Path, epoch: usize) -> PathBuf {
    dir.join(format!("{PREFIX}{epoch:04}{SUFFIX}"))
}

/// Removes all checkpoints of `dir` but the newest `n`.
///
/// # Errors
/// If the directory cannot be listed or a file cannot be removed.
pub(super) fn keep_newest(dir: &Path, n: usize) -> anyhow::Result<()> {
    newest_first(dir)?.iter().skip(n).try_for_each(|(_, path)| commit::remove(path))
}

fn newest_first(dir: &Path) -> anyhow::Result<Vec<(usize, PathBuf)>> {
    let named = || format!("cannot list {}", dir.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(named)? {
        let path = entry.with_context(named)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        let epoch = name.and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.parse().ok());
        found.extend(epoch.map(|epoch: usize| (epoch, path)));
    }
    found.sort();
    found.reverse();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dense(n_out: usize, n_in: usize, first: f32) -> Dense {
        let weight = (0..n_out * n_in).map(|i| first + i as f32).collect();
        Dense { n_out, n_in, weight, bias: vec![first; n_out] }
    }

    /// After `epoch` epochs, the first of which is kept.
    fn checkpoint(epoch: usize) -> Checkpoint {
        let epochs = (0..epoch).map(|e| Epoch {
            train_loss: 1.0 / (e as f64 + 3.0),
            train_top1: 0.1,
            valid: (e != 1).then_some(Valid { loss: f64::EPSILON, top1: 0.3, top5: 0.7 }),
            learning_rate: 0.01,
        });
        Checkpoint {
            identity: Identity {
                hyperparameters: Hyperparameters::default(),
                features_sha256: "ab".repeat(32),
                classifier_sha256: None,
            },
            layers: vec![dense(3, 4, epoch as f32), dense(2, 3, 0.1)],
            velocity: vec![dense(3, 4, 7.0), dense(2, 3, 8.0)],
            kept_epoch: 1,
            kept: vec![dense(3, 4, 1.0), dense(2, 3, 0.1)],
            history: epochs.collect(),
        }
    }

    fn names(dir: &Path) -> Vec<String> {
        newest_first(dir)
            .unwrap()
            .iter()
            .map(|(_, p)| p.file_name().unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_checkpoint_is_read_back_unchanged_and_its_bytes_repeat() {
        let dir = tempfile::tempdir().unwrap();
        for epoch in [1, 3] {
            checkpoint(epoch).write(dir.path()).unwrap();
            let bytes = std::fs::read(path(dir.path(), epoch)).unwrap();
            assert_eq!(Checkpoint::read(&path(dir.path(), epoch)).unwrap(), checkpoint(epoch));
            checkpoint(epoch).write(dir.path()).unwrap();
            assert_eq!(std::fs::read(path(dir.path(), epoch)).unwrap(), bytes);
        }
    }

    #[test]
    fn the_last_two_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        for epoch in [1, 2, 9, 10, 10_000] {
            checkpoint(epoch).write(dir.path()).unwrap();
        }
        assert_eq!(names(dir.path()), ["checkpoint-10000.safetensors", "checkpoint-0010.safetensors"]);
    }

    #[test]
    fn a_damaged_newest_checkpoint_is_replaced_by_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Checkpoint::read_newest(dir.path()).unwrap(), None);
        checkpoint(2).write(dir.path()).unwrap();
        checkpoint(3).write(dir.path()).unwrap();
        let newest = path(dir.path(), 3);
        let whole = std::fs::read(&newest).unwrap();
        for cut in (0..whole.len()).step_by(41) {
            commit::write_bytes(&newest, &whole[..cut]).unwrap();
            assert_eq!(Checkpoint::read_newest(dir.path()).unwrap(), Some(checkpoint(2)), "cut at {cut}");
        }
        for flipped in (0..whole.len()).step_by(13) {
            let mut bytes = whole.clone();
            bytes[flipped] ^= 1;
            commit::write_bytes(&newest, &bytes).unwrap();
            assert_eq!(
                Checkpoint::read_newest(dir.path()).unwrap(),
                Some(checkpoint(2)),
                "flip at {flipped}"
            );
        }
        commit::write_bytes(&path(dir.path(), 2), b"x").unwrap();
        let message = format!("{:#}", Checkpoint::read_newest(dir.path()).unwrap_err());
        assert!(message.contains("every checkpoint is corrupt"), "{message}");
    }

    #[test]
    fn weights_that_are_not_finite_are_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut broken = checkpoint(2);
        broken.velocity[1].bias[0] = f32::INFINITY;
        assert!(broken.write(dir.path()).is_err());
        assert!(names(dir.path()).is_empty());
    }
}
