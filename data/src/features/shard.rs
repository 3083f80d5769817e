//! One shard on its way to disk, and what all shards have in common.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use half::f16;
use safetensors::tensor::{TensorView, View};
use serde::{Deserialize, Serialize};

use crate::commit;
use crate::envelope;
use crate::manifest::Split;
use crate::provenance::FORMAT_VERSION;
use crate::recipe::Recipe;

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
    /// D, the number of features of one picture; layouts from files were checked by [`super::n_values`].
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
pub(super) struct Metadata {
    format_version: u32,
    pub(super) layout: Layout,
}

impl Metadata {
    fn of(layout: &Layout) -> Self {
        Self { format_version: FORMAT_VERSION, layout: layout.clone() }
    }
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
    let tensors = tensors_of(layout, n)
        .into_iter()
        .zip(contents)
        .map(|((name, dtype, shape), bytes)| Ok((name, TensorView::new(dtype, shape, bytes)?)))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let bytes = envelope::serialize(tensors, &Metadata::of(layout))?;
    commit::write_bytes(path, &bytes)
}

/// Name, type and shape of each tensor of a shard of `n` rows.
pub(super) fn tensors_of(layout: &Layout, n: usize) -> [(&'static str, safetensors::Dtype, Vec<usize>); 4] {
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
    let header = envelope::lay_out(tensors, &Metadata::of(layout))?.len();
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

/// The number of the shard of `split` that is called `file`.
pub(super) fn shard_number(split: Split, file: &str) -> Option<usize> {
    let number = file.strip_prefix(&format!("{split}-"))?.strip_suffix(".safetensors")?.parse().ok()?;
    (shard_file_name(split, number) == file).then_some(number)
}
