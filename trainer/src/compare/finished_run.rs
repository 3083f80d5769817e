//! A finished run: its results, and which test pictures its head classifies correctly.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data::manifest::{self, Split};

use super::args::NamedDir;
use crate::predictions::PredictionRow;
use crate::report::results::{Results, Sources};

/// A finished run that has been read.
pub(super) struct FinishedRun {
    pub(super) name: String,
    pub(super) results: Results,
    /// By the path of the original of each test picture: whether the head classifies it correctly.
    pub(super) is_correct: BTreeMap<PathBuf, bool>,
}

impl FinishedRun {
    /// Reads the results.
    ///
    /// # Errors
    /// If the run is incomplete, or was not evaluated on test.
    pub(super) fn read(NamedDir { name, dir }: &NamedDir) -> anyhow::Result<Self> {
        let manifest = dir.join("augmented").join(manifest::FILE_NAME);
        let results = Results::read(&Sources {
            features: dir.join("features"),
            model: dir.join("model"),
            manifest: manifest.clone(),
            split_dir: Some(dir.join("split")),
        })
        .with_context(|| format!("the run {name}"))?;
        anyhow::ensure!(
            results.split == Split::Test,
            "the run {name} in {} was not evaluated on test; run trainer evaluate --split valid,test",
            dir.display()
        );
        let is_correct = correct_by_original(&results, &manifest)?;
        Ok(Self { name: name.clone(), results, is_correct })
    }

    /// Whether its test pictures are augmented copies.
    pub(super) fn has_augmented_test(&self) -> bool {
        self.results.is_replaced(Split::Test)
    }
}

fn correct_by_original(results: &Results, manifest: &Path) -> anyhow::Result<BTreeMap<PathBuf, bool>> {
    let test = results.manifest.rows.iter().filter(|row| row.split == Split::Test);
    let originals: BTreeMap<&str, &str> = test
        .map(|row| (row.path.as_str(), row.augmented.as_ref().map_or(&row.path, |a| &a.source).as_str()))
        .collect();
    let of_prediction = |p: &PredictionRow| {
        let original = originals.get(p.path.as_str()).with_context(|| {
            format!("{} is no test picture of {}; run trainer evaluate again", p.path, manifest.display())
        })?;
        Ok((canonical(manifest, original), p.is_correct()))
    };
    results.predictions.iter().map(of_prediction).collect()
}

/// The canonical path of a picture of the manifest, the same in all manifests; as written where the picture is missing.
fn canonical(manifest: &Path, path: &str) -> PathBuf {
    let joined = manifest.parent().unwrap_or(Path::new("")).join(path);
    joined.canonicalize().unwrap_or(joined)
}
