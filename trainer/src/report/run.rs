//! `trainer report`, from the configuration to the summary.

use std::fmt;

use data::commit;
use data::current::Place;
use serde::Serialize;

use super::config::Config;
use super::examples::Examples;
use super::page;
use super::pictures::Pictures;
use super::results::Results;

/// Name of the report in a model directory.
pub const FILE_NAME: &str = "report.html";

/// Writes the report; `None` if it is up to date, or only `--check` or `--clean` was asked for.
///
/// # Errors
/// If a file is missing or damaged, the files do not belong together, or the report cannot be written. A picture that
/// cannot be read is no error: the report says so in its place.
pub fn run(config: &Config) -> anyhow::Result<Option<Summary>> {
    let model = &config.sources.model;
    let place = Place::new(model, "provenance-report.json", "trainer report");
    let Some(mut job) = place.start(&config.rerun, &config.common, || config.sources.inputs())? else {
        return Ok(None);
    };
    let _locks = job.lock()?;
    let results = Results::read(&config.sources)?;
    let examples = Examples::choose(&results);
    let pictures = Pictures::load(&results.manifest, &examples.paths());
    let page = page::render(&results, &examples, &pictures);
    job.declare([FILE_NAME.to_owned()])?;
    let path = model.join(FILE_NAME);
    commit::write_bytes(&path, page.as_bytes())?;
    job.finish([FILE_NAME.to_owned()])?;
    Ok(Some(Summary {
        report: path.display().to_string(),
        pictures: pictures.n_read(),
        unreadable: pictures.n_unreadable(),
    }))
}

/// The result of `trainer report`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Path of the report.
    pub report: String,
    /// Number of pictures shown.
    pub pictures: usize,
    /// Number of pictures that could not be read.
    pub unreadable: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wrote {} with {} pictures", self.report, self.pictures)?;
        if self.unreadable > 0 {
            write!(f, " ({} could not be read)", self.unreadable)?;
        }
        Ok(())
    }
}
