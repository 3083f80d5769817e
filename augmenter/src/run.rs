//! Runs the stage, from the split's manifest to the new one.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data::current::{Inputs, Job, Place};
use data::manifest::{self, Manifest, Row, Split};
use data::photo::Reject;
use data::{commit, rejects, stage};
use rayon::prelude::*;
use serde::Serialize;

use crate::args::Args;
use crate::args::Replaced;
use crate::config::{Amount, Config};
use crate::copy::{self, Copy, Original};
use crate::{cost, counts, paths, sheet};

const STAGE: &str = "augmenter";
const PROVENANCE: &str = "provenance.json";
const TRANSFORMS: &str = "transforms.csv";
const CONTACT_SHEET: &str = "contact-sheet.jpg";
/// Tables that every run writes.
const TABLES: [&str; 3] = [rejects::FILE_NAME, TRANSFORMS, manifest::FILE_NAME];

/// Runs the stage.
///
/// # Errors
/// [`stage::Exit::Usage`] for arguments outside their ranges; other errors if a file cannot be read or written, or
/// if too many pictures are rejected. An old manifest is then not changed.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::new(args)?;
    if args.plan.plan {
        return stage::print_summary(&config.common, &cost::forecast(&config, &args.plan)?);
    }
    let mut split = None;
    let place = Place::new(&config.out, PROVENANCE, STAGE);
    let job =
        place.start(&config.rerun, &config.common, || asked(&config, split.insert(read_split(&config)?)))?;
    let (Some(mut job), Some(split)) = (job, split) else { return Ok(()) };
    // Asked before the lock, so that nothing is written into the directory.
    job.refuse_foreign(&TABLES)?;
    let _locks = job.lock()?;

    let sources = source_paths(&config, &split)?;
    let n_copies = counts::copies(&split.rows, config.amount, config.replaced, config.common.seed);
    let planned = split.rows.iter().zip(&n_copies).flat_map(|(row, &n)| {
        let config = &config;
        (1..=n).map(move |copy| paths::of_drawn(config, row, copy))
    });
    refuse_link(&config)?;
    job.declare(TABLES.into_iter().chain([CONTACT_SHEET]).map(str::to_owned).chain(planned))?;
    let outcomes = make_copies(&config, &split, &sources, &n_copies, &job)?;
    let result = collect(&split, sources, outcomes);
    rejects::write(&config.out.join(rejects::FILE_NAME), &result.rejects)?;
    config.max_bad.check(split.rows.len(), &result.rejects)?;

    sync_directories(&config, &result.copies)?;
    write_transforms(&config.out.join(TRANSFORMS), &result.copies)?;
    let has_sheet = write_contact_sheet(&config, &result)?;
    let is_replaced = |row: &Row| config.replaced.is_some_and(|replaced| replaced.contains(row.split));
    let originals = result.originals.iter().filter(|row| !is_replaced(row));
    let rows: Vec<Row> = originals.chain(result.copies.iter().map(|copy| &copy.row)).cloned().collect();
    manifest::write(&config.out.join(manifest::FILE_NAME), &rows, true)?;
    let made = TABLES.into_iter().chain(has_sheet.then_some(CONTACT_SHEET)).map(str::to_owned);
    let n_removed = job.finish(made.chain(result.copies.iter().map(|copy| copy.row.path.clone())))?;

    let summary = Summary::new(&config, &split, &result, n_removed);
    anyhow::ensure!(
        summary.n_in == summary.n_ok + summary.n_rejected,
        "{} pictures in, but {} passed on and {} rejected: this is a bug",
        summary.n_in,
        summary.n_ok,
        summary.n_rejected
    );
    stage::print_summary(&config.common, &summary)
}

/// Returns the inputs of the copies: the parameters, the split, and the pictures that it names.
fn asked(config: &Config, split: &Manifest) -> anyhow::Result<Inputs> {
    let pictures = split.rows.iter().map(|row| (row.path.clone(), split.resolve(row)));
    Ok(Inputs::new(&config.parameters())?.file("the manifest", &config.manifest).files("pictures", pictures))
}

fn read_split(config: &Config) -> anyhow::Result<Manifest> {
    let split = Manifest::read(&config.manifest)?;
    let path = config.manifest.display();
    if let Some(copy) = split.rows.iter().find(|row| row.augmented.is_some()) {
        anyhow::bail!("{path} already has copies ({:?}); give the splitter's manifest", copy.path);
    }
    anyhow::ensure!(
        !split.rows.is_empty(),
        "{path} has no rows; run the splitter again on a folder with pictures"
    );
    for class in &split.classes {
        paths::check_class(class).with_context(|| path.to_string())?;
    }
    let of_split = directory_of(&config.manifest)?;
    // If --out does not exist yet, it cannot be that directory.
    if fs::canonicalize(&config.out).is_ok_and(|out| out == of_split) {
        return Err(stage::usage(format!(
            "--out is the directory of {path}, which would be overwritten; give another one"
        )));
    }
    split.ensure_apart(&config.out)?;
    Ok(split)
}

/// Returns the directory of `file`, with links resolved.
fn directory_of(file: &Path) -> anyhow::Result<PathBuf> {
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::canonicalize(dir).with_context(|| format!("cannot resolve {}", dir.display()))
}

/// Returns the path of every row's picture for the new manifest.
fn source_paths(config: &Config, split: &Manifest) -> anyhow::Result<Vec<String>> {
    let from = directory_of(&config.manifest)?;
    let to =
        fs::canonicalize(&config.out).with_context(|| format!("cannot resolve {}", config.out.display()))?;
    split.rows.iter().map(|row| paths::rebase(&row.path, &from, &to)).collect()
}

/// Refuses a link in place of the folder of the copies.
fn refuse_link(config: &Config) -> anyhow::Result<()> {
    let images = config.out.join(paths::IMAGES);
    anyhow::ensure!(
        !images.is_symlink(),
        "{} is a link; copies are not written through it, remove it",
        images.display()
    );
    Ok(())
}

/// Returns for every row its copies, or the reject of its picture. Pictures without copies are not read.
fn make_copies(
    config: &Config,
    split: &Manifest,
    sources: &[String],
    n_copies: &[u32],
    job: &Job,
) -> anyhow::Result<Vec<Result<Vec<Copy>, Reject>>> {
    let n_to_do = n_copies.iter().filter(|&&n| n > 0).count();
    let bar = stage::progress(&config.common, n_to_do as u64, "pictures");
    let outcomes = split
        .rows
        .par_iter()
        .zip(sources)
        .zip(n_copies)
        .map(|((row, source), &n)| {
            if n == 0 {
                return Ok(Ok(Vec::new()));
            }
            stage::check_interrupted()?;
            let original = Original { row, path: &split.resolve(row), source };
            let outcome = copy::make(config, &original, n, job)?;
            bar.inc(1);
            Ok(outcome)
        })
        .collect();
    bar.finish_and_clear();
    outcomes
}

/// The results for all rows.
struct Outcome {
    /// The rows that are passed on, with their new paths, in the split's order.
    originals: Vec<Row>,
    /// Copies in the order of their sources, then by number.
    copies: Vec<Copy>,
    /// Rejects with the path in the split's manifest.
    rejects: Vec<(String, Reject)>,
}

fn collect(split: &Manifest, sources: Vec<String>, outcomes: Vec<Result<Vec<Copy>, Reject>>) -> Outcome {
    let mut result = Outcome { originals: Vec::new(), copies: Vec::new(), rejects: Vec::new() };
    for ((row, path), outcome) in split.rows.iter().zip(sources).zip(outcomes) {
        match outcome {
            Ok(copies) => {
                result.originals.push(Row { path, ..row.clone() });
                result.copies.extend(copies);
            }
            Err(reject) => {
                let path = split.shown(row);
                tracing::warn!("rejected {path}: {reject}");
                result.rejects.push((path, reject));
            }
        }
    }
    result
}

/// Syncs the directories of the copies, so that the files are on disk before the manifest names them.
fn sync_directories(config: &Config, copies: &[Copy]) -> anyhow::Result<()> {
    let classes: BTreeSet<&str> = copies.iter().map(|copy| copy.row.class.as_str()).collect();
    let images = config.out.join(paths::IMAGES);
    for class in &classes {
        commit::sync_directory(&images.join(class))?;
    }
    if !classes.is_empty() {
        commit::sync_directory(&images)?;
    }
    commit::sync_directory(&config.out)
}

/// Writes one row per copy: the parameters by Keras' names, then the map `x_source = xx*x + xy*y + x0`,
/// `y_source = yx*x + yy*y + y0`.
fn write_transforms(path: &Path, copies: &[Copy]) -> anyhow::Result<()> {
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record([
            "path",
            "source",
            "copy",
            "theta",
            "tx",
            "ty",
            "shear",
            "zx",
            "zy",
            "flip",
            "brightness",
            "xx",
            "xy",
            "x0",
            "yx",
            "yy",
            "y0",
        ])?;
        for Copy { row, parameters: p, affine: a, .. } in copies {
            let Some(from) = &row.augmented else { continue };
            let mut cells = vec![row.path.clone(), from.source.clone(), from.copy.to_string()];
            cells.extend([p.theta, p.tx, p.ty, p.shear, p.zx, p.zy].map(|v| v.to_string()));
            cells.extend([p.flip.to_string(), p.brightness.to_string()]);
            cells.extend([a.xx, a.xy, a.x0, a.yx, a.yy, a.y0].map(|v| v.to_string()));
            table.write_record(&cells)?;
        }
        Ok(table.flush()?)
    })
}

/// Writes the contact sheet, if it is wanted and not empty. Returns whether there is one.
fn write_contact_sheet(config: &Config, result: &Outcome) -> anyhow::Result<bool> {
    if !config.contact_sheet || result.copies.is_empty() {
        return Ok(false);
    }
    let rows = sheet::choose(&result.copies, config.common.seed);
    commit::write_bytes(&config.out.join(CONTACT_SHEET), &sheet::draw(&config.out, &rows)?)?;
    Ok(true)
}

/// The counts of a run.
#[derive(Debug, Serialize)]
struct Summary {
    n_in: usize,
    n_ok: usize,
    n_rejected: usize,
    /// File that names the rejected pictures.
    rejects: String,
    n_copies: usize,
    n_kept: usize,
    n_removed: usize,
    n_train: usize,
    /// The originals that the copies replace, if any.
    replaced: Option<Replaced>,
    /// Classes that had enough train pictures for --per-class.
    left_alone: Vec<String>,
    /// Classes with fewer train pictures than --per-class, because pictures were rejected.
    below_target: Vec<String>,
}

impl Summary {
    fn new(config: &Config, split: &Manifest, result: &Outcome, n_removed: usize) -> Self {
        let mut summary = Self {
            n_in: split.rows.len(),
            n_ok: result.originals.len(),
            n_rejected: result.rejects.len(),
            rejects: config.out.join(rejects::FILE_NAME).display().to_string(),
            n_copies: result.copies.len(),
            n_kept: result.copies.iter().filter(|copy| copy.kept).count(),
            n_removed,
            n_train: match config.replaced {
                Some(_) => result.copies.iter().filter(|copy| copy.row.split == Split::Train).count(),
                None => {
                    counts::train_rows(&result.originals).values().map(Vec::len).sum::<usize>()
                        + result.copies.len()
                }
            },
            replaced: config.replaced,
            left_alone: Vec::new(),
            below_target: Vec::new(),
        };
        if let Amount::PerClass(target) = config.amount {
            let target = target as usize;
            let before = counts::train_rows(&split.rows);
            let originals = counts::train_rows(&result.originals);
            for class in &split.classes {
                let n_before = before.get(class.as_str()).map_or(0, Vec::len);
                let n_copies = result.copies.iter().filter(|copy| &copy.row.class == class).count();
                let n_after = originals.get(class.as_str()).map_or(0, Vec::len) + n_copies;
                if n_before >= target {
                    summary.left_alone.push(class.clone());
                } else if n_after < target {
                    summary.below_target.push(class.clone());
                }
            }
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} pictures in, {} passed on, {} rejected", self.n_in, self.n_ok, self.n_rejected)?;
        if self.n_rejected > 0 {
            writeln!(f, "  each is named in {}", self.rejects)?;
        }
        write!(f, "{} copies ({} of them kept from an earlier run)", self.n_copies, self.n_kept)?;
        writeln!(f, ", {} train pictures in all", self.n_train)?;
        match self.replaced {
            None => {}
            Some(Replaced::Train) => writeln!(f, "the copies replace the train pictures")?,
            Some(Replaced::All) => writeln!(
                f,
                "the copies replace all pictures, also those of test: metrics will be those of distorted pictures"
            )?,
        }
        if self.n_removed > 0 {
            writeln!(f, "{} files of an earlier run removed", self.n_removed)?;
        }
        if !self.left_alone.is_empty() {
            writeln!(f, "large enough, no copies made: {}", self.left_alone.join(", "))?;
        }
        if !self.below_target.is_empty() {
            writeln!(f, "below the target because pictures were rejected: {}", self.below_target.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
