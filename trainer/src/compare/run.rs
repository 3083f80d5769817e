//! `trainer compare`, from the configuration to the summary.

use data::commit;
use data::current::Place;

use super::config::Config;
use super::differences::differences;
use super::finished_run::FinishedRun;
use super::page;
use super::summary::{RunSummary, Summary};
use super::verdict::Verdict;

/// Compares finished runs; `None` if the page is up to date, or only `--check` or `--clean` was asked for.
///
/// # Errors
/// If a run is incomplete (names the file and what to run) or was not evaluated on test, or the page cannot be written.
pub fn run(config: &Config) -> anyhow::Result<Option<Summary>> {
    let record = format!(".{}.json", config.out_name);
    let place = Place::new(&config.out_dir, &record, "trainer compare").without_subdirectories();
    let Some(mut job) = place.start(&config.rerun, &config.common, || config.inputs())? else {
        return Ok(None);
    };
    let _locks = job.lock()?;
    let runs = config.runs.iter().map(FinishedRun::read).collect::<anyhow::Result<Vec<_>>>()?;
    let others = runs.iter().skip(1);
    let summary = Summary {
        runs: runs.iter().map(RunSummary::new).collect(),
        verdicts: runs.first().map_or(Vec::new(), |first| others.map(|o| Verdict::new(first, o)).collect()),
        differences: differences(&runs),
        out: config.out.display().to_string(),
    };
    job.declare([config.out_name.clone()])?;
    commit::write_bytes(&config.out, page::render(&summary, &runs).as_bytes())?;
    job.finish([config.out_name.clone()])?;
    Ok(Some(summary))
}
