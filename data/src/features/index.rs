//! `index.json`: written last, so that what it lists is there and whole.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::shard::{Layout, digest_of};
use crate::commit;
use crate::manifest::Split;
use crate::provenance::{FORMAT_VERSION, canonical_json, check_version};

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
    /// Digest of the file.
    pub sha256: String,
}

impl ShardEntry {
    /// The entry of the shard `file` with `n` pictures, which lies in `dir`.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn of(dir: &Path, file: String, n: usize) -> anyhow::Result<Self> {
        let sha256 = digest_of(&dir.join(&file))?;
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
        commit::write_bytes(&dir.join(Self::FILE_NAME), (canonical_json(self)? + "\n").as_bytes())
    }

    /// Reads the index of `dir`.
    ///
    /// # Errors
    /// If it is missing (the extraction has not ended), damaged, or of another format version.
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let path = dir.join(Self::FILE_NAME);
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!(
                "there is no complete feature set in {} (no index.json); run the extractor first",
                dir.display()
            )
        })?;
        let value: serde_json::Value = serde_json::from_str(&text)
            .with_context(|| format!("{} is damaged; run the extractor again", path.display()))?;
        check_version(&path, value.get("format_version"))?;
        serde_json::from_value(value)
            .with_context(|| format!("{} is no feature index; run the extractor again", path.display()))
    }
}
