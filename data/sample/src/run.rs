//! Runs the program, from arguments to summary.

use std::fmt;
use std::path::Path;

use data::current::{Inputs, Place};
use data::stage;
use serde::Serialize;

use crate::args::Args;
use crate::classes::{classes, picture_names, write_pictures};
use crate::config::Config;
use crate::output::Output;
use crate::people;

/// Name of the provenance, which is written last.
const PROVENANCE: &str = ".sample.json";

/// Paints the pictures and profiles that are not current.
///
/// # Errors
/// Names the argument outside its range, or the file that cannot be written.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::new(args)?;
    let pictures = paint_into(&config, args, &config.out, "sample", |config, output, done| {
        write_pictures(config, output, done)
    });
    // Both are checked, even if the first is not current.
    let stale = |error: &anyhow::Error| matches!(error.downcast_ref(), Some(stage::Exit::Stale));
    let profiles = match (&config.profiles, &pictures) {
        (None, _) => Ok(None),
        (Some(_), Err(error)) if !stale(error) => Ok(None),
        (Some(dir), _) => paint_into(&config, args, dir, "sample profiles", |config, output, _| {
            people::write(config, output)
        }),
    };
    let (pictures, photos) = (pictures?, profiles?);
    if pictures.is_none() && photos.is_none() {
        return Ok(());
    }
    let summary = Summary {
        classes: classes().len(),
        pictures: pictures.unwrap_or(0),
        profiles: photos.map_or(0, |_| people::COUNT),
        photos: photos.unwrap_or(0),
    };
    stage::print_summary(&args.common, &summary)
}

/// Calls `paint` to fill the folder `dir`, unless it is current. Returns the number of pictures.
fn paint_into(
    config: &Config,
    args: &Args,
    dir: &Path,
    what: &'static str,
    paint: impl FnOnce(&Config, &Output<'_>, &(dyn Fn() + Sync)) -> anyhow::Result<usize>,
) -> anyhow::Result<Option<usize>> {
    let place = Place::new(dir, PROVENANCE, what);
    let Some(mut job) = place.start(&args.rerun, &args.common, || Inputs::new(&config.parameters()))? else {
        return Ok(None);
    };
    let _locks = job.lock()?;
    let names = if what == "sample" { picture_names(config) } else { people::names() };
    let mut ours = Vec::new();
    for name in names {
        if job.owns(&name)? {
            ours.push(name);
        }
    }
    job.declare(ours)?;
    let output = Output::new(dir, &job);
    let bar = stage::progress(&args.common, (classes().len() * config.per_class) as u64, "pictures");
    let n = paint(config, &output, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let made = output.finish()?;
    job.finish(made)?;
    Ok(Some(n))
}

/// The counts of a run.
#[derive(Debug, Serialize)]
struct Summary {
    classes: usize,
    pictures: usize,
    profiles: usize,
    photos: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classes, pictures, profiles, photos } = self;
        write!(
            f,
            "painted {pictures} pictures in {classes} classes, {profiles} profiles with {photos} photos"
        )
    }
}
