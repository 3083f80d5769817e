//! Makes the copies of one picture.

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
    /// The part of the source picture that was copied.
    pub(crate) source_crop: Option<Crop>,
    /// Its transformation parameters.
    pub(crate) parameters: Parameters,
    /// The map from its pixels to those of its source.
    pub(crate) affine: Affine,
    /// Whether an earlier run made it.
    pub(crate) kept: bool,
}

/// The source picture.
pub(crate) struct Original<'a> {
    /// Its row in the split's manifest.
    pub(crate) row: &'a Row,
    /// Its path on disk.
    pub(crate) path: &'a Path,
    /// Its path in the new manifest.
    pub(crate) source: &'a str,
}

/// Makes `n` copies of `original`, except those that exist already.
///
/// # Errors
/// Outer error: a copy cannot be written. Inner error: the picture is rejected.
pub(crate) fn make(
    config: &Config,
    original: &Original<'_>,
    n: u32,
    job: &Job,
) -> anyhow::Result<Result<Vec<Copy>, Reject>> {
    let row = original.row;
    // Read even if every copy exists already, so that every run detects a changed picture.
    let bytes = match row.read(original.path) {
        Ok(bytes) => bytes,
        Err(reject) => return Ok(Err(reject)),
    };
    let (width, height) = row.size();
    let from = Size::new(width, height);
    let to = config.output_size.of(from);
    let mut decoded = None;
    let mut copies = Vec::new();
    for number in 1..=n {
        let parameters = config.ranges.draw(config.common.seed, &row.seen_sha256(), number, to);
        let path = paths::of_copy(config, row, number, &parameters);
        let on_disk = config.out.join(&path);
        let kept = job.is_intact(&path)?;
        let copy_bytes = if kept {
            data::regular::read(&on_disk, Limits::STANDARD.max_bytes)
                .with_context(|| format!("cannot read {}", on_disk.display()))?
        } else {
            if decoded.is_none() {
                match row.decode(&bytes) {
                    Ok(Photo { rgb, room, .. }) => decoded = Some((Source::from(rgb), room)),
                    Err(reject) => return Ok(Err(reject)),
                }
            }
            let Some((pixels, _)) = &decoded else { unreachable!("decoded just above") };
            let copy = config.encoding.encode(&warp(pixels, &parameters, to, config.fill))?;
            write(&on_disk, &copy)?;
            copy
        };
        copies.push(Copy {
            row: copy_row(config, original, number, path, &copy_bytes, to)?,
            source_crop: row.crop,
            parameters,
            affine: parameters.affine(from, to),
            kept,
        });
    }
    Ok(Ok(copies))
}

/// Returns the manifest row of copy `number` of `original`, a file `path` with these bytes.
fn copy_row(
    config: &Config,
    original: &Original<'_>,
    number: u32,
    path: String,
    bytes: &[u8],
    size: Size,
) -> anyhow::Result<Row> {
    let Row { class, split, .. } = original.row;
    let replaces = config.replaced.is_some_and(|replaced| replaced.contains(*split));
    let copy = if replaces { IN_PLACE } else { number };
    Ok(Row {
        path,
        class: class.clone(),
        split: *split,
        sha256: from_hex(&sha256_hex(bytes))?,
        width: size.width,
        height: size.height,
        crop: None,
        augmented: Some(Augmented { source: original.source.to_owned(), copy }),
    })
}

/// Writes a file; the caller syncs the directory once, after all copies.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = Pending::create(path)?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
    file.commit_without_directory()
}
