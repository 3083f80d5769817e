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
mod reader;
mod shard;
#[cfg(test)]
mod tests;

pub use index::{Index, ShardEntry};
pub use reader::{Features, SplitFeatures};
pub use shard::{Dtype, Layout, Shard, StoredRows, shard_file_name, shard_size, write_shard};
pub(crate) use shard::{content_sha256, metadata, serialize};

/// Manifest rows of one split that one shard covers.
pub const ROWS_PER_SHARD: usize = 256;
