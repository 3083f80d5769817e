//! `--plan`: forecasts the time and disk space of the copies from about a second of measurement.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use data::commit;
use data::disk;
use data::forecast::{self, Cost, Forecast, Pictures, PlanArgs};
use data::manifest::{Manifest, Split};
use data::photo::{Limits, decode};
use data::provenance::{from_hex, sha256_hex};
use rayon::prelude::*;

use crate::args::Replaced;
use crate::config::{Amount, Config};
use crate::warp::{Source, warp};
use crate::{counts, paths};

/// Forecasts the cost of a run with `config`; leaves no files on the disk.
///
/// # Errors
/// If there is nothing to count, or a file cannot be written.
pub(crate) fn forecast(config: &Config, args: &PlanArgs) -> anyhow::Result<Forecast> {
    let pictures = Pictures::find(&config.manifest, args)?;
    let mut notes = Vec::new();
    let mut amounts: Vec<Amount> = Vec::new();
    match (config.amount, &pictures.train_of_class) {
        (Amount::Copies(n), _) => amounts.extend(args.copies_and(Some(n)).into_iter().map(Amount::Copies)),
        (asked, Some(_)) => amounts.push(asked),
        (Amount::PerClass(_), None) => {
            notes.push("--per-class needs pictures to count, from a manifest or --plan-images".to_owned());
            amounts.extend(args.copies_and(None).into_iter().map(Amount::Copies));
        }
    }
    let cost = |amount| cost(config, &pictures, amount);
    let costs = amounts.into_iter().map(cost).collect::<anyhow::Result<_>>()?;
    Ok(Forecast {
        stage: "augmenter".to_owned(),
        makes: "copies".to_owned(),
        pictures: Split::ALL.into_iter().zip(pictures.n).collect(),
        counted: pictures.counted,
        measured_on: pictures.measured_on,
        threads: rayon::current_num_threads(),
        notes,
        costs,
        peak_memory: forecast::peak_memory(),
        free: disk::free_space(&config.out)?,
        out: config.out.display().to_string(),
    })
}

/// Computes the cost of the copies.
fn cost(config: &Config, pictures: &Pictures, amount: Amount) -> anyhow::Result<Cost> {
    let gets = |split: &Split| config.replaced.unwrap_or(Replaced::Train).contains(*split);
    let n_pictures: usize =
        Split::ALL.into_iter().zip(pictures.n).filter(|(split, _)| gets(split)).map(|(_, n)| n).sum();
    let (n, copies, per_class) = match amount {
        Amount::Copies(copies) => (n_pictures * copies as usize, copies, None),
        Amount::PerClass(target) => {
            let classes = pictures.train_of_class.iter().flatten().filter(|&&n| n > 0);
            let n: usize = classes.map(|n| (target as usize).saturating_sub(*n)).sum();
            (n, n.div_ceil(n_pictures.max(1)) as u32, Some(target))
        }
    };
    let nothing = Cost {
        copies,
        per_class,
        n_done: 0,
        n_to_do: 0,
        per_second: None,
        seconds: 0.0,
        bytes: 0,
        bytes_to_write: 0,
    };
    if n == 0 {
        return Ok(nothing);
    }
    let done = pictures.manifest.as_ref().map_or((0, 0), |manifest| made_already(config, manifest, amount));
    let (n_done, done_bytes) = done;
    let n_to_do = n - n_done.min(n);
    let trial = measure(config, &pictures.examples, copies)?;
    let bytes_to_write = (n_to_do as f64 * trial.bytes_each).round() as u64;
    Ok(Cost {
        n_done,
        n_to_do,
        per_second: (n_to_do > 0).then_some(trial.per_second),
        seconds: n_to_do as f64 / trial.per_second,
        bytes: done_bytes + bytes_to_write,
        bytes_to_write,
        ..nothing
    })
}

/// Returns the number of existing copies and their total size in bytes.
fn made_already(config: &Config, manifest: &Manifest, amount: Amount) -> (usize, u64) {
    let (mut n, mut bytes) = (0, 0);
    let planned = counts::copies(&manifest.rows, amount, config.replaced, config.common.seed);
    for (row, planned) in manifest.rows.iter().zip(planned) {
        for copy in 1..=planned {
            let place = config.out.join(paths::of_drawn(config, row, copy));
            if let Ok(file) = fs::metadata(place) {
                n += 1;
                bytes += file.len();
            }
        }
    }
    (n, bytes)
}

/// The measured cost of making copies.
struct Measured {
    /// Copies per second.
    per_second: f64,
    /// Mean size of a copy in bytes.
    bytes_each: f64,
}

/// Measures making copies of the examples as [`crate::copy::make`] does, under other names.
fn measure(config: &Config, examples: &[Vec<u8>], copies: u32) -> anyhow::Result<Measured> {
    let (bytes, n) = (AtomicU64::new(0), AtomicUsize::new(0));
    let disk = disk::existing(&config.out);
    let per_second = forecast::measure(|| {
        let made = examples.par_iter().map(|picture| make_copies(config, picture, copies, disk));
        let made: Vec<u64> = made.collect::<anyhow::Result<_>>()?;
        bytes.fetch_add(made.iter().sum(), Ordering::Relaxed);
        n.fetch_add(made.len() * copies as usize, Ordering::Relaxed);
        Ok(made.len() * copies as usize)
    })?;
    Ok(Measured { per_second, bytes_each: bytes.into_inner() as f64 / n.into_inner() as f64 })
}

/// Makes the copies of one picture and returns their total size in bytes.
fn make_copies(config: &Config, picture: &[u8], copies: u32, disk: &Path) -> anyhow::Result<u64> {
    let digest = from_hex(&sha256_hex(picture))?;
    let source = Source::from(decode(picture, &Limits::STANDARD).map_err(|e| anyhow::anyhow!("{e}"))?.rgb);
    let to = config.output_size.of(source.size());
    let mut n_bytes = 0;
    for copy in 1..=copies {
        let parameters = config.ranges.draw(config.common.seed, &digest, copy, to);
        let bytes = config.encoding.encode(&warp(&source, &parameters, to, config.fill))?;
        commit::write_trial(disk, &bytes)?;
        n_bytes += bytes.len() as u64;
    }
    Ok(n_bytes)
}
