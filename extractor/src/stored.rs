//! The shards that earlier runs have written into the output directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context;
use data::features::{Layout, Shard, StoredRows};
use data::manifest::Split;
use rayon::prelude::*;

/// The intact shards of one layout, and which of their rows belongs to which picture.
///
/// A shard that is replaced while this lives stays readable: its file stays open.
#[derive(Debug)]
pub(crate) struct Stored {
    layout: Layout,
    shards: BTreeMap<String, StoredRows>,
    by_sha256: BTreeMap<[u8; 32], (String, usize)>,
    /// Names of all shard files, intact or not, of whatever layout.
    pub(crate) files: Vec<String>,
}

impl Stored {
    /// The empty set, for a directory that does not exist yet.
    pub(crate) fn none(layout: &Layout) -> Self {
        let (shards, by_sha256, files) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { layout: layout.clone(), shards, by_sha256, files }
    }

    /// Opens and verifies every shard in `dir`. A damaged shard is logged and counts as absent, as does
    /// one of another layout.
    ///
    /// # Errors
    /// If the directory cannot be listed.
    pub(crate) fn open(dir: &Path, layout: &Layout) -> anyhow::Result<Self> {
        let named = || format!("cannot list {}", dir.display());
        let mut files = Vec::new();
        for entry in fs::read_dir(dir).with_context(named)? {
            let name = entry.with_context(named)?.file_name();
            files.extend(name.to_str().filter(|name| is_shard_file_name(name)).map(str::to_owned));
        }
        files.sort();
        let opened: Vec<_> = files.par_iter().map(|file| StoredRows::open(&dir.join(file))).collect();
        let mut stored = Self { files, ..Self::none(layout) };
        for (file, opened) in stored.files.iter().zip(opened) {
            match opened {
                Ok(shard) if same_but_for_names(shard.layout(), layout) => {
                    stored
                        .by_sha256
                        .extend(shard.by_sha256().into_iter().map(|(digest, i)| (digest, (file.clone(), i))));
                    stored.shards.insert(file.clone(), shard);
                }
                Ok(shard) => tracing::debug!("{file} is of another recipe: {}", shard.layout().recipe),
                Err(error) => tracing::warn!("computing {file} again: {error:#}"),
            }
        }
        Ok(stored)
    }

    /// Returns the names of the intact shards of this layout.
    pub(crate) fn file_names(&self) -> impl Iterator<Item = &str> {
        self.shards.keys().map(String::as_str)
    }

    /// Appends the features of the picture with this digest to `features`.
    ///
    /// # Errors
    /// If there are none, or they cannot be read.
    pub(crate) fn read_features(&self, sha256: &[u8; 32], features: &mut Vec<f32>) -> anyhow::Result<()> {
        let (file, i) = self.by_sha256.get(sha256).context("a picture without features was asked for")?;
        self.shards[file].read_row(*i, features)
    }

    /// Whether the picture with this digest has features.
    pub(crate) fn knows(&self, sha256: &[u8; 32]) -> bool {
        self.by_sha256.contains_key(sha256)
    }

    /// Whether the file called `file` holds exactly these pictures under these labels and row numbers.
    pub(crate) fn holds(&self, file: &str, expected: &Shard) -> bool {
        self.shards.get(file).is_some_and(|found| {
            found.layout() == &self.layout
                && found.rows() == expected.rows
                && found.labels() == expected.labels
                && found.sha256() == expected.sha256
        })
    }
}

/// Whether two layouts are of the same features; the name of the weights may differ.
fn same_but_for_names(a: &Layout, b: &Layout) -> bool {
    let mut renamed = a.clone();
    renamed.recipe.weights.clone_from(&b.recipe.weights);
    renamed.recipe.weights_trained = b.recipe.weights_trained;
    renamed == *b
}

/// Whether `name` is `<split>-<number>.safetensors`, a name that this stage gives.
fn is_shard_file_name(name: &str) -> bool {
    let Some((split, number)) = name.strip_suffix(".safetensors").and_then(|stem| stem.split_once('-'))
    else {
        return false;
    };
    split.parse::<Split>().is_ok() && number.len() >= 5 && number.bytes().all(|b| b.is_ascii_digit())
}
