//! `trainer fit`: from features to `head.safetensors` and `history.csv`.
//!
//! Epochs count from 1. After each one the valid split is looked at; the epoch with the highest valid
//! top-1 gives the head (of equals the one with the lower valid loss, then the earlier), or with `--keep
//! last` the last one, for which there need be no valid pictures. The test split is not opened here.

mod config;
mod run;
mod splits;
#[cfg(test)]
mod tests;

use std::fmt;

use data::commit;
use data::current::Place;
use data::head::{self, Dense};
use data::stage::{self, CommonArgs};
use indicatif::ProgressBar;
use serde::Serialize;

use crate::batches::{self, Rows};
use crate::history;
use crate::loss::{Loss, Objective};
use crate::mlp::Mlp;
pub use config::{ClassWeights, Config, FitArgs, Hidden, Keep, Optimizer, Parameters};
use run::Run;
use splits::Splits;

/// What a run leaves, beside its last checkpoint.
const OUTPUTS: [&str; 2] = [history::FILE_NAME, head::FILE_NAME];

/// The weights ran away: there is nothing to go on from.
#[derive(Debug, thiserror::Error)]
#[error("loss is {loss} at epoch {epoch} {place}")]
struct Diverged {
    loss: f64,
    epoch: usize,
    /// `step 3`, or `on valid`.
    place: String,
}

/// Trains a head, going on from the newest checkpoint of the same run where there is one; `None` if the head is
/// current, or only that was asked.
///
/// # Errors
/// If the features are not fit to train on, the loss stops being a finite number, or a file cannot be written.
pub fn fit(config: &Config, common: &CommonArgs) -> anyhow::Result<Option<Summary>> {
    let place = Place::new(&config.out, "provenance-fit.json", "trainer fit");
    let job = place.start(&config.rerun, common, || config.asked())?;
    if config.rerun.clean {
        Run::remove_unfinished(&config.out)?;
    }
    let Some(mut job) = job else { return Ok(None) };
    let _lock = commit::lock(&config.out, "trainer")?;
    let splits = Splits::open(config)?;
    job.declare(OUTPUTS.map(str::to_owned))?;
    let mut run = Run::start_or_resume(config, &splits, job.from_scratch())?;
    let objective = splits.objective(&config.parameters);
    let bar = stage::progress(common, (config.epochs * splits.train.len()) as u64, "samples");
    bar.set_position((run.epoch() * splits.train.len()) as u64);
    while let Some(epoch) = run.next_epoch() {
        let measured = train_epoch(&mut run.mlp, config, &splits, &objective, epoch, &bar)
            .and_then(|train| Ok((train, validate(&run.mlp, config, &splits, epoch)?)));
        let (train, valid) = measured.map_err(|error| run.explain(error))?;
        run.record(&train, &valid)?;
        bar.set_message(run.last_epoch_in_words());
        run.save_if_due()?;
    }
    bar.finish_and_clear();
    let summary = run.finish()?;
    job.finish(OUTPUTS.map(str::to_owned))?;
    Ok(Some(summary))
}

fn train_epoch(
    mlp: &mut Mlp,
    config: &Config,
    splits: &Splits,
    objective: &Objective,
    epoch: usize,
    bar: &ProgressBar,
) -> anyhow::Result<Loss> {
    let p = &config.parameters;
    let rows = Rows { split: &splits.train, scaling: splits.scaling.as_ref() };
    let mut total = Loss::default();
    let order = batches::order(p.seed, epoch, splits.train.len());
    for (step, indices) in (1..).zip(order.chunks(p.batch_size)) {
        stage::check_interrupted()?;
        let n_factors = indices.len() * mlp.dropout_width();
        let mask = (p.dropout > 0.0 && n_factors > 0)
            .then(|| batches::dropout_mask(p.seed, epoch, step, p.dropout, n_factors));
        let loss = mlp.step(&rows.batch(indices)?, mask, objective, &p.sgd())?;
        ensure_finite(&loss, epoch, format!("step {step}"))?;
        total += loss;
        bar.inc(indices.len() as u64);
    }
    // Weights that the last step broke show in the loss of valid, where there is one.
    if splits.valid.is_empty() && !mlp.layers()?.iter().all(Dense::is_finite) {
        return Err(Diverged { loss: f64::NAN, epoch, place: "after its last step".to_owned() }.into());
    }
    Ok(total)
}

fn validate(mlp: &Mlp, config: &Config, splits: &Splits, epoch: usize) -> anyhow::Result<Loss> {
    let rows = Rows { split: &splits.valid, scaling: splits.scaling.as_ref() };
    let mut total = Loss::default();
    let order: Vec<usize> = (0..splits.valid.len()).collect();
    for indices in order.chunks(config.parameters.batch_size) {
        stage::check_interrupted()?;
        let batch = rows.batch(indices)?;
        total.add(&mlp.logits(&batch.features)?, &batch.labels);
    }
    ensure_finite(&total, epoch, "on valid".to_owned())?;
    Ok(total)
}

fn ensure_finite(loss: &Loss, epoch: usize, place: String) -> Result<(), Diverged> {
    let loss = loss.cross_entropy;
    if loss.is_finite() { Ok(()) } else { Err(Diverged { loss, epoch, place }) }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Pictures trained on, augmented copies among them.
    pub n_train: usize,
    /// Pictures of the valid split.
    pub n_valid: usize,
    /// Classes.
    pub n_classes: usize,
    /// Epochs that were trained, in all sittings together.
    pub epochs: usize,
    /// Whether the run ended before its last epoch because the valid loss had stopped falling.
    pub stopped_early: bool,
    /// The epoch that gave the head.
    pub best_epoch: usize,
    /// Why that one.
    pub keep: Keep,
    /// Its loss on valid; `None` without valid pictures.
    pub valid_loss: Option<f64>,
    /// Its top-1 on valid, 0 to 1.
    pub valid_top1: Option<f64>,
    /// The head.
    pub head: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let early = if self.stopped_early { " (stopped early: the valid loss no longer falls)" } else { "" };
        let epochs = if self.epochs == 1 { "epoch" } else { "epochs" };
        writeln!(
            f,
            "trained on {} pictures of {} classes for {} {epochs}{early}",
            self.n_train, self.n_classes, self.epochs
        )?;
        let which = match self.keep {
            Keep::Best => "best",
            Keep::Last => "last",
        };
        write!(f, "{which} epoch {}: ", self.best_epoch)?;
        match (self.valid_loss, self.valid_top1) {
            (Some(loss), Some(top1)) => writeln!(
                f,
                "top-1 {:.1} % and loss {loss:.4} on {} valid pictures",
                100.0 * top1,
                self.n_valid
            )?,
            _ => writeln!(f, "there are no valid pictures to judge it by")?,
        }
        write!(f, "wrote {}", self.head)
    }
}
