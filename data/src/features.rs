//! Bottleneck features on disk: `<split>-NNNNN.safetensors` and, written last, `index.json`.
//!
//! A shard holds the rows [256 k, 256 k + 256) of one split in manifest order, whatever the batch or
//! the number of threads. Its tensors, for n pictures of D features each:
//!
//! | tensor | shape | type | |
//! | --- | --- | --- | --- |
//! | `features` | (n, D) | f16 or f32 | channel-major, as PyTorch's `flatten` of (512, S/32, S/32) |
//! | `labels` | (n) | u32 | index into the classes of the index |
//! | `rows` | (n) | u32 | row numbers of the manifest |
//! | `sha256` | (n, 32) | u8 | digests of the pictures: what reuse keys on |
//!
//! Rejected pictures leave no row, so n may be less than 256.

mod index;
mod matrix;
mod reader;
mod shard;
mod stored;
#[cfg(test)]
mod tests;

use anyhow::Context;

pub use index::{Index, ShardEntry};
pub use matrix::FeatureMatrix;
pub use reader::{Features, SplitFeatures};
pub use shard::{Dtype, Layout, Shard, shard_file_name, shard_size, write_shard};
pub use stored::StoredRows;

/// Manifest rows of one split that one shard covers.
pub const ROWS_PER_SHARD: usize = 256;

/// The number of values in features of this shape.
///
/// # Errors
/// If there is none, or more than any memory holds.
pub fn n_values(shape: &[usize]) -> anyhow::Result<usize> {
    let n = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
    n.filter(|&n| !shape.is_empty() && n > 0 && n <= u32::MAX as usize)
        .with_context(|| format!("features of shape {shape:?} are none that can be"))
}
