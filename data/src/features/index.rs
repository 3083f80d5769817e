//! `index.json`: written last, so that what it lists is there and whole. It carries a digest of itself
//! (`content_sha256`), and those of the shards.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::n_values;
use super::shard::{Layout, shard_number};
use crate::manifest::Split;
use crate::provenance::{FORMAT_VERSION, from_hex};
use crate::{commit, envelope, regular};

/// What a feature directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// Version of this format.
    pub format_version: u32,
    /// How the features were made and stored.
    pub layout: Layout,
    /// The classes; a label is an index into them.
    pub classes: Vec<String>,
    /// Digest of the manifest whose rows these are.
    pub manifest_sha256: String,
    /// Pictures of the manifest that have no features; `rejects.csv` names them.
    pub n_rejected: usize,
    /// The shards of each split, in order.
    pub shards: BTreeMap<Split, Vec<ShardEntry>>,
}

/// One shard in the index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShardEntry {
    /// File name in the feature directory.
    pub file: String,
    /// Pictures in it.
    pub n: usize,
    /// Digest of the file, as it carries it itself.
    pub sha256: String,
}

impl ShardEntry {
    /// The entry of the shard `file` with `n` pictures, which lies in `dir`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of(dir: &Path, file: String, n: usize) -> anyhow::Result<Self> {
        let path = dir.join(&file);
        let read = || envelope::Header::read(&mut regular::open(&path)?)?.stated_digest();
        let sha256 = read().with_context(|| format!("cannot read {}", path.display()))?;
        Ok(Self { file, n, sha256 })
    }
}

impl Index {
    /// Name of the index in a feature directory.
    pub const FILE_NAME: &str = "index.json";

    /// An index of [`FORMAT_VERSION`] with no shards yet.
    pub fn new(layout: Layout, classes: Vec<String>, manifest_sha256: String) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            layout,
            classes,
            manifest_sha256,
            n_rejected: 0,
            shards: Split::ALL.into_iter().map(|split| (split, Vec::new())).collect(),
        }
    }

    /// The index in `dir` and the shards of `splits` that it lists, each with its name.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn files(dir: &Path, splits: &[Split]) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let index = Self::read(dir)?;
        let shards = splits.iter().filter_map(|split| index.shards.get(split)).flatten();
        let names = shards.map(|shard| shard.file.clone()).chain([Self::FILE_NAME.to_owned()]);
        Ok(names.map(|name| (name.clone(), dir.join(name))).collect())
    }

    /// Writes the index into `dir`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, dir: &Path) -> anyhow::Result<()> {
        commit::write_bytes(&dir.join(Self::FILE_NAME), &envelope::to_json(self)?)
    }

    /// Reads the index of `dir`.
    ///
    /// # Errors
    /// If it is missing (the extraction has not ended), damaged, contradicts itself, or is of another format
    /// version.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(Self::FILE_NAME);
        let bytes = regular::read(&path, regular::MAX_TEXT_BYTES).map_err(|error| {
            regular::not_read(error, &path, "there is no complete feature set: no index", "the extractor")
        })?;
        let read = || -> anyhow::Result<Self> {
            let index: Self = envelope::from_json(&path, &bytes)?;
            index.check()?;
            Ok(index)
        };
        read().with_context(|| format!("{} cannot be used; run the extractor again", path.display()))
    }

    /// Checks that the index does not contradict itself.
    fn check(&self) -> anyhow::Result<()> {
        n_values(&self.layout.shape)?;
        let distinct: HashSet<&String> = self.classes.iter().collect();
        anyhow::ensure!(distinct.len() == self.classes.len(), "it names a class twice");
        let mut digests = HashSet::new();
        for (split, entries) in &self.shards {
            for (number, entry) in entries.iter().enumerate() {
                let ShardEntry { file, sha256, .. } = entry;
                anyhow::ensure!(
                    shard_number(*split, file) == Some(number),
                    "it lists {file:?} as shard {number} of {split}"
                );
                from_hex(sha256).with_context(|| file.clone())?;
                anyhow::ensure!(digests.insert(sha256), "it lists the content of {file} twice");
            }
        }
        Ok(())
    }

    /// Pictures of the manifest: those with features and those without.
    pub fn n_pictures(&self) -> usize {
        self.shards.values().flatten().map(|entry| entry.n).fold(self.n_rejected, usize::saturating_add)
    }
}
