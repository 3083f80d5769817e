//! Which rows go into which shard: a function of the manifest and nothing else, so that a shard is the
//! same whatever the batch, the machine, or the run that made it.

use data::features::{ROWS_PER_SHARD, Shard, shard_file_name};
use data::manifest::{Manifest, Split};

/// The rows of the manifest whose features one shard holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ShardRows {
    /// The name of the shard's file.
    pub(crate) file: String,
    pub(crate) split: Split,
    /// Row numbers of the manifest, ascending.
    pub(crate) rows: Vec<u32>,
}

/// Divides the rows of `manifest` among shards: for each split its rows in manifest order, 256 at a time.
///
/// # Errors
/// If there is no row.
pub(crate) fn shards_of(manifest: &Manifest) -> anyhow::Result<Vec<ShardRows>> {
    anyhow::ensure!(!manifest.rows.is_empty(), "nothing to extract: {} has no rows", manifest.path.display());
    anyhow::ensure!(
        u32::try_from(manifest.rows.len()).is_ok(),
        "{} has more than 2^32 rows",
        manifest.path.display()
    );
    let of_split = |split: Split| {
        let rows: Vec<u32> =
            (0u32..).zip(&manifest.rows).filter(|(_, row)| row.split == split).map(|(i, _)| i).collect();
        let shards: Vec<ShardRows> = rows
            .chunks(ROWS_PER_SHARD)
            .enumerate()
            .map(|(number, rows)| ShardRows {
                file: shard_file_name(split, number),
                split,
                rows: rows.to_vec(),
            })
            .collect();
        shards
    };
    Ok(Split::ALL.into_iter().flat_map(of_split).collect())
}

/// Gives everything that a shard holds of `rows` except the features.
pub(crate) fn without_features(manifest: &Manifest, rows: &[u32]) -> Shard {
    let row = |&i: &u32| &manifest.rows[i as usize];
    Shard {
        features: Vec::new(),
        labels: rows.iter().map(|i| manifest.label(row(i))).collect(),
        rows: rows.to_vec(),
        sha256: rows.iter().map(|i| row(i).seen_sha256()).collect(),
    }
}
