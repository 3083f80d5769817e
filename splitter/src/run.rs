//! Runs the stage, from arguments to summary.

use data::current::{Job, Place};
use data::stage;

use crate::args::Args;
use crate::config::Config;
use crate::lists::Selection;
use crate::scan::Listing;
use crate::summary::Summary;
use crate::{assign, boxes, changes, duplicates, inspect, lists, output, scan};

/// Splits the pictures as `args` asks and prints the summary.
///
/// # Errors
/// [`stage::Exit::Usage`] for flags that contradict each other, [`stage::Exit::TryAgain`] if another
/// process writes into `--out`; anything else names the file or the class. Nothing is written then.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let place = Place::new(&args.out, output::PROVENANCE, output::STAGE);
    if args.rerun.clean {
        // Works even if the pictures no longer exist.
        return place.clean();
    }
    let config = Config::check(args)?;
    if config.dry_run {
        return split(&config, scan::list(&config.images)?, None);
    }
    let mut listing = None;
    let job = place.start(&config.rerun, &config.common, || {
        let listing = listing.insert(scan::list(&config.images)?);
        output::asked(&config, listing)
    })?;
    let (Some(job), Some(listing)) = (job, listing) else { return Ok(()) };
    split(&config, listing, Some(job))
}

/// Splits the listed pictures. Without a job, writes nothing.
fn split(config: &Config, mut listing: Listing, mut job: Option<Job>) -> anyhow::Result<()> {
    let selection = lists::select(config, &mut listing)?;
    assign::check_class_sizes(&config.rule, &listing)?;
    let _lock = job.as_mut().map(output::claim).transpose()?;

    let Selection { absent, n_unlisted } = selection;
    let n_in = listing.candidates.len() + absent.len();
    let inspection = inspect::inspect(config, &listing, absent)?;
    config.max_bad.check(n_in, &inspection.rejects)?;

    let deduplicated = duplicates::resolve(config, &listing.classes, inspection);
    let splits = assign::assign(&config.rule, &listing.classes, &deduplicated)?;
    let boxes = config.annotations.as_deref();
    let boxes = boxes.map(|dir| boxes::find(dir, &listing.classes, &deduplicated.pictures)).transpose()?;
    let rows = output::rows(config, &listing.classes, &deduplicated.pictures, &splits, boxes.as_deref());

    let changes = changes::since_last_time(&config.out, &rows);
    let summary = Summary::new(config, n_in, n_unlisted, listing.ignored, &deduplicated, &rows, changes);
    summary.check_counts()?;
    if let Some(job) = job.take() {
        output::write(config, &rows, &deduplicated.rejects, job)?;
    }
    stage::print_summary(&config.common, &summary)
}
