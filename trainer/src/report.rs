//! `trainer report`: `report.html`, one page that needs nothing beside itself.
//!
//! It reads what `fit` and `evaluate` wrote, never features, and refuses files that do not belong
//! together. Pictures are put in small, as data URIs.

mod baseline;
mod calibration;
mod confusion;
mod curves;
mod examples;
pub(crate) mod flaws;
pub(crate) mod material;
pub(crate) mod page;
mod pictures;
mod rejected;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

use data::commit;
use data::current::{Place, RerunArgs};
use data::stage::CommonArgs;
use serde::Serialize;

use examples::Examples;
use material::Material;
use pictures::Pictures;

/// Name of the report in a model directory.
pub const FILE_NAME: &str = "report.html";

/// Flags of `trainer report`.
#[derive(Debug, Clone, clap::Args)]
pub struct ReportArgs {
    /// Directory with the features (index.json)
    #[arg(long)]
    pub features: PathBuf,
    /// Directory with what fit and evaluate wrote; report.html is written there
    #[arg(long)]
    pub model: PathBuf,
    /// The manifest that the features were made from
    #[arg(long)]
    pub manifest: PathBuf,
    /// Directory of the splitter, for what it rejected and how it split
    #[arg(long)]
    pub split_dir: Option<PathBuf>,
    /// What to do about a report that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}

/// Writes the report; `None` if it is current, or only that was asked.
///
/// # Errors
/// If a file is missing or damaged, the files do not belong together, or the report cannot be written. A
/// picture that cannot be read is no error: the report says so in its place.
pub fn report(args: &ReportArgs, common: &CommonArgs) -> anyhow::Result<Option<Summary>> {
    let place = Place::new(&args.model, "provenance-report.json", "trainer report");
    let Some(mut job) = place.start(&args.rerun, common, || material::asked(args))? else {
        return Ok(None);
    };
    let _lock = commit::lock(&args.model, "trainer")?;
    job.declare([FILE_NAME.to_owned()])?;
    let material = Material::gather(args)?;
    let examples = Examples::choose(&material);
    let pictures = Pictures::load(&material.manifest, &examples.paths());
    let page = page::render(&material, &examples, &pictures);
    let path = args.model.join(FILE_NAME);
    commit::write_bytes(&path, page.as_bytes())?;
    job.finish([FILE_NAME.to_owned()])?;
    Ok(Some(Summary {
        report: path.display().to_string(),
        pictures: pictures.n_read(),
        unreadable: pictures.n_unreadable(),
    }))
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The report.
    pub report: String,
    /// Pictures shown in it.
    pub pictures: usize,
    /// Pictures that could not be read.
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
