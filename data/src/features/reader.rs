//! The features of a split, shard after shard, behind one row number.

use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::index::{Index, ShardEntry};
use super::matrix::FeatureMatrix;
use super::stored::StoredRows;
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

    /// Opens and verifies the shards of one split, each against the index.
    ///
    /// # Errors
    /// Names the shard that is missing, damaged, another one than the index lists, or has a row or a label that
    /// cannot be.
    pub fn open_split(&self, split: Split) -> anyhow::Result<SplitFeatures> {
        let entries = self.index.shards.get(&split).map(Vec::as_slice).unwrap_or_default();
        let shards = entries.par_iter().map(|entry| self.open_shard(entry)).collect::<Vec<_>>();
        let n_features = self.index.layout.n_features();
        let mut opened = SplitFeatures { n_features, ..SplitFeatures::default() };
        for (entry, stored) in entries.iter().zip(shards) {
            let stored = stored?;
            opened.labels.extend_from_slice(stored.labels());
            opened.rows.extend_from_slice(stored.rows());
            opened.starts.push(opened.labels.len() - stored.len());
            opened.shards.push(stored);
            let ascending = opened.rows.is_sorted_by(|a, b| a < b);
            let last = opened.rows.last().map_or(0, |&row| row as usize + 1);
            anyhow::ensure!(
                ascending && last <= self.index.n_pictures(),
                "{}: its manifest rows are not those after the shard before it; run the extractor again",
                self.dir.join(&entry.file).display()
            );
        }
        Ok(opened)
    }

    fn open_shard(&self, entry: &ShardEntry) -> anyhow::Result<StoredRows> {
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
        anyhow::ensure!(
            stored.file_sha256() == entry.sha256,
            "{} is another shard than the one that {} lists: its sha256 is {}, expected {}; run the extractor \
             again",
            path.display(),
            Index::FILE_NAME,
            stored.file_sha256(),
            entry.sha256
        );
        Ok(stored)
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

    /// Reads the features of the pictures `indices`, (n, D).
    ///
    /// # Errors
    /// If a shard cannot be read, or was changed since it was verified.
    ///
    /// # Panics
    /// If an index is not below [`SplitFeatures::len`].
    pub fn read(&self, indices: &[usize]) -> anyhow::Result<FeatureMatrix> {
        let mut values = Vec::with_capacity(indices.len() * self.n_features);
        for &i in indices {
            self.read_row(i, &mut values)?;
        }
        FeatureMatrix::new(values, self.n_features)
    }

    /// Reads the features of picture `i`, (D).
    ///
    /// # Errors
    /// As [`SplitFeatures::read`].
    ///
    /// # Panics
    /// As [`SplitFeatures::read`].
    pub fn row(&self, i: usize) -> anyhow::Result<Vec<f32>> {
        Ok(self.read(&[i])?.into_values())
    }

    /// Appends the D features of picture `i` to `features`.
    fn read_row(&self, i: usize, features: &mut Vec<f32>) -> anyhow::Result<()> {
        let shard = self.starts.partition_point(|&start| start <= i) - 1;
        self.shards[shard].read_row(i - self.starts[shard], features)
    }
}
