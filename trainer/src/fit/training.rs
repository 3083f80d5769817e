//! The state of a training run, and the files that it writes.
//!
//! During training these are checkpoints and `history.csv`; at the end all checkpoints but the last are removed, and
//! `head.safetensors` is written last, so that a head always belongs to a completed training run. No file depends on
//! when checkpoints were written, nor on how often training was interrupted and resumed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use data::current;
use data::head::{Dense, FILE_NAME, Head, HeadInfo, Keep, TrainingRecord};
use serde_json::json;

use super::checkpoint::{self, Checkpoint, Identity};
use super::config::Config;
use super::dataset::Dataset;
use super::epoch::{Diverged, validate};
use super::network::Network;
use super::start::{OnValid, Start};
use super::summary::Summary;
use crate::history::{self, Epoch, Valid};
use crate::init::random::glorot_uniform;
use crate::loss::Loss;

/// A training run between two epochs.
pub(super) struct Training<'a> {
    pub(super) network: Network,
    config: &'a Config,
    dataset: &'a Dataset,
    identity: Identity,
    history: Vec<Epoch>,
    /// 0 for the start.
    kept_epoch: usize,
    /// The weights of the epoch that is kept; no layers for the start.
    kept: Vec<Dense>,
    /// `None` for random initial weights.
    start: Option<Start>,
    /// The start on valid; `None` without valid pictures too.
    start_on_valid: Option<OnValid>,
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
    /// Resumes from the newest checkpoint with the same configuration, or starts with initial weights: those of `start`,
    /// or random ones.
    pub(super) fn start_or_resume(
        config: &'a Config,
        dataset: &'a Dataset,
        start: Option<Start>,
        from_scratch: bool,
    ) -> anyhow::Result<Self> {
        let identity = Identity {
            hyperparameters: config.hyperparameters.clone(),
            features_sha256: dataset.index_sha256.clone(),
            classifier_sha256: start.as_ref().map(|start| start.classifier_sha256.clone()),
        };
        let found = if from_scratch { None } else { checkpoint_of(&identity, config)? };
        let is_new = found.is_none();
        let state = match found {
            Some(checkpoint) => checkpoint,
            None => {
                checkpoint::keep_newest(&config.out, 0)?;
                initial(config, dataset, start.as_ref(), &identity)
            }
        };
        let epoch = state.epoch();
        if !is_new {
            tracing::info!("resuming after epoch {epoch}");
        }
        let Checkpoint { layers, velocity, kept_epoch, kept, history, .. } = state;
        let mut network = Network::new(layers, velocity, &config.hyperparameters)?;
        if let Some(start) = start.as_ref().filter(|_| config.hyperparameters.start_penalty > 0.0) {
            let is_free = |layer, row| start.is_free(layer, row);
            network.set_penalty(&start.layers, &config.hyperparameters, dataset.train.len(), is_free)?;
        }
        let start_on_valid =
            start.as_ref().map(|start| on_valid(start, config, dataset)).transpose()?.flatten();
        let saved = Saved { epoch, at: Instant::now() };
        let training = Self {
            network,
            config,
            dataset,
            identity,
            history,
            kept_epoch,
            kept,
            start,
            start_on_valid,
            saved,
        };
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
        let has_ended =
            self.n_epochs() >= self.config.epochs || self.has_stopped_early() || self.keeps_start();
        (!has_ended).then_some(self.n_epochs() + 1)
    }

    /// The units of a hidden layer that are never dropped.
    pub(super) fn n_carrying(&self) -> usize {
        self.start.as_ref().map_or(0, Start::n_carrying)
    }

    /// Whether the start is kept whatever training does, because there are no valid pictures to show that it helps.
    fn keeps_start(&self) -> bool {
        let keeps_best = self.config.hyperparameters.keep == Keep::Best;
        self.start.is_some() && keeps_best && self.dataset.valid.is_empty()
    }

    /// Whether the valid loss has not fallen below its lowest, that of the start included, for `--patience` epochs.
    fn has_stopped_early(&self) -> bool {
        let patience = self.config.hyperparameters.patience;
        let Some(lowest) = history::lowest_valid_loss(&self.history) else { return false };
        let loss_of = |epoch: usize| self.history[epoch - 1].valid.map(|valid| valid.loss);
        let start = self.start_on_valid.as_ref().map(|start| start.metrics.loss);
        let is_start = start.is_some_and(|start| loss_of(lowest).is_some_and(|loss| start <= loss));
        patience > 0 && self.n_epochs() - if is_start { 0 } else { lowest } >= patience
    }

    /// Adds the losses of the epoch that has just ended.
    pub(super) fn record(&mut self, train: &Loss, valid: (Loss, Vec<bool>)) -> anyhow::Result<()> {
        let n_train = self.dataset.train.len() as f64;
        let valid = OnValid::new(valid);
        self.history.push(Epoch {
            train_loss: train.cross_entropy / n_train,
            train_top1: train.n_top1 as f64 / n_train,
            valid: valid.as_ref().map(|valid| valid.metrics),
            learning_rate: self.config.hyperparameters.learning_rate,
        });
        let kept_epoch = history::kept_epoch(&self.history, self.config.hyperparameters.keep);
        if kept_epoch == Some(self.n_epochs()) && self.may_replace_start(valid.as_ref()) {
            self.kept = self.network.layers()?;
            self.kept_epoch = self.n_epochs();
        }
        tracing::debug!("{}", self.last_epoch_in_words());
        history::write(&self.history_path(), &self.history)
    }

    /// Whether an epoch that gave `epoch` on valid may be kept instead of the start.
    fn may_replace_start(&self, epoch: Option<&OnValid>) -> bool {
        match (&self.start, &self.start_on_valid, epoch) {
            _ if self.config.hyperparameters.keep == Keep::Last => true,
            (Some(start), Some(before), Some(epoch)) => start.is_worse(before, epoch),
            _ => true,
        }
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
            stopped_early: self.n_epochs() < self.config.epochs && !self.keeps_start(),
            kept_epoch: self.kept_epoch,
            keep: self.config.hyperparameters.keep,
            valid_loss: valid.map(|valid| valid.loss),
            valid_top1: valid.map(|valid| valid.top1),
            start_valid_top1: self.start_on_valid.as_ref().map(|start| start.metrics.top1),
            head: self.head_path().display().to_string(),
        })
    }

    fn write_head(&self) -> anyhow::Result<()> {
        let mut layers = match &self.start {
            Some(start) if self.kept_epoch == 0 => start.layers.clone(),
            _ => self.kept.clone(),
        };
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
            start: self
                .start
                .as_ref()
                .map(|start| start.record(&self.dataset.index.classes, self.start_on_valid.as_ref())),
            valid_loss: valid.map(|valid| history::rounded(valid.loss)),
            valid_top1: valid.map(|valid| history::rounded(valid.top1)),
            n_train: self.dataset.train.len(),
            n_valid: self.dataset.valid.len(),
            features_sha256: self.dataset.index_sha256.clone(),
        }
    }

    /// The valid split after the epoch that is kept, or at the start.
    fn kept_valid(&self) -> Option<Valid> {
        match self.kept_epoch.checked_sub(1) {
            Some(i) => self.history.get(i)?.valid,
            None => self.start_on_valid.as_ref().map(|start| start.metrics),
        }
    }

    fn head_path(&self) -> PathBuf {
        self.config.out.join(FILE_NAME)
    }

    fn history_path(&self) -> PathBuf {
        self.config.out.join(history::FILE_NAME)
    }
}

/// The state before the first epoch.
fn initial(config: &Config, dataset: &Dataset, start: Option<&Start>, identity: &Identity) -> Checkpoint {
    let h = &config.hyperparameters;
    let random = || glorot_uniform(h.seed, &dataset.layer_sizes(h));
    let layers = start.map_or_else(random, |start| start.layers.clone());
    let zeros = |l: &Dense| Dense { weight: vec![0.0; l.weight.len()], bias: vec![0.0; l.bias.len()], ..*l };
    let velocity = if h.momentum > 0.0 { layers.iter().map(zeros).collect() } else { Vec::new() };
    let (kept_epoch, kept, history) = (0, Vec::new(), Vec::new());
    Checkpoint { identity: identity.clone(), layers, velocity, kept_epoch, kept, history }
}

/// Evaluates the start on valid; `None` without valid pictures.
fn on_valid(start: &Start, config: &Config, dataset: &Dataset) -> anyhow::Result<Option<OnValid>> {
    let network = Network::new(start.layers.clone(), Vec::new(), &config.hyperparameters)?;
    Ok(OnValid::new(validate(&network, config, dataset, 0)?))
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
    if found.identity.classifier_sha256 != identity.classifier_sha256 {
        differences.push("the classifier has changed".to_owned());
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
