//! Checks the rows of a manifest.

use std::collections::BTreeSet;
use std::path::Path;

use super::row::{IN_PLACE, Row, Split};

/// Checks that every row is valid and that the rows are consistent.
///
/// # Errors
/// Names the picture and what is wrong with its row.
pub(super) fn check_rows(rows: &[Row]) -> anyhow::Result<()> {
    let mut paths = BTreeSet::new();
    for row in rows {
        anyhow::ensure!(
            !row.path.is_empty() && !row.class.is_empty(),
            "a row has no path or no class: {row:?}"
        );
        anyhow::ensure!(
            !Path::new(&row.path).is_absolute(),
            "{:?} is absolute, expected a relative path",
            row.path
        );
        anyhow::ensure!(row.width > 0 && row.height > 0, "{:?} has no pixels", row.path);
        if let Some(crop) = row.crop {
            anyhow::ensure!(
                crop.fits(row.width, row.height),
                "{:?} has {} x {} pixels, but the box {crop} is not inside the picture",
                row.path,
                row.width,
                row.height
            );
            anyhow::ensure!(row.augmented.is_none(), "{:?} is an augmented copy and has a box", row.path);
        }
        anyhow::ensure!(paths.insert(row.path.as_str()), "{:?} is in two rows", row.path);
        anyhow::ensure!(
            row.augmented.is_none() || row.split == Split::Train || row.replaces_original(),
            "{:?} is an augmented copy in {}: only train pictures are augmented",
            row.path,
            row.split
        );
    }
    check_replaced(rows)?;
    for row in rows {
        if let Some(a) = row.augmented.as_ref().filter(|a| a.copy != IN_PLACE) {
            anyhow::ensure!(
                paths.contains(a.source.as_str()),
                "{:?} is a copy of {:?}, which is not in the manifest",
                row.path,
                a.source
            );
        }
    }
    Ok(())
}

/// Checks that copies replace all originals of a split or none, and those of valid and test only if also those of
/// train, so that no single test picture is replaced by mistake.
fn check_replaced(rows: &[Row]) -> anyhow::Result<()> {
    let of = |split: Split| rows.iter().filter(move |row| row.split == split);
    let is_replaced = |split: Split| of(split).any(Row::replaces_original);
    for split in Split::ALL.into_iter().filter(|&split| is_replaced(split)) {
        if let Some(row) = of(split).find(|row| !row.replaces_original()) {
            anyhow::bail!(
                "{:?} is an original, but {split} has rows with copy 0: its originals must be all replaced or none",
                row.path
            );
        }
        anyhow::ensure!(
            is_replaced(Split::Train),
            "the rows of {split} have copy 0, but those of train do not: {split} pictures are never augmented alone"
        );
    }
    Ok(())
}
