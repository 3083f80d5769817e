//! `trainer fit`, from the configuration to the summary.

use data::current::Place;
use data::head;
use data::stage;

use super::config::Config;
use super::dataset::Dataset;
use super::epoch::{train_epoch, validate};
use super::memory;
use super::start::Start;
use super::summary::Summary;
use super::training::{Training, remove_checkpoints};
use crate::history;

/// The files that are left at the end, in addition to the last checkpoint.
const OUTPUTS: [&str; 2] = [history::FILE_NAME, head::FILE_NAME];

/// Trains a head, resuming from the newest checkpoint with the same configuration; `None` if the head is up to date,
/// or only `--check` or `--clean` was asked for.
///
/// # Errors
/// If the features cannot be trained on, the loss is not a finite number, or a file cannot be written.
pub fn run(config: &Config) -> anyhow::Result<Option<Summary>> {
    let place =
        Place::new(&config.out, "provenance-fit.json", "trainer fit").with_unlisted(remove_checkpoints);
    let Some(mut job) = place.start(&config.rerun, &config.common, || config.inputs())? else {
        return Ok(None);
    };
    job.refuse_foreign(&OUTPUTS)?;
    let _locks = job.lock()?;
    let dataset = Dataset::open(config)?;
    memory::check(&dataset.layer_sizes(&config.hyperparameters), &config.hyperparameters)?;
    let start = Start::of(config, &dataset)?;
    job.declare(OUTPUTS.map(str::to_owned))?;
    let mut training = Training::start_or_resume(config, &dataset, start, job.from_scratch())?;
    let n_train = dataset.train.len();
    let bar =
        stage::progress(&config.common, (config.epochs as u64).saturating_mul(n_train as u64), "samples");
    bar.set_position((training.n_epochs() * n_train) as u64);
    let n_carrying = training.n_carrying();
    while let Some(epoch) = training.next_epoch() {
        let train = train_epoch(&mut training.network, config, &dataset, epoch, n_carrying, &bar);
        let losses =
            train.and_then(|train| Ok((train, validate(&training.network, config, &dataset, epoch)?)));
        let (train, valid) = losses.map_err(|error| training.explain(error))?;
        training.record(&train, valid)?;
        bar.set_message(training.last_epoch_in_words());
        training.save_if_due()?;
    }
    bar.finish_and_clear();
    let summary = training.finish()?;
    job.finish(OUTPUTS.map(str::to_owned))?;
    Ok(Some(summary))
}
