//! Writes the outputs into `--out`, after a check that this run may write there.

use std::path::Path;

use data::commit::Lock;
use data::current::{Inputs, Job};
use data::manifest::{self, Crop, Row, Split};
use data::photo::Reject;
use data::rejects;

use crate::config::Config;
use crate::inspect::Picture;
use crate::method::Method;
use crate::scan::Listing;
use crate::tree;

pub(crate) const STAGE: &str = "splitter";
pub(crate) const PROVENANCE: &str = "provenance.json";

/// Returns the inputs of the split: the parameters, every file that may be a picture, the lists and the annotations.
///
/// # Errors
/// If the parameters cannot be written as JSON.
pub(crate) fn asked(config: &Config, listing: &Listing) -> anyhow::Result<Inputs> {
    let pictures = listing.candidates.iter().map(|candidate| {
        let class = &listing.classes[candidate.class as usize];
        let name = format!("{class}/{}", candidate.name.to_string_lossy());
        (name, config.images.join(class).join(&*candidate.name))
    });
    let mut asked = Inputs::new(&config.parameters())?.files("pictures", pictures);
    // Empty class folders count, too.
    asked = asked.value("class folders", &listing.classes)?;
    if let Method::Listed { train, test, .. } = &config.rule.method {
        asked = asked.file("the train list", train).file("the test list", test);
    }
    if let Some(dir) = &config.annotations {
        let annotations = listing.candidates.iter().flat_map(|candidate| {
            let class = &listing.classes[candidate.class as usize];
            let stem =
                Path::new(&*candidate.name).file_stem().unwrap_or_default().to_string_lossy().into_owned();
            [format!("{class}/{stem}"), format!("{class}/{stem}.xml")]
                .map(|name| (name.clone(), dir.join(name)))
        });
        asked = asked.files("annotations", annotations);
    }
    Ok(asked)
}

/// Takes the lock of `--out`, and refuses to replace files that this program did not make.
///
/// # Errors
/// Names the existing file, and `--force`, which replaces it.
pub(crate) fn claim(job: &mut Job) -> anyhow::Result<Vec<Lock>> {
    // Asked before the lock, so that nothing is written into the directory, and again after it.
    refuse_foreign(job)?;
    let locks = job.lock()?;
    refuse_foreign(job)?;
    Ok(locks)
}

fn refuse_foreign(job: &Job) -> anyhow::Result<()> {
    job.refuse_foreign(&[manifest::FILE_NAME, rejects::FILE_NAME])?;
    job.refuse_foreign_folders(&["train", "valid", "test"])
}

/// Returns the manifest's rows, sorted by the bytes of their paths.
pub(crate) fn rows(
    config: &Config,
    classes: &[String],
    pictures: &[Picture],
    splits: &[Split],
    boxes: Option<&[Option<Crop>]>,
) -> Vec<Row> {
    let row = |(i, (picture, &split)): (usize, (&Picture, &Split))| {
        let class = &classes[picture.class as usize];
        Row {
            path: format!("{}/{class}/{}", config.prefix, picture.name),
            class: class.clone(),
            split,
            sha256: picture.sha256,
            width: picture.width,
            height: picture.height,
            crop: boxes.and_then(|boxes| boxes[i]),
            augmented: None,
        }
    };
    let mut rows: Vec<Row> = pictures.iter().zip(splits).enumerate().map(row).collect();
    // This differs from the order of (class, name): `a-b/x` comes before `a/x`.
    rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    rows
}

/// Writes all outputs, the manifest last, because the next stage waits for it.
///
/// # Errors
/// Names the file.
pub(crate) fn write(
    config: &Config,
    rows: &[Row],
    rejects: &[(String, Reject)],
    mut job: Job,
) -> anyhow::Result<()> {
    let out = &config.out;
    let placed = tree::names(rows, config.tree);
    let outputs = || {
        let tables = [rejects::FILE_NAME, manifest::FILE_NAME].map(str::to_owned);
        tables.into_iter().chain(placed.iter().cloned())
    };
    // Old files are removed first: even after a crash a picture must not be in two splits.
    job.remove_old(|name| {
        Split::ALL.iter().any(|split| name.starts_with(&format!("{split}/"))) && !placed.contains(name)
    })?;
    job.declare(outputs())?;
    rejects::write(&out.join(rejects::FILE_NAME), rejects)?;
    tree::write(out, rows, config.tree)?;
    manifest::write(&out.join(manifest::FILE_NAME), rows, false)?;
    job.finish(outputs()).map(drop)
}
