//! The state of a training run, and the files that it writes.
//!
//! During training these are checkpoints and `history.csv`; at the end all checkpoints but the last are removed, and
//! `head.safetensors` is written last, so that a head always belongs to a completed training run. No file depends on
//! when checkpoints were written, nor on how often training was interrupted and resumed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use data::current;
use data::head::{Dense, FILE_NAME, Head, HeadInfo, TrainingRecord};
use serde_json::json;

use super::checkpoint::{self, Checkpoint, Identity};
use super::config::Config;
use super::dataset::Dataset;
use super::epoch::Diverged;
use super::network::Network;
use super::summary::Summary;
use crate::history::{self, Epoch, Valid};
use crate::init::glorot_uniform;
use crate::loss::Loss;

/// A training run between two epochs.
pub(super) struct Training<'a> {
    pub(super) network: Network,
    config: &'a Config,
    dataset: &'a Dataset,
    identity: Identity,
    history: Vec<Epoch>,
    kept_epoch: usize,
    kept: Vec<Dense>,
    saved: Saved,
}

/// The newest checkpoint on disk.
struct Saved {
    epoch: usize,
    at: Instant,
}

/// Removes the checkpoints in `out`.
pub(super) fn remove_checkpoints(out: &Path) -> anyhow::Result<()> {
    if out.is_dir() { checkpoint::keep_newest(out, 0) } else { Ok(()) }
}

impl<'a> Training<'a> {
    /// Resumes from the newest checkpoint with the same configuration, or starts with initial weights.
    pub(super) fn start_or_resume(
        config: &'a Config,
        dataset: &'a Dataset,
        from_scratch: bool,
    ) -> anyhow::Result<Self> {
        let identity = Identity {
            hyperparameters: config.hyperparameters.clone(),
            features_sha256: dataset.index_sha256.clone(),
        };
        let found = if from_scratch { None } else { checkpoint_of(&identity, config)? };
        let is_new = found.is_none();
        let state = match found {
            Some(checkpoint) => checkpoint,
            None => {
                checkpoint::keep_newest(&config.out, 0)?;
                initial(config, dataset, &identity)
            }
        };
        let epoch = state.epoch();
        if !is_new {
            tracing::info!("resuming after epoch {epoch}");
        }
        let Checkpoint { layers, velocity, kept_epoch, kept, history, .. } = state;
        let network = Network::new(layers, velocity, &config.hyperparameters)?;
        let saved = Saved { epoch, at: Instant::now() };
        let training = Self { network, config, dataset, identity, history, kept_epoch, kept, saved };
        if is_new {
            // Now rather than after hours: a directory that cannot be written must fail at once.
            training.checkpoint()?.write(&config.out)?;
        }
        Ok(training)
    }

    /// The number of epochs that have ended.
    pub(super) fn n_epochs(&self) -> usize {
        self.history.len()
    }

    /// The epoch to train next; `None` at the end of the training.
    pub(super) fn next_epoch(&self) -> Option<usize> {
        (self.n_epochs() < self.config.epochs && !self.has_stopped_early()).then_some(self.n_epochs() + 1)
    }

    /// Whether the valid loss has not fallen below its lowest for `--patience` epochs.
    fn has_stopped_early(&self) -> bool {
        let patience = self.config.hyperparameters.patience;
        let lowest = history::lowest_valid_loss(&self.history);
        patience > 0 && lowest.is_some_and(|epoch| self.n_epochs() - epoch >= patience)
    }

    /// Adds the losses of the epoch that has just ended.
    pub(super) fn record(&mut self, train: &Loss, valid: &Loss) -> anyhow::Result<()> {
        let (n_train, n_valid) = (self.dataset.train.len() as f64, self.dataset.valid.len() as f64);
        self.history.push(Epoch {
            train_loss: train.cross_entropy / n_train,
            train_top1: train.n_top1 as f64 / n_train,
            valid: (n_valid > 0.0).then(|| Valid {
                loss: valid.cross_entropy / n_valid,
                top1: valid.n_top1 as f64 / n_valid,
                top5: valid.n_top5 as f64 / n_valid,
            }),
            learning_rate: self.config.hyperparameters.learning_rate,
        });
        let kept_epoch = history::kept_epoch(&self.history, self.config.hyperparameters.keep);
        if kept_epoch == Some(self.n_epochs()) {
            self.kept = self.network.layers()?;
            self.kept_epoch = self.n_epochs();
        }
        tracing::debug!("{}", self.last_epoch_in_words());
        history::write(&self.history_path(), &self.history)
    }

    /// Losses and accuracies of the last epoch, for the progress bar.
    pub(super) fn last_epoch_in_words(&self) -> String {
        let Some(epoch) = self.history.last() else { return String::new() };
        let train = format!(
            "epoch {}: train loss {:.4}, top-1 {:.1} %",
            self.n_epochs(),
            epoch.train_loss,
            100.0 * epoch.train_top1
        );
        match &epoch.valid {
            None => train,
            Some(valid) => {
                format!("{train}; valid loss {:.4}, top-1 {:.1} %", valid.loss, 100.0 * valid.top1)
            }
        }
    }

    /// Writes a checkpoint if the last one is old enough.
    pub(super) fn save_if_due(&mut self) -> anyhow::Result<()> {
        if self.saved.at.elapsed() < self.config.checkpoint_every { Ok(()) } else { self.save() }
    }

    fn save(&mut self) -> anyhow::Result<()> {
        if self.saved.epoch != self.n_epochs() {
            self.checkpoint()?.write(&self.config.out)?;
            self.saved = Saved { epoch: self.n_epochs(), at: Instant::now() };
        }
        Ok(())
    }

    fn checkpoint(&self) -> anyhow::Result<Checkpoint> {
        Ok(Checkpoint {
            identity: self.identity.clone(),
            layers: self.network.layers()?,
            velocity: self.network.velocity()?,
            kept_epoch: self.kept_epoch,
            kept: self.kept.clone(),
            history: self.history.clone(),
        })
    }

    /// Adds to the error of a diverged training which checkpoint is left and what to try. A head that was written
    /// before stays as it is.
    pub(super) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<Diverged>() {
            Ok(diverged) => anyhow::anyhow!(
                "{diverged}; last good checkpoint: epoch {}; try a lower --learning-rate, or --standardize",
                self.saved.epoch
            ),
            Err(other) => other,
        }
    }

    /// Writes the last files, those that are not there yet.
    pub(super) fn finish(mut self) -> anyhow::Result<Summary> {
        self.save()?;
        checkpoint::keep_newest(&self.config.out, 1)?;
        history::write_if_changed(&self.history_path(), &self.history)?;
        self.write_head()?;
        let valid = self.kept_valid();
        Ok(Summary {
            n_train: self.dataset.train.len(),
            n_valid: self.dataset.valid.len(),
            n_classes: self.dataset.index.classes.len(),
            epochs: self.n_epochs(),
            stopped_early: self.n_epochs() < self.config.epochs,
            kept_epoch: self.kept_epoch,
            keep: self.config.hyperparameters.keep,
            valid_loss: valid.map(|valid| valid.loss),
            valid_top1: valid.map(|valid| valid.top1),
            head: self.head_path().display().to_string(),
        })
    }

    fn write_head(&self) -> anyhow::Result<()> {
        let mut layers = self.kept.clone();
        if let (Some(scaling), Some(first)) = (&self.dataset.scaling, layers.first_mut()) {
            scaling.fold_into(first);
        }
        let index = &self.dataset.index;
        let (recipe, shape) = (index.layout.recipe.clone(), index.layout.shape.clone());
        let info = HeadInfo::new(index.classes.clone(), recipe, shape, Some(self.training_record()));
        let head = Head { layers, info };
        // An equal head that is there already keeps its time stamp.
        if !Head::read(&self.head_path()).is_ok_and(|old| old == head) {
            head.write(&self.head_path())?;
        }
        Ok(())
    }

    fn training_record(&self) -> TrainingRecord {
        let valid = self.kept_valid();
        TrainingRecord {
            hyperparameters: self.config.hyperparameters.clone(),
            epochs: self.config.epochs,
            kept_epoch: self.kept_epoch,
            valid_loss: valid.map(|valid| history::rounded(valid.loss)),
            valid_top1: valid.map(|valid| history::rounded(valid.top1)),
            n_train: self.dataset.train.len(),
            n_valid: self.dataset.valid.len(),
            features_sha256: self.dataset.index_sha256.clone(),
        }
    }

    /// The valid split after the epoch that is kept.
    fn kept_valid(&self) -> Option<Valid> {
        self.history.get(self.kept_epoch.checked_sub(1)?)?.valid
    }

    fn head_path(&self) -> PathBuf {
        self.config.out.join(FILE_NAME)
    }

    fn history_path(&self) -> PathBuf {
        self.config.out.join(history::FILE_NAME)
    }
}

/// The state before the first epoch.
fn initial(config: &Config, dataset: &Dataset, identity: &Identity) -> Checkpoint {
    let h = &config.hyperparameters;
    let layers = glorot_uniform(h.seed, &dataset.layer_sizes(h));
    let zeros = |l: &Dense| Dense { weight: vec![0.0; l.weight.len()], bias: vec![0.0; l.bias.len()], ..*l };
    let velocity = if h.momentum > 0.0 { layers.iter().map(zeros).collect() } else { Vec::new() };
    let (kept_epoch, kept, history) = (0, Vec::new(), Vec::new());
    Checkpoint { identity: identity.clone(), layers, velocity, kept_epoch, kept, history }
}

/// Finds the newest checkpoint, if it has the same configuration and no more epochs than are asked for; otherwise the
/// log says why it is not used.
fn checkpoint_of(identity: &Identity, config: &Config) -> anyhow::Result<Option<Checkpoint>> {
    let found = match Checkpoint::read_newest(&config.out) {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!("{error:#}; starting again from epoch 1");
            return Ok(None);
        }
    };
    let Some(found) = found else { return Ok(None) };
    let mut differences =
        current::differences(&json!(found.identity.hyperparameters), &json!(identity.hyperparameters));
    if found.identity.features_sha256 != identity.features_sha256 {
        differences.push("the features have changed".to_owned());
    }
    if found.epoch() > config.epochs {
        differences.push(format!("it is after epoch {}, --epochs is {}", found.epoch(), config.epochs));
    }
    if differences.is_empty() {
        return Ok(Some(found));
    }
    let file = checkpoint::path(&config.out, found.epoch());
    tracing::info!(
        "{} has another configuration ({}); starting again from epoch 1",
        file.display(),
        differences.join("; ")
    );
    Ok(None)
}
