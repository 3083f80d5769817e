//! What lies in `--out`: whether this run may write there, and the writing.

use std::path::Path;

use data::commit::{self, Lock};
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

/// What the split depends on: the parameters, every file that may be a picture, the lists and the annotations.
///
/// # Errors
/// If the parameters are no JSON.
pub(crate) fn asked(config: &Config, listing: &Listing) -> anyhow::Result<Inputs> {
    let pictures = listing.candidates.iter().map(|candidate| {
        let class = &listing.classes[candidate.class as usize];
        let name = format!("{class}/{}", candidate.name.to_string_lossy());
        (name, config.images.join(class).join(&*candidate.name))
    });
    let mut asked = Inputs::new(&config.parameters())?.files("pictures", pictures);
    // Also the empty ones.
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

/// Takes the lock of `--out`, and refuses to replace what this program did not make.
///
/// # Errors
/// Says what is there, and that `--force` replaces it.
pub(crate) fn claim(config: &Config, job: &Job) -> anyhow::Result<Lock> {
    job.refuse_foreign(&[manifest::FILE_NAME, "train", "valid", "test"])?;
    commit::lock(&config.out, STAGE)
}

/// The manifest's rows, sorted by the bytes of their paths.
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
    // Not the order of (class, name): `a-b/x` comes before `a/x`.
    rows.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    rows
}

/// Writes everything; the manifest, for which the next stage waits, is the last of the outputs.
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
    // First out with the old: a picture that has moved must not stand in two splits, however this ends.
    job.remove_old(|name| {
        Split::ALL.iter().any(|split| name.starts_with(&format!("{split}/"))) && !placed.contains(name)
    })?;
    job.declare(outputs())?;
    rejects::write(&out.join(rejects::FILE_NAME), rejects)?;
    tree::write(out, rows, config.tree)?;
    manifest::write(&out.join(manifest::FILE_NAME), rows, false)?;
    job.finish(outputs()).map(drop)
}
