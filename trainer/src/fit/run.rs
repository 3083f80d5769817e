//! The state of a run, and its files.
//!
//! While it goes on it writes checkpoints and `history.csv`; at its end the last checkpoint alone stays, and
//! `head.safetensors` is written last, so that a head is always that of a run that ended. None of the three
//! depends on when checkpoints were written, nor on how often the run was killed and resumed.

use std::path::{Path, PathBuf};
use std::time::Instant;

use data::checkpoint::{self, Checkpoint, EpochFigures};
use data::current;
use data::head::{Dense, FILE_NAME, Head, HeadInfo};
use serde_json::{Map, Value, json};

use super::Summary;
use super::config::{Config, Parameters};
use super::splits::Splits;
use crate::history;
use crate::init::glorot_uniform;
use crate::loss::Loss;
use crate::mlp::Mlp;

/// A run between two epochs.
pub(super) struct Run<'a> {
    pub(super) mlp: Mlp,
    config: &'a Config,
    splits: &'a Splits,
    identity: Map<String, Value>,
    history: Vec<EpochFigures>,
    best_epoch: usize,
    best: Vec<Dense>,
    saved: Saved,
}

/// What of a run is on disk.
struct Saved {
    /// The newest checkpoint's epoch.
    epoch: usize,
    at: Instant,
}

impl<'a> Run<'a> {
    /// Goes on from the newest checkpoint of this run, or starts.
    pub(super) fn start_or_resume(
        config: &'a Config,
        splits: &'a Splits,
        from_scratch: bool,
    ) -> anyhow::Result<Self> {
        let identity = identity(&config.parameters, splits)?;
        let found = if from_scratch { None } else { checkpoint_of(&identity, config)? };
        let is_new = found.is_none();
        let state = match found {
            Some(checkpoint) => checkpoint,
            None => {
                checkpoint::keep_newest(&config.out, 0)?;
                start(config, splits, &identity)
            }
        };
        let epoch = state.epoch();
        if !is_new {
            tracing::info!("going on after epoch {epoch}");
        }
        let Checkpoint { layers, velocity, best_epoch, best, history, .. } = state;
        let saved = Saved { epoch, at: Instant::now() };
        let mlp = Mlp::new(layers, velocity)?;
        let run = Self { mlp, config, splits, identity, history, best_epoch, best, saved };
        if is_new {
            // Now rather than after hours: a directory that can not be written must fail at once.
            run.checkpoint()?.write(&config.out)?;
        }
        Ok(run)
    }

    /// Removes the checkpoints in `out`.
    pub(super) fn remove_unfinished(out: &Path) -> anyhow::Result<()> {
        if out.is_dir() { checkpoint::keep_newest(out, 0) } else { Ok(()) }
    }

    /// Epochs that have ended.
    pub(super) fn epoch(&self) -> usize {
        self.history.len()
    }

    /// The epoch to train next; `None` at the end of the run.
    pub(super) fn next_epoch(&self) -> Option<usize> {
        (self.epoch() < self.config.epochs && !self.has_stopped_early()).then_some(self.epoch() + 1)
    }

    /// Whether the valid loss has not fallen below its lowest for `--patience` epochs.
    fn has_stopped_early(&self) -> bool {
        let patience = self.config.parameters.patience;
        let lowest = history::lowest_valid_loss(&self.history);
        patience > 0 && lowest.is_some_and(|epoch| self.epoch() - epoch >= patience)
    }

    /// Takes in the figures of the epoch that has just ended.
    pub(super) fn record(&mut self, train: &Loss, valid: &Loss) -> anyhow::Result<()> {
        // Without valid pictures their figures are 0 / 0: NaN in the checkpoint, empty cells in history.csv.
        let (n_train, n_valid) = (self.splits.train.len() as f64, self.splits.valid.len() as f64);
        self.history.push([
            train.cross_entropy / n_train,
            train.n_top1 as f64 / n_train,
            valid.cross_entropy / n_valid,
            valid.n_top1 as f64 / n_valid,
            valid.n_top5 as f64 / n_valid,
            self.config.parameters.learning_rate,
        ]);
        if history::kept_epoch(&self.history, self.config.parameters.keep) == Some(self.epoch()) {
            self.best = self.mlp.layers()?;
            self.best_epoch = self.epoch();
        }
        tracing::debug!("{}", self.last_epoch_in_words());
        history::write(&self.config.out.join(history::FILE_NAME), &self.history)
    }

    /// Figures of the last epoch, for the progress bar.
    pub(super) fn last_epoch_in_words(&self) -> String {
        let Some([train_loss, train_top1, valid_loss, valid_top1, ..]) = self.history.last() else {
            return String::new();
        };
        let train =
            format!("epoch {}: train loss {train_loss:.4}, top-1 {:.1} %", self.epoch(), 100.0 * train_top1);
        if self.splits.valid.is_empty() {
            return train;
        }
        format!("{train}; valid loss {valid_loss:.4}, top-1 {:.1} %", 100.0 * valid_top1)
    }

    /// Writes a checkpoint if the last one is old enough.
    pub(super) fn save_if_due(&mut self) -> anyhow::Result<()> {
        if self.saved.at.elapsed() < self.config.checkpoint_every { Ok(()) } else { self.save() }
    }

    fn save(&mut self) -> anyhow::Result<()> {
        if self.saved.epoch != self.epoch() {
            self.checkpoint()?.write(&self.config.out)?;
            self.saved = Saved { epoch: self.epoch(), at: Instant::now() };
        }
        Ok(())
    }

    /// Says of a run that can not go on what is left of it: its checkpoints, and the head of the run before.
    pub(super) fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        match error.downcast::<super::Diverged>() {
            Ok(diverged) => anyhow::anyhow!(
                "{diverged}; last good checkpoint: epoch {}; try a lower --learning-rate, or --standardize",
                self.saved.epoch
            ),
            Err(other) => other,
        }
    }

    /// Writes the last files of the run, those that are not yet there.
    pub(super) fn finish(mut self) -> anyhow::Result<Summary> {
        self.save()?;
        checkpoint::keep_newest(&self.config.out, 1)?;
        history::write_if_changed(&self.config.out.join(history::FILE_NAME), &self.history)?;
        self.write_head()?;
        let [_, _, valid_loss, valid_top1, ..] = self.history[self.best_epoch - 1];
        let n_valid = self.splits.valid.len();
        Ok(Summary {
            n_train: self.splits.train.len(),
            n_valid,
            n_classes: self.splits.index.classes.len(),
            epochs: self.epoch(),
            stopped_early: self.epoch() < self.config.epochs,
            best_epoch: self.best_epoch,
            keep: self.config.parameters.keep,
            valid_loss: (n_valid > 0).then_some(valid_loss),
            valid_top1: (n_valid > 0).then_some(valid_top1),
            head: self.head_path().display().to_string(),
        })
    }

    fn checkpoint(&self) -> anyhow::Result<Checkpoint> {
        Ok(Checkpoint {
            run: self.identity.clone(),
            layers: self.mlp.layers()?,
            velocity: self.mlp.velocity()?,
            best_epoch: self.best_epoch,
            best: self.best.clone(),
            history: self.history.clone(),
        })
    }

    fn head_path(&self) -> PathBuf {
        self.config.out.join(FILE_NAME)
    }

    fn write_head(&self) -> anyhow::Result<()> {
        let mut layers = self.best.clone();
        if let (Some(scaling), Some(first)) = (&self.splits.scaling, layers.first_mut()) {
            scaling.fold_into(first);
        }
        let layout = &self.splits.index.layout;
        let info = HeadInfo::new(
            self.splits.index.classes.clone(),
            layout.recipe.clone(),
            layout.shape.clone(),
            self.training()?,
        );
        let head = Head { layers, info };
        // A run that has already ended leaves its head as it is, to the time stamp.
        if !Head::read(&self.head_path()).is_ok_and(|old| old == head) {
            head.write(&self.head_path())?;
        }
        Ok(())
    }

    /// What the head says about its training.
    fn training(&self) -> anyhow::Result<Value> {
        let mut training = self.config.parameters.by_flag()?;
        let [_, _, valid_loss, valid_top1, ..] = self.history[self.best_epoch - 1];
        training.insert("epochs".to_owned(), json!(self.config.epochs));
        training.insert("best_epoch".to_owned(), json!(self.best_epoch));
        training.insert("valid_loss".to_owned(), json!(history::cell(valid_loss)));
        training.insert("valid_top1".to_owned(), json!(history::cell(valid_top1)));
        training.insert("n_train".to_owned(), json!(self.splits.train.len()));
        training.insert("n_valid".to_owned(), json!(self.splits.valid.len()));
        training.insert("features_sha256".to_owned(), json!(self.splits.index_sha256));
        Ok(Value::Object(training))
    }
}

fn start(config: &Config, splits: &Splits, identity: &Map<String, Value>) -> Checkpoint {
    let p = &config.parameters;
    let mut sizes = vec![splits.train.n_features()];
    sizes.extend(&p.hidden.0);
    sizes.push(splits.index.classes.len());
    let layers = glorot_uniform(p.seed, &sizes);
    let at_rest =
        |l: &Dense| Dense { weight: vec![0.0; l.weight.len()], bias: vec![0.0; l.bias.len()], ..*l };
    let velocity = if p.momentum > 0.0 { layers.iter().map(at_rest).collect() } else { Vec::new() };
    let (best_epoch, best, history) = (0, Vec::new(), Vec::new());
    Checkpoint { run: identity.clone(), layers, velocity, best_epoch, best, history }
}

/// What tells this run from another: the parameters, and the features through their index.
fn identity(parameters: &Parameters, splits: &Splits) -> anyhow::Result<Map<String, Value>> {
    let mut identity = parameters.by_flag()?;
    identity.insert("features".to_owned(), json!(splits.index_sha256));
    Ok(identity)
}

/// The newest checkpoint, if it is one of this run. One of another run, or of more epochs than are asked for, is
/// of no use; the log says so.
fn checkpoint_of(run: &Map<String, Value>, config: &Config) -> anyhow::Result<Option<Checkpoint>> {
    let found = match Checkpoint::read_newest(&config.out) {
        Ok(found) => found,
        Err(error) => {
            tracing::warn!("{error:#}; starting afresh");
            return Ok(None);
        }
    };
    let Some(found) = found else { return Ok(None) };
    let mut differences = current::differences(&json!(found.run), &json!(run));
    if found.epoch() > config.epochs {
        differences.push(format!(
            "it has {} epochs behind it, {} are asked for",
            found.epoch(),
            config.epochs
        ));
    }
    if differences.is_empty() {
        return Ok(Some(found));
    }
    let file = checkpoint::path(&config.out, found.epoch());
    tracing::info!("{} is of another run ({}); starting afresh", file.display(), differences.join("; "));
    Ok(None)
}
