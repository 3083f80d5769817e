//! The stage, from arguments to summary.

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use data::current::Place;
use data::disk::{free_space, size};
use data::features::{Index, Layout, ShardEntry, shard_size};
use data::manifest::Manifest;
use data::rejects;
use data::stage;
use data::weights::{self, Weights};
use serde::Serialize;

use crate::args::Args;
use crate::config::Config;
use crate::cost;
use crate::device;
use crate::extraction::{self, Outcome, Task};
use crate::feature_extractor::FeatureExtractor;
use crate::part::Part;
use crate::shards::{ShardRows, shards_of, without_features};
use crate::stored::Stored;

const STAGE: &str = "extractor";
const PROVENANCE: &str = "provenance.json";

/// Runs the stage.
///
/// # Errors
/// See [`stage::main`] for the exit codes that they become.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::new(args)?;
    if args.plan.plan {
        return stage::print_summary(&args.common, &cost::forecast(&config, &args.plan)?);
    }
    let mut manifest = None;
    let place = Place::new(&config.out, PROVENANCE, STAGE);
    let job = place.start(&args.rerun, &args.common, || {
        let manifest = manifest.insert(Manifest::read(&config.manifest)?);
        manifest.ensure_apart(&config.out)?;
        config.inputs(manifest)
    })?;
    let (Some(mut job), Some(manifest)) = (job, manifest) else { return Ok(()) };

    // Asked before the network is loaded, and so that nothing is written into the directory.
    job.refuse_foreign(&[Index::FILE_NAME, rejects::FILE_NAME])?;
    let device = device::open(config.device)?;
    let shards = shards_of(&manifest)?;
    let weights = Weights::read_of(&config.weights, weights::Part::Features, |name| config.named(name))?;
    if !weights.info.origin.trained {
        tracing::warn!(
            "{} holds random weights that were not trained: the features know nothing of dogs; `weights --from hub` \
             gives trained ones",
            config.weights.display()
        );
    }
    let recipe = config.recipe(&weights.info);
    tracing::info!("{recipe}");
    let extractor = FeatureExtractor::with_weights(recipe.clone(), &weights, &device)?;
    drop(weights);

    let _locks = job.lock()?;
    let layout = Layout { recipe, dtype: config.dtype, shape: extractor.feature_shape() };
    let stored = if job.from_scratch() { Stored::none(&layout) } else { Stored::open(&config.out, &layout)? };
    let tasks = tasks(&manifest, &shards, config.part, &stored);
    ensure_space(&config.out, n_bytes_to_write(&manifest, &tasks, &stored, &layout)?)?;

    let outputs = || {
        let lists = [Index::FILE_NAME, rejects::FILE_NAME].map(str::to_owned);
        lists.into_iter().chain(shards.iter().map(|shard| shard.file.clone()))
    };
    // Shards may come from another machine, without its record.
    job.adopt(stored.file_names());
    job.declare(outputs())?;
    let n_to_compute: usize = tasks.iter().map(|task| task.to_compute.len()).sum();
    let bar = stage::progress(&args.common, n_to_compute as u64, "pictures");
    let extraction = extraction::Job {
        manifest: &manifest,
        extractor: &extractor,
        layout: &layout,
        stored: &stored,
        out: config.out.clone(),
        batch_size: config.batch_size,
        max_bad: config.max_bad,
    };
    let outcome = extraction.run(&tasks, |n| bar.inc(n as u64))?;
    bar.finish_and_clear();

    rejects::write(&config.out.join(rejects::FILE_NAME), &outcome.rejects)?;
    let indexed = write_index(&config.out, &manifest, &shards, &stored, &layout, &outcome)?;
    if indexed {
        job.finish(outputs())?;
    }
    stage::print_summary(&args.common, &summarise(&config.out, &tasks, &layout, &outcome, indexed)?)
}

/// Lists the shards of this run's part and the pictures that each still needs.
fn tasks<'a>(manifest: &Manifest, shards: &'a [ShardRows], part: Part, stored: &Stored) -> Vec<Task<'a>> {
    let tasks: Vec<Task<'_>> = shards
        .iter()
        .enumerate()
        .filter(|(number, _)| part.contains(*number))
        .map(|(_, shard)| {
            let unknown = |row: &u32| !stored.knows(&manifest.rows[*row as usize].seen_sha256());
            Task { shard, to_compute: shard.rows.iter().copied().filter(unknown).collect() }
        })
        .collect();
    let n_rows: usize = tasks.iter().map(|task| task.shard.rows.len()).sum();
    let n_to_compute: usize = tasks.iter().map(|task| task.to_compute.len()).sum();
    let n_whole = tasks.iter().filter(|task| task.to_compute.is_empty()).count();
    tracing::info!(
        "{n_whole} of {} shards have all their features; {n_to_compute} of {n_rows} pictures to compute",
        tasks.len()
    );
    tasks
}

/// Computes the bytes of the shards that will be written.
fn n_bytes_to_write(
    manifest: &Manifest,
    tasks: &[Task<'_>],
    stored: &Stored,
    layout: &Layout,
) -> anyhow::Result<u64> {
    tasks
        .iter()
        .filter(|task| !stored.holds(&task.shard.file, &without_features(manifest, &task.shard.rows)))
        .map(|task| shard_size(layout, task.shard.rows.len()))
        .sum()
}

/// Refuses a disk without space for the features before any work.
fn ensure_space(dir: &Path, need: u64) -> anyhow::Result<()> {
    let have = free_space(dir)?;
    anyhow::ensure!(
        need <= have,
        "there is too little space for the features in {}: need {}, have {}; --pool avg or --dtype f16 need less",
        dir.display(),
        size(need),
        size(have)
    );
    Ok(())
}

/// Writes the index if every shard is there; `false` if other parts are still to be done.
fn write_index(
    out: &Path,
    manifest: &Manifest,
    shards: &[ShardRows],
    stored: &Stored,
    layout: &Layout,
    outcome: &Outcome,
) -> anyhow::Result<bool> {
    let mut index = Index::new(layout.clone(), manifest.classes.clone(), manifest.sha256.clone());
    let mut n_missing = 0;
    for shard in shards {
        // A shard of another part counts only when none of its pictures is missing: whether a missing one
        // was rejected is known where its part was done, not here.
        let elsewhere = || {
            stored.holds(&shard.file, &without_features(manifest, &shard.rows)).then_some(shard.rows.len())
        };
        match outcome.n_by_file.get(&shard.file).copied().or_else(elsewhere) {
            Some(n) => {
                let entry = ShardEntry::of(out, shard.file.clone(), n)?;
                index.shards.entry(shard.split).or_default().push(entry);
            }
            None => n_missing += 1,
        }
    }
    if n_missing > 0 {
        tracing::info!(
            "{n_missing} of {} shards belong to other parts and are not complete here, so there is no index \
             yet; when all parts are done, bring their files together in {} and run without --shard",
            shards.len(),
            out.display()
        );
        return Ok(false);
    }
    index.n_rejected = outcome.rejects.len();
    let n_ok: usize = index.shards.values().flatten().map(|entry| entry.n).sum();
    anyhow::ensure!(
        manifest.rows.len() == n_ok + index.n_rejected,
        "{} pictures went in, {n_ok} have features and {} were rejected",
        manifest.rows.len(),
        index.n_rejected
    );
    index.write(out)?;
    Ok(true)
}

/// The summary of the run.
#[derive(Debug, Serialize)]
struct Summary {
    n_in: usize,
    n_ok: usize,
    n_rejected: usize,
    n_computed: usize,
    n_reused: usize,
    n_features: usize,
    /// Speed of the pictures that were computed; `null` if none was.
    images_per_second: Option<f64>,
    bytes: u64,
    /// Whether the set is complete.
    indexed: bool,
    out: String,
}

fn summarise(
    out: &Path,
    tasks: &[Task<'_>],
    layout: &Layout,
    outcome: &Outcome,
    indexed: bool,
) -> anyhow::Result<Summary> {
    let n_in: usize = tasks.iter().map(|task| task.shard.rows.len()).sum();
    let n_ok = outcome.n_computed + outcome.n_reused;
    let n_rejected = outcome.rejects.len();
    anyhow::ensure!(n_in == n_ok + n_rejected, "{n_in} pictures went in, {n_ok} + {n_rejected} came out");
    let mut bytes = 0;
    for file in outcome.n_by_file.keys() {
        let path = out.join(file);
        bytes += fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?.len();
    }
    let rate = outcome.n_computed as f64 / outcome.elapsed.as_secs_f64();
    Ok(Summary {
        n_in,
        n_ok,
        n_rejected,
        n_computed: outcome.n_computed,
        n_reused: outcome.n_reused,
        n_features: layout.n_features(),
        images_per_second: (outcome.n_computed > 0).then_some(rate),
        bytes,
        indexed,
        out: out.display().to_string(),
    })
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} pictures: {} features each, {} in {}",
            self.n_in,
            self.n_features,
            size(self.bytes),
            self.out
        )?;
        write!(f, "computed {}", self.n_computed)?;
        if let Some(rate) = self.images_per_second {
            write!(f, " ({rate:.1} img/s)")?;
        }
        write!(f, ", reused {}, rejected {}", self.n_reused, self.n_rejected)?;
        if self.n_rejected > 0 {
            write!(f, " (see {}/{})", self.out, rejects::FILE_NAME)?;
        }
        if !self.indexed {
            write!(f, "\nnot complete: other parts are missing")?;
        }
        Ok(())
    }
}
