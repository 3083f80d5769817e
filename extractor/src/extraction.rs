//! The extraction: for each shard, reuse the stored features, compute the others, write the file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use anyhow::Context;
use data::commit;
use data::features::{Dtype, Index, Layout, write_shard};
use data::manifest::Manifest;
use data::photo::Reject;
use data::rejects::MaxBad;
use data::stage::check_interrupted;
use half::f16;

use crate::ahead::{Batch, prepare_batches};
use crate::feature_extractor::FeatureExtractor;
use crate::shards::{ShardRows, without_features};
use crate::stored::Stored;

/// Prepared batches that wait for the network; one more is being prepared.
pub(crate) const N_AHEAD: usize = 1;

/// A shard of this run's part, and those of its pictures that have no features yet.
#[derive(Debug)]
pub(crate) struct Task<'a> {
    pub(crate) shard: &'a ShardRows,
    /// Row numbers of the manifest.
    pub(crate) to_compute: Vec<u32>,
}

/// The inputs of the extraction besides its tasks.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) extractor: &'a FeatureExtractor,
    pub(crate) layout: &'a Layout,
    pub(crate) stored: &'a Stored,
    pub(crate) out: PathBuf,
    pub(crate) batch_size: usize,
    pub(crate) max_bad: MaxBad,
}

/// The result of the extraction.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Pictures in each shard of this run's part, by file name.
    pub(crate) n_by_file: BTreeMap<String, usize>,
    pub(crate) n_computed: usize,
    pub(crate) n_reused: usize,
    /// Rejected pictures: the path, and why.
    pub(crate) rejects: Vec<(String, Reject)>,
    /// From the first picture to the last shard.
    pub(crate) elapsed: Duration,
}

impl Job<'_> {
    /// Runs `tasks` in order, calling `on_computed` with the number of pictures after each batch.
    ///
    /// # Errors
    /// The first of: an interruption, more rejects than allowed, features that cannot be stored, a file
    /// that cannot be written. Every shard that was finished before stays.
    pub(crate) fn run(&self, tasks: &[Task<'_>], on_computed: impl Fn(usize)) -> anyhow::Result<Outcome> {
        std::thread::scope(|scope| {
            let (sender, batches) = sync_channel(N_AHEAD);
            scope.spawn(move || {
                tasks.iter().all(|task| {
                    prepare_batches(self.manifest, self.extractor, &task.to_compute, self.batch_size, &sender)
                })
            });
            // The receiver ends with this call, and with it the thread that sends.
            self.run_with_batches(tasks, batches, on_computed)
        })
    }

    fn run_with_batches(
        &self,
        tasks: &[Task<'_>],
        batches: Receiver<Batch>,
        on_computed: impl Fn(usize),
    ) -> anyhow::Result<Outcome> {
        let start = Instant::now();
        let n_in: usize = tasks.iter().map(|task| task.shard.rows.len()).sum();
        let mut outcome = Outcome::default();
        let mut published = true;
        for Task { shard, to_compute } in tasks {
            let mut computed = BTreeMap::new();
            let mut interrupted = None;
            for _ in 0..to_compute.len().div_ceil(self.batch_size) {
                interrupted = check_interrupted().err();
                if interrupted.is_some() {
                    break;
                }
                let batch = batches.recv().context("the thread that decodes pictures has ended")?;
                let n = batch.len();
                self.compute(batch, &mut computed, &mut outcome.rejects)?;
                on_computed(n);
            }
            if computed.is_empty()
                && let Some(exit) = interrupted.take()
            {
                return Err(exit.into());
            }
            self.max_bad.check(n_in, &outcome.rejects)?;

            let digest = |row: u32| self.manifest.rows[row as usize].seen_sha256();
            let has_features = |row: u32| computed.contains_key(&row) || self.stored.knows(&digest(row));
            let rows: Vec<u32> = shard.rows.iter().copied().filter(|&row| has_features(row)).collect();
            outcome.n_computed += computed.len();
            outcome.n_reused += rows.len() - computed.len();
            outcome.n_by_file.insert(shard.file.clone(), rows.len());

            let mut content = without_features(self.manifest, &rows);
            if self.stored.holds(&shard.file, &content) {
                continue;
            }
            for row in rows {
                match computed.get(&row) {
                    Some(features) => content.features.extend_from_slice(features),
                    None => self.stored.read_features(&digest(row), &mut content.features)?,
                }
            }
            if published {
                // A shard that the index lists is about to change; without an index the set counts as unfinished.
                commit::remove(&self.out.join(Index::FILE_NAME))?;
                published = false;
            }
            write_shard(&self.out.join(&shard.file), self.layout, &content)?;
            tracing::debug!("wrote {}", shard.file);
            // After an interruption the shard holds only some of its pictures; the next run adds the others.
            if let Some(exit) = interrupted {
                return Err(exit.into());
            }
        }
        outcome.elapsed = start.elapsed();
        Ok(outcome)
    }

    /// Computes the features of one batch.
    fn compute(
        &self,
        batch: Batch,
        computed: &mut BTreeMap<u32, Vec<f32>>,
        rejects: &mut Vec<(String, Reject)>,
    ) -> anyhow::Result<()> {
        let mut rows = Vec::with_capacity(batch.len());
        let mut inputs = Vec::with_capacity(batch.len());
        for prepared in batch {
            match prepared.input {
                Ok(input) => {
                    rows.push(prepared.row);
                    inputs.push(input);
                }
                Err(reject) => {
                    let path = self.manifest.shown(&self.manifest.rows[prepared.row as usize]);
                    tracing::warn!("rejected {path}: {reject}");
                    rejects.push((path, reject));
                }
            }
        }
        let inputs: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        for (row, features) in rows.into_iter().zip(self.extractor.features_of_prepared(&inputs)?.rows()) {
            self.check_features(row, features)?;
            computed.insert(row, features.to_vec());
        }
        Ok(())
    }

    /// Refuses features that cannot be trained on; the error names the picture.
    fn check_features(&self, row: u32, features: &[f32]) -> anyhow::Result<()> {
        let picture = || self.manifest.resolve(&self.manifest.rows[row as usize]).display().to_string();
        if let Some(i) = features.iter().position(|x| !x.is_finite()) {
            anyhow::bail!(
                "feature {i} of {} is {}: the weights do not suit the preset {}",
                picture(),
                features[i],
                self.layout.recipe.preset
            );
        }
        if self.layout.dtype == Dtype::F16
            && let Some(i) = features.iter().position(|&x| !f16::from_f32(x).is_finite())
        {
            anyhow::bail!(
                "feature {i} of {} is {}, beyond the range of f16; use --dtype f32",
                picture(),
                features[i]
            );
        }
        if features.iter().all(|&x| x == 0.0) {
            tracing::warn!("all features of {} are 0", picture());
        }
        Ok(())
    }
}
