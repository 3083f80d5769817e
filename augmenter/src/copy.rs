//! The copies of one picture.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use data::commit::Pending;
use data::current::Job;
use data::manifest::{Augmented, Crop, IN_PLACE, Row};
use data::photo::{Limits, Photo, Reject};
use data::provenance::{from_hex, sha256_hex};

use crate::config::Config;
use crate::paths;
use crate::transform::{Affine, Parameters, Size};
use crate::warp::{Source, warp};

/// One copy, on disk under its final name.
#[derive(Debug, Clone)]
pub(crate) struct Copy {
    /// Its row in the new manifest.
    pub(crate) row: Row,
    /// The part of its source that it was made of.
    pub(crate) source_crop: Option<Crop>,
    /// What was done to it.
    pub(crate) parameters: Parameters,
    /// The map from its pixels to those of its source.
    pub(crate) affine: Affine,
    /// Whether an earlier run had made it.
    pub(crate) kept: bool,
}

/// Makes `n` copies of the picture of `row`, which lies at `picture`; finished ones are kept.
/// `source` is the path of the original in the new manifest.
///
/// # Errors
/// Outside: a copy cannot be written. Inside: the picture is rejected.
pub(crate) fn make(
    config: &Config,
    row: &Row,
    picture: &Path,
    source: &str,
    n: u32,
    job: &Job,
) -> anyhow::Result<Result<Vec<Copy>, Reject>> {
    // Also where every copy is there already: a changed picture is found in any run.
    let bytes = match row.read(picture) {
        Ok(bytes) => bytes,
        Err(reject) => return Ok(Err(reject)),
    };
    let (width, height) = row.size();
    let from = Size::new(width, height);
    let to = config.output_size.of(from);
    let mut decoded = None;
    let mut copies = Vec::new();
    for copy in 1..=n {
        let parameters = config.ranges.draw(config.common.seed, &row.seen_sha256(), copy, to);
        let path = paths::of_copy(config, row, copy, &parameters);
        let place = config.out.join(&path);
        let kept = job.is_intact(&path)?;
        let copy_bytes = if kept {
            data::regular::read(&place, Limits::STANDARD.max_bytes)
                .with_context(|| format!("cannot read {}", place.display()))?
        } else {
            if decoded.is_none() {
                match row.decode(&bytes) {
                    Ok(Photo { rgb, room, .. }) => decoded = Some((Source::from(rgb), room)),
                    Err(reject) => return Ok(Err(reject)),
                }
            }
            let Some((pixels, _)) = &decoded else { unreachable!("decoded just above") };
            let pixels = warp(pixels, &parameters, to, config.fill);
            let bytes = config.encoding.encode(&pixels)?;
            write(&place, &bytes)?;
            bytes
        };
        let replaces = config.replaced.is_some_and(|replaced| replaced.contains(row.split));
        let copy = if replaces { IN_PLACE } else { copy };
        let made = Row {
            path,
            class: row.class.clone(),
            split: row.split,
            sha256: from_hex(&sha256_hex(&copy_bytes))?,
            width: to.width,
            height: to.height,
            crop: None,
            augmented: Some(Augmented { source: source.to_owned(), copy }),
        };
        copies.push(Copy {
            row: made,
            source_crop: row.crop,
            parameters,
            affine: parameters.affine(from, to),
            kept,
        });
    }
    Ok(Ok(copies))
}

/// The directory is synced once, by the caller, after all copies.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = Pending::create(path)?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
    file.commit_without_directory()
}
