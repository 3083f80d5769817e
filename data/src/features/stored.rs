//! One shard on disk: verified whole, then read row by row.
//!
//! Rows are read with positioned reads and not through a memory map: a file that somebody cuts off while it is
//! mapped kills the process without a word, while a read says that it failed.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::SystemTime;

use anyhow::Context;
use half::f16;

use super::n_values;
use super::shard::{Dtype, Layout, Metadata, tensors_of};
use crate::{envelope, regular};

/// The rows of a shard on disk, verified. The file stays open: what replaces its name does not change it.
#[derive(Debug)]
pub struct StoredRows {
    path: PathBuf,
    file: File,
    /// Of the file when it was verified.
    stamp: Stamp,
    layout: Layout,
    /// Where in the file the features begin.
    features_start: u64,
    labels: Vec<u32>,
    rows: Vec<u32>,
    sha256: Vec<[u8; 32]>,
    file_sha256: String,
}

/// What tells a file that was written into.
type Stamp = (u64, SystemTime);

impl StoredRows {
    /// Opens `path` and verifies its digest, its shapes and that every feature is finite.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        Self::open_unnamed(path).with_context(|| {
            format!("the features in {} cannot be used; run the extractor again", path.display())
        })
    }

    fn open_unnamed(path: &Path) -> anyhow::Result<Self> {
        raise_file_limit();
        let mut file = regular::open(path)?;
        let stamp = stamp(&file)?;
        let header = envelope::Header::read(&mut file)?;
        let Metadata { layout, .. } = header.metadata(path)?;
        n_values(&layout.shape)?;
        let file_sha256 = header.verify(&mut file)?;

        let info = |name: &str| header.tensors.info(name).with_context(|| format!("it has no tensor {name}"));
        let n = info("rows")?.shape.first().copied().unwrap_or(0);
        let mut places = Vec::new();
        for (name, dtype, shape) in tensors_of(&layout, n) {
            let found = info(name)?;
            anyhow::ensure!(
                found.dtype == dtype && found.shape == shape,
                "{name} is {:?} {:?}, expected {dtype:?} {shape:?}",
                found.dtype,
                found.shape
            );
            let (start, end) = found.data_offsets;
            places.push((header.data_start + start as u64, end - start));
        }
        let part = |(start, length): (u64, usize)| -> anyhow::Result<Vec<u8>> {
            let mut bytes = vec![0; length];
            read_exact_at(&file, &mut bytes, start)?;
            Ok(bytes)
        };
        let labels = bytemuck::pod_collect_to_vec(&part(places[1])?);
        let rows = bytemuck::pod_collect_to_vec(&part(places[2])?);
        let sha256 = bytemuck::pod_collect_to_vec(&part(places[3])?);
        let (path, features_start) = (path.to_owned(), places[0].0);
        let stored = Self { path, file, stamp, layout, features_start, labels, rows, sha256, file_sha256 };
        let mut features = Vec::with_capacity(stored.layout.n_features());
        for i in 0..n {
            features.clear();
            stored.read_row(i, &mut features)?;
            anyhow::ensure!(
                features.iter().all(|x| x.is_finite()),
                "row {i} (manifest row {}) holds a value that is not finite",
                stored.rows[i]
            );
        }
        Ok(stored)
    }

    /// n, the number of pictures.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How the features were made and stored.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Appends the D features of the `i`-th picture to `features`.
    ///
    /// # Errors
    /// If the file cannot be read, or was written into since it was verified.
    ///
    /// # Panics
    /// If `i` is not below [`StoredRows::len`].
    pub fn read_row(&self, i: usize, features: &mut Vec<f32>) -> anyhow::Result<()> {
        assert!(i < self.len(), "row {i} of {}", self.len());
        let n = self.layout.n_features();
        let n_bytes = n * self.layout.dtype.size();
        let at = self.features_start + (i * n_bytes) as u64;
        let start = features.len();
        features.resize(start + n, 0.0);
        let values = &mut features[start..];
        let read = match self.layout.dtype {
            Dtype::F32 => read_exact_at(&self.file, bytemuck::cast_slice_mut(values), at),
            Dtype::F16 => {
                let mut bytes = vec![0; n_bytes];
                let read = read_exact_at(&self.file, &mut bytes, at);
                let halves = bytes.as_chunks().0.iter().map(|&half| f16::from_le_bytes(half).to_f32());
                values.iter_mut().zip(halves).for_each(|(value, half)| *value = half);
                read
            }
        };
        let named = || format!("cannot read row {i} of {}; run the extractor again", self.path.display());
        read.with_context(named)?;
        anyhow::ensure!(
            stamp(&self.file)? == self.stamp,
            "{} was changed while it was read; run the extractor again",
            self.path.display()
        );
        Ok(())
    }

    /// Labels, one a picture.
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Row numbers of the manifest, one a picture.
    pub fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Digests of the pictures.
    pub fn sha256(&self) -> &[[u8; 32]] {
        &self.sha256
    }

    /// The digest of the file, as [`super::ShardEntry`] has it.
    pub fn file_sha256(&self) -> &str {
        &self.file_sha256
    }

    /// Where each picture stands, by its digest.
    pub fn by_sha256(&self) -> BTreeMap<[u8; 32], usize> {
        self.sha256.iter().enumerate().map(|(i, digest)| (*digest, i)).collect()
    }
}

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let about = file.metadata()?;
    Ok((about.len(), about.modified()?))
}

/// Every shard stays open, and a shell often allows a process 1024 files or, on a Mac, 256.
fn raise_file_limit() {
    static RAISED: Once = Once::new();
    #[cfg(unix)]
    RAISED.call_once(|| {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        // More than macOS's own bound per process is refused there.
        let wanted = limit.maximum.map_or(10_240, |most| most.min(1 << 16));
        if limit.current.is_none_or(|now| now >= wanted) {
            return;
        }
        limit.current = Some(wanted);
        // Where it cannot be raised, opening one shard too many says so.
        let _ = setrlimit(Resource::Nofile, limit);
    });
    #[cfg(not(unix))]
    RAISED.call_once(|| {});
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], at: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            n => {
                bytes = &mut bytes[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}
