//! `--plan`: the time and disk space that an extraction will take, measured on a second of the same work.

use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Instant;

use data::disk;
use data::features::{Layout, ROWS_PER_SHARD, shard_size};
use data::forecast::{self, Cost, Forecast, Pictures, PlanArgs};
use data::manifest::{Manifest, Split};
use data::weights::{Part, Weights};

use crate::ahead::prepare_bytes;
use crate::config::Config;
use crate::device;
use crate::extraction::N_AHEAD;
use crate::feature_extractor::FeatureExtractor;
use crate::stored::Stored;

/// A shard of unpooled features at 224 px has 26 MB; larger ones are not tried in full.
const MAX_TRIAL_BYTES: u64 = 64 << 20;

/// Forecasts the cost of a run of `config`; writes nothing.
///
/// # Errors
/// If there is nothing to count, a weights file is there and damaged, or the device fails.
pub(crate) fn forecast(config: &Config, args: &PlanArgs) -> anyhow::Result<Forecast> {
    let pictures = Pictures::find(&config.manifest, args)?;
    let start = Instant::now();
    let mut notes = Vec::new();
    let weights = weights(config, &mut notes)?;
    let recipe = config.recipe(&weights.info);
    let extractor = FeatureExtractor::with_weights(recipe.clone(), &weights, &device::open(config.device)?)?;
    drop(weights);
    let layout = Layout { recipe, dtype: config.dtype, shape: extractor.feature_shape() };
    let stored =
        if config.out.is_dir() { Stored::open(&config.out, &layout)? } else { Stored::none(&layout) };
    let start_up = start.elapsed().as_secs_f64();
    notes.push(format!("{} features each as {}; {}", layout.n_features(), layout.dtype, layout.recipe));

    let per_second = measure(&extractor, &pictures.examples, config.batch_size)?;
    let shard_bytes = shard_size(&layout, ROWS_PER_SHARD)?;
    let bytes_per_second = disk::measure_disk(&config.out, shard_bytes.min(MAX_TRIAL_BYTES) as usize)?;
    let trial = Trial { per_second, bytes_per_second, start_up, parts: config.part.count() };
    if trial.parts > 1 {
        notes.push(format!("one of {} parts", trial.parts));
    }
    let cost = |copies| cost(&pictures, &stored, &layout, copies, &trial);
    let costs = args.copies_and(None).into_iter().map(cost).collect::<anyhow::Result<_>>()?;
    // While a shard is written its features are in memory three times: as computed, concatenated, and as bytes.
    let shard = 3 * (ROWS_PER_SHARD * layout.n_features() * size_of::<f32>()) as u64;
    Ok(Forecast {
        stage: "extractor".to_owned(),
        makes: "features".to_owned(),
        pictures: Split::ALL.into_iter().zip(pictures.n).collect(),
        counted: pictures.counted,
        measured_on: pictures.measured_on,
        threads: rayon::current_num_threads(),
        notes,
        costs,
        peak_memory: forecast::peak_memory().map(|peak| peak + shard),
        free: disk::free_space(&config.out)?,
        out: config.out.display().to_string(),
    })
}

/// Reads the weights of the run; draws random ones if the file is not there, for the time is the same.
fn weights(config: &Config, notes: &mut Vec<String>) -> anyhow::Result<Weights> {
    if config.weights.exists() {
        return Weights::read_of(&config.weights, Part::Features, |name| config.named(name));
    }
    notes.push(
        "the weights are not here yet: measured with random ones, which takes the same time".to_owned(),
    );
    Ok(Weights::seeded(config.backbone, 0))
}

/// Measures pictures a second from bytes to features, prepared ahead as [`crate::extraction`] does it.
fn measure(extractor: &FeatureExtractor, examples: &[Vec<u8>], batch_size: usize) -> anyhow::Result<f64> {
    thread::scope(|scope| {
        let (sender, batches) = sync_channel(N_AHEAD);
        scope.spawn(move || {
            let mut endless = examples.iter().cycle();
            loop {
                let batch: Vec<&Vec<u8>> = endless.by_ref().take(batch_size).collect();
                // The receiver has gone once the measurement has ended.
                if sender.send(prepare_all(extractor, &batch)).is_err() {
                    return;
                }
            }
        });
        forecast::measure(|| {
            let inputs: Vec<Vec<f32>> = batches.recv()?;
            let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
            extractor.features_of_prepared(&inputs)?;
            Ok(inputs.len())
        })
    })
}

fn prepare_all(extractor: &FeatureExtractor, batch: &[&Vec<u8>]) -> Vec<Vec<f32>> {
    use rayon::prelude::*;
    batch.par_iter().filter_map(|bytes| prepare_bytes(extractor, bytes).ok()).collect()
}

/// The measured speed of the work.
struct Trial {
    /// Pictures a second.
    per_second: f64,
    /// Bytes a second of shards written and flushed to the disk.
    bytes_per_second: f64,
    /// Seconds before the first picture.
    start_up: f64,
    /// The number of parts that share the work; this run does one of them.
    parts: usize,
}

/// Computes the cost with `copies` copies of each train picture.
fn cost(
    pictures: &Pictures,
    stored: &Stored,
    layout: &Layout,
    copies: u32,
    trial: &Trial,
) -> anyhow::Result<Cost> {
    let n_by_split = pictures.with_copies(copies);
    let n: usize = n_by_split.iter().sum();
    let n_done = pictures.manifest.as_ref().map_or(0, |manifest| n_stored(manifest, stored, copies));
    let n_to_do = n - n_done.min(n);
    let mut bytes = 0;
    for n in n_by_split {
        bytes += split_size(layout, n)?;
    }
    let done_bytes = if n == 0 { 0 } else { bytes * n_done as u64 / n as u64 };
    // All parts have the same number of shards, give or take one.
    let part = |n: u64| n.div_ceil(trial.parts as u64);
    let (n_to_do, bytes_to_write) = (part(n_to_do as u64), part(bytes.saturating_sub(done_bytes)));
    Ok(Cost {
        copies,
        per_class: None,
        n_done,
        n_to_do: n_to_do as usize,
        per_second: (n_to_do > 0).then_some(trial.per_second),
        seconds: trial.start_up
            + n_to_do as f64 / trial.per_second
            + bytes_to_write as f64 / trial.bytes_per_second,
        bytes: part(bytes),
        bytes_to_write,
    })
}

/// Computes the bytes of the shards of a split of `n` pictures.
pub(crate) fn split_size(layout: &Layout, n: usize) -> anyhow::Result<u64> {
    let whole = (n / ROWS_PER_SHARD) as u64 * shard_size(layout, ROWS_PER_SHARD)?;
    let rest = n % ROWS_PER_SHARD;
    Ok(whole + if rest > 0 { shard_size(layout, rest)? } else { 0 })
}

/// Counts the rows with features among the originals and the first `copies` copies of each: a copy does not depend on
/// the number of copies.
fn n_stored(manifest: &Manifest, stored: &Stored, copies: u32) -> usize {
    let is_among = |copy: u32| copy <= copies;
    let rows = manifest.rows.iter().filter(|row| row.augmented.as_ref().is_none_or(|a| is_among(a.copy)));
    rows.filter(|row| stored.knows(&row.seen_sha256())).count()
}
