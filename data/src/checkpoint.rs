//! `checkpoint-NNNN.safetensors`: the whole state of a training run after epoch NNNN, from which the
//! run goes on as if it had never stopped.
//!
//! Tensors, for layers k = 1, 2, ...: `layers.dense_k.weight` (out, in) and `.bias` (out), the head as
//! it is; `best.dense_k.*`, the best head so far, left out where it is the head as it is;
//! `velocity.dense_k.*`, the optimizer's, where it has one; `history` (epochs, 6) in f64, so that no
//! figure passes through text. A digest of all of the file tells damage from a checkpoint.

use std::path::{Path, PathBuf};

use anyhow::Context;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::commit;
use crate::envelope;
use crate::head::{Dense, MAX_BYTES, layer_views, read_layers};
use crate::provenance::FORMAT_VERSION;

const PREFIX: &str = "checkpoint-";
const SUFFIX: &str = ".safetensors";
/// How many checkpoints are kept while a run goes on: the second serves where the newest is damaged.
pub const N_KEPT: usize = 2;

/// Figures of one epoch: train loss, train top-1, valid loss, valid top-1, valid top-5, learning rate; those
/// of valid are NaN where it has no pictures.
pub type EpochFigures = [f64; 6];

/// The state of a training run between two epochs.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What the run is: its parameters by flag name and the digests of its inputs.
    pub run: Map<String, Value>,
    /// The head as it is.
    pub layers: Vec<Dense>,
    /// Velocity of each layer's weight and bias; no layers without momentum.
    pub velocity: Vec<Dense>,
    /// The epoch of the best head so far, from 1; 0 before the first.
    pub best_epoch: usize,
    /// The best head so far; no layers before the first epoch.
    pub best: Vec<Dense>,
    /// One row for each epoch that has ended.
    pub history: Vec<EpochFigures>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u32,
    run: Map<String, Value>,
    best_epoch: usize,
}

impl Checkpoint {
    /// Epochs that have ended.
    pub fn epoch(&self) -> usize {
        self.history.len()
    }

    /// Writes the checkpoint into `dir` and removes all but the newest [`N_KEPT`].
    ///
    /// # Errors
    /// If a weight is not finite (nothing is written then) or the file cannot be written.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        let path = path(dir, self.epoch());
        let parts = [&self.layers, &self.velocity, &self.best];
        anyhow::ensure!(
            parts.into_iter().flatten().all(Dense::is_finite),
            "refusing to write {}: a weight is not finite",
            path.display()
        );
        let mut tensors = layer_views("layers.", &self.layers)?;
        tensors.extend(layer_views("velocity.", &self.velocity)?);
        if self.best_epoch != self.epoch() {
            tensors.extend(layer_views("best.", &self.best)?);
        }
        let shape = vec![self.epoch(), EpochFigures::default().len()];
        let history = bytemuck::cast_slice(self.history.as_flattened());
        tensors.push(("history".to_owned(), TensorView::new(Dtype::F64, shape, history)?));
        let metadata =
            Metadata { format_version: FORMAT_VERSION, run: self.run.clone(), best_epoch: self.best_epoch };
        let tensors = tensors.iter().map(|(name, view)| (name.as_str(), view.clone()));
        commit::write_bytes(&path, &envelope::serialize(tensors, &metadata)?)?;
        keep_newest(dir, N_KEPT)
    }

    /// Reads and verifies the checkpoint at `path`.
    ///
    /// # Errors
    /// Says what is wrong with the file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let (Metadata { run, best_epoch, .. }, bytes) = envelope::read(path, MAX_BYTES)?;
        let tensors = SafeTensors::deserialize(&bytes)?;
        let figures: Vec<f64> = bytemuck::pod_collect_to_vec(tensors.tensor("history")?.data());
        let history: Vec<EpochFigures> = figures.as_chunks().0.to_vec();
        let layers = read_layers("layers.", &tensors)?;
        let best = match best_epoch == history.len() && best_epoch > 0 {
            true => layers.clone(),
            false => read_layers("best.", &tensors)?,
        };
        let velocity = read_layers("velocity.", &tensors)?;
        Ok(Self { run, layers, velocity, best_epoch, best, history })
    }

    /// The newest checkpoint of `dir` that is whole; `None` if there is none at all.
    ///
    /// # Errors
    /// If there are checkpoints and every one of them is damaged.
    pub fn read_newest(dir: &Path) -> anyhow::Result<Option<Self>> {
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
            "every checkpoint is corrupt; run trainer fit without --resume to start afresh\n  {}",
            list.join("\n  ")
        )
    }
}

/// `checkpoint-0007.safetensors` in `dir`.
pub fn path(dir: &Path, epoch: usize) -> PathBuf {
    dir.join(format!("{PREFIX}{epoch:04}{SUFFIX}"))
}

/// Removes all checkpoints of `dir` but the newest `n`.
///
/// # Errors
/// If the directory cannot be listed or a file cannot be removed.
pub fn keep_newest(dir: &Path, n: usize) -> anyhow::Result<()> {
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

    /// After `epoch` epochs, the best of which was the first.
    fn checkpoint(epoch: usize) -> Checkpoint {
        let seed = Map::from_iter([("seed".to_owned(), Value::from(42))]);
        Checkpoint {
            run: seed,
            layers: vec![dense(3, 4, epoch as f32), dense(2, 3, 0.1)],
            velocity: vec![dense(3, 4, 7.0), dense(2, 3, 8.0)],
            best_epoch: 1,
            best: vec![dense(3, 4, 1.0), dense(2, 3, 0.1)],
            history: (0..epoch)
                .map(|e| [1.0 / (e as f64 + 3.0), 0.1, f64::EPSILON, 0.3, 0.7, 0.01])
                .collect(),
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
    fn it_comes_back_unchanged_and_its_bytes_repeat() {
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
    fn a_damaged_newest_gives_way_to_the_one_before() {
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
    fn what_is_not_finite_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut broken = checkpoint(2);
        broken.velocity[1].bias[0] = f32::INFINITY;
        assert!(broken.write(dir.path()).is_err());
        assert!(names(dir.path()).is_empty());
    }
}
