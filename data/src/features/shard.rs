//! One shard: written whole, verified whole.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use half::f16;
use safetensors::SafeTensors;
use safetensors::tensor::{TensorView, View};
use serde::{Deserialize, Serialize};

use crate::commit;
use crate::manifest::Split;
use crate::mapped::Mapped;
use crate::provenance::{FORMAT_VERSION, canonical_json, check_version, sha256_hex};
use crate::recipe::Recipe;

/// The one metadata key of our safetensors files; several keys come out in random order.
pub(crate) const METADATA_KEY: &str = "tindogr";

/// How a feature is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Half the disk, 11 bits of precision.
    F16,
    /// As computed.
    F32,
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F16 => "f16",
            Dtype::F32 => "f32",
        })
    }
}

impl FromStr for Dtype {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        match name {
            "f16" => Ok(Dtype::F16),
            "f32" => Ok(Dtype::F32),
            _ => anyhow::bail!("{name:?} is no feature type, expected f16 or f32"),
        }
    }
}

impl Dtype {
    /// Bytes of one stored feature.
    pub fn size(self) -> usize {
        match self {
            Dtype::F16 => 2,
            Dtype::F32 => 4,
        }
    }
}

/// What all shards of a feature set have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// How the features were made.
    pub recipe: Recipe,
    /// How they are stored.
    pub dtype: Dtype,
    /// Shape of one picture's features: `[512, 7, 7]` or, pooled, `[512]`.
    pub shape: Vec<usize>,
}

impl Layout {
    /// D, the number of features of one picture.
    pub fn n_features(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The rows of one shard, in memory, on their way to disk.
#[derive(Debug, Clone, Default)]
pub struct Shard {
    /// (n, D) row-major.
    pub features: Vec<f32>,
    /// (n)
    pub labels: Vec<u32>,
    /// (n)
    pub rows: Vec<u32>,
    /// (n)
    pub sha256: Vec<[u8; 32]>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    format_version: u32,
    layout: Layout,
    /// Digest of the data of all four tensors in the order of the module's table, so that a shard can be
    /// trusted before any index exists.
    content_sha256: String,
}

/// `train-00017.safetensors`.
pub fn shard_file_name(split: Split, number: usize) -> String {
    format!("{split}-{number:05}.safetensors")
}

/// Writes one shard as `path`.
///
/// # Errors
/// If the parts have different lengths, a feature is not finite in the stored type (the caller should
/// have named its picture before), or the file cannot be written.
pub fn write_shard(path: &Path, layout: &Layout, shard: &Shard) -> anyhow::Result<()> {
    let (n, n_features) = (shard.rows.len(), layout.n_features());
    anyhow::ensure!(
        shard.labels.len() == n && shard.sha256.len() == n && shard.features.len() == n * n_features,
        "{}: {n} rows, {} labels, {} digests, {} features of {n_features} a row do not fit together",
        path.display(),
        shard.labels.len(),
        shard.sha256.len(),
        shard.features.len(),
    );
    let halves: Vec<f16>;
    let features: &[u8] = match layout.dtype {
        Dtype::F32 => bytemuck::cast_slice(&shard.features),
        Dtype::F16 => {
            halves = shard.features.iter().map(|&x| f16::from_f32(x)).collect();
            anyhow::ensure!(
                halves.iter().all(|x| x.is_finite()),
                "{}: a feature is beyond the range of f16; use --dtype f32",
                path.display()
            );
            bytemuck::cast_slice(&halves)
        }
    };
    let contents: [&[u8]; 4] = [
        features,
        bytemuck::cast_slice(&shard.labels),
        bytemuck::cast_slice(&shard.rows),
        shard.sha256.as_flattened(),
    ];
    let metadata = Metadata {
        format_version: FORMAT_VERSION,
        layout: layout.clone(),
        content_sha256: content_sha256(contents.into_iter()),
    };
    let tensors = tensors_of(layout, n)
        .into_iter()
        .zip(contents)
        .map(|((name, dtype, shape), bytes)| Ok((name, TensorView::new(dtype, shape, bytes)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let bytes = serialize(tensors, &metadata)?;
    commit::write_bytes(path, &bytes)
}

/// Name, type and shape of each tensor of a shard of `n` rows.
fn tensors_of(layout: &Layout, n: usize) -> [(&'static str, safetensors::Dtype, Vec<usize>); 4] {
    let dtype = match layout.dtype {
        Dtype::F32 => safetensors::Dtype::F32,
        Dtype::F16 => safetensors::Dtype::F16,
    };
    [
        ("features", dtype, vec![n, layout.n_features()]),
        ("labels", safetensors::Dtype::U32, vec![n]),
        ("rows", safetensors::Dtype::U32, vec![n]),
        ("sha256", safetensors::Dtype::U8, vec![n, 32]),
    ]
}

/// Bytes of the file that [`write_shard`] makes of `n` rows.
///
/// # Errors
/// Never for a layout that can be written.
pub fn shard_size(layout: &Layout, n: usize) -> anyhow::Result<u64> {
    let tensors = tensors_of(layout, n).map(|(name, dtype, shape)| (name, Hollow { dtype, shape }));
    let data: usize = tensors.iter().map(|(_, tensor)| tensor.data_len()).sum();
    let content_sha256 = "0".repeat(64);
    let metadata = Metadata { format_version: FORMAT_VERSION, layout: layout.clone(), content_sha256 };
    let header = serialize(tensors, &metadata)?.len();
    Ok((header + data) as u64)
}

/// A tensor without its content: what comes before the content in a file of it is the same.
struct Hollow {
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
}

impl View for Hollow {
    fn dtype(&self) -> safetensors::Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&[])
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// safetensors bytes of `tensors` with `metadata` under the one key.
pub(crate) fn serialize<'a>(
    tensors: impl IntoIterator<Item = (&'a str, impl View)>,
    metadata: &impl Serialize,
) -> anyhow::Result<Vec<u8>> {
    let metadata = [(METADATA_KEY.to_owned(), canonical_json(metadata)?)].into();
    Ok(safetensors::serialize(tensors, Some(metadata))?)
}

/// The metadata under the one key of `bytes`, after a look at its format version.
pub(crate) fn metadata<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> anyhow::Result<T> {
    let foreign = || format!("{} is no file of this program", path.display());
    let (_, header) = SafeTensors::read_metadata(bytes)
        .with_context(|| format!("{} is damaged or no safetensors file", path.display()))?;
    let text = header.metadata().as_ref().and_then(|m| m.get(METADATA_KEY)).with_context(foreign)?;
    let value: serde_json::Value = serde_json::from_str(text).with_context(foreign)?;
    check_version(path, value.get("format_version"))?;
    serde_json::from_value(value).with_context(foreign)
}

/// Digest of `parts`, each with its length before it.
pub(crate) fn content_sha256<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    use sha2::Digest;
    let mut digest = sha2::Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    crate::provenance::to_hex(&digest.finalize().into())
}

/// The rows of a shard on disk, mapped and verified.
#[derive(Debug)]
pub struct StoredRows {
    map: Mapped,
    layout: Layout,
    features: std::ops::Range<usize>,
    labels: Vec<u32>,
    rows: Vec<u32>,
    sha256: Vec<[u8; 32]>,
}

impl StoredRows {
    /// Opens `path` and verifies its digest, its shapes and that every feature is finite.
    ///
    /// # Errors
    /// Names the file and what is wrong with it.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let map = Mapped::open(path)?;
        let Metadata { layout, content_sha256: expected, .. } = metadata(path, &map)?;
        let tensors =
            SafeTensors::deserialize(&map).with_context(|| format!("{} is damaged", path.display()))?;
        let part = |name: &str, dtype, shape: &[usize]| -> anyhow::Result<&[u8]> {
            let tensor =
                tensors.tensor(name).with_context(|| format!("{}: no tensor {name}", path.display()))?;
            anyhow::ensure!(
                tensor.dtype() == dtype && tensor.shape() == shape,
                "{}: {name} is {:?} {:?}, expected {dtype:?} {shape:?}",
                path.display(),
                tensor.dtype(),
                tensor.shape()
            );
            // Taken from the map, so that its lifetime is the map's and not the view's.
            let start = tensor.data().as_ptr() as usize - map.as_ptr() as usize;
            Ok(&map[start..start + tensor.data().len()])
        };
        let n = tensors.tensor("rows").map(|t| t.shape().first().copied().unwrap_or(0)).unwrap_or(0);
        let dtype = match layout.dtype {
            Dtype::F32 => safetensors::Dtype::F32,
            Dtype::F16 => safetensors::Dtype::F16,
        };
        let features = part("features", dtype, &[n, layout.n_features()])?;
        let labels = part("labels", safetensors::Dtype::U32, &[n])?;
        let rows = part("rows", safetensors::Dtype::U32, &[n])?;
        let sha256 = part("sha256", safetensors::Dtype::U8, &[n, 32])?;
        anyhow::ensure!(
            content_sha256([features, labels, rows, sha256].into_iter()) == expected,
            "{} is damaged: its content does not have the digest it was written with; run the extractor again",
            path.display()
        );
        let start = features.as_ptr() as usize - map.as_ptr() as usize;
        let stored = Self {
            features: start..start + features.len(),
            labels: bytemuck::pod_collect_to_vec(labels),
            rows: bytemuck::pod_collect_to_vec(rows),
            sha256: bytemuck::pod_collect_to_vec(sha256),
            layout,
            map,
        };
        for i in 0..n {
            anyhow::ensure!(
                stored.row(i).iter().all(|x| x.is_finite()),
                "{}: row {i} (manifest row {}) holds a value that is not finite; run the extractor again",
                path.display(),
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

    /// The D features of the `i`-th picture; borrowed from the map where they are stored as f32.
    ///
    /// # Panics
    /// If `i` is not below [`StoredRows::len`].
    pub fn row(&self, i: usize) -> Cow<'_, [f32]> {
        let n_bytes = self.layout.n_features() * self.layout.dtype.size();
        let bytes = &self.map[self.features.clone()][i * n_bytes..(i + 1) * n_bytes];
        match self.layout.dtype {
            // safetensors aligns to 8 bytes and a map to a page, so the copy is for foreign files only.
            Dtype::F32 => bytemuck::try_cast_slice(bytes)
                .map_or_else(|_| Cow::Owned(bytemuck::pod_collect_to_vec(bytes)), Cow::Borrowed),
            Dtype::F16 => {
                Cow::Owned(bytes.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32()).collect())
            }
        }
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

    /// Where each picture stands, by its digest.
    pub fn by_sha256(&self) -> BTreeMap<[u8; 32], usize> {
        self.sha256.iter().enumerate().map(|(i, digest)| (*digest, i)).collect()
    }
}

/// Digest of a file that was just written, for the index.
pub(crate) fn digest_of(path: &Path) -> anyhow::Result<String> {
    Ok(sha256_hex(&Mapped::open(path)?))
}
