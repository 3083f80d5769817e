//! The features of a split, shard after shard, behind one row number.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::index::Index;
use super::shard::StoredRows;
use crate::manifest::Split;

/// A feature directory whose index has been read; no shard is opened before [`Features::open_split`].
#[derive(Debug)]
pub struct Features {
    dir: PathBuf,
    /// The index.
    pub index: Index,
}

impl Features {
    /// Reads the index of `dir`.
    ///
    /// # Errors
    /// As [`Index::read`].
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        Ok(Self { dir: dir.to_owned(), index: Index::read(dir)? })
    }

    /// Maps and verifies the shards of one split.
    ///
    /// # Errors
    /// Names the shard that is missing, damaged, of a foreign recipe, or has a label beyond the classes.
    pub fn open_split(&self, split: Split) -> anyhow::Result<SplitFeatures> {
        let mut opened =
            SplitFeatures { n_features: self.index.layout.n_features(), ..SplitFeatures::default() };
        for entry in self.index.shards.get(&split).map(Vec::as_slice).unwrap_or_default() {
            let path = self.dir.join(&entry.file);
            let stored = StoredRows::open(&path)?;
            self.index.layout.recipe.ensure_same(&stored.layout().recipe, &path, "the extractor again")?;
            anyhow::ensure!(
                stored.layout() == &self.index.layout && stored.len() == entry.n,
                "{} does not fit {}: it holds {} pictures as {} {:?}; run the extractor again",
                path.display(),
                Index::FILE_NAME,
                stored.len(),
                stored.layout().dtype,
                stored.layout().shape,
            );
            if let Some(i) = stored.labels().iter().position(|&l| l as usize >= self.index.classes.len()) {
                anyhow::bail!(
                    "{}: row {i} has label {}, but there are {} classes; run the extractor again",
                    path.display(),
                    stored.labels()[i],
                    self.index.classes.len()
                );
            }
            opened.labels.extend_from_slice(stored.labels());
            opened.rows.extend_from_slice(stored.rows());
            opened.starts.push(opened.labels.len() - stored.len());
            opened.shards.push(stored);
        }
        Ok(opened)
    }
}

/// The features of one split.
#[derive(Debug, Default)]
pub struct SplitFeatures {
    shards: Vec<StoredRows>,
    starts: Vec<usize>,
    labels: Vec<u32>,
    rows: Vec<u32>,
    n_features: usize,
}

impl SplitFeatures {
    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether the split has no picture.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// D, the features of one picture.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Labels, one a picture.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Row numbers of the manifest, one a picture.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The D features of picture `i`.
    ///
    /// # Panics
    /// If `i` is not below [`SplitFeatures::len`].
    pub fn row(&self, i: usize) -> Cow<'_, [f32]> {
        let shard = self.starts.partition_point(|&start| start <= i) - 1;
        self.shards[shard].row(i - self.starts[shard])
    }
}
