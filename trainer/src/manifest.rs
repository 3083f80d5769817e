//! The manifest that the features were made from.

use std::path::Path;

use data::features::Index;
use data::manifest::Manifest;

/// Reads the manifest at `path`, which the features of `index` were made from.
///
/// # Errors
/// If it is missing, damaged or another one.
pub(crate) fn read(path: &Path, index: &Index) -> anyhow::Result<Manifest> {
    let manifest = Manifest::read(path)?;
    anyhow::ensure!(
        manifest.sha256 == index.manifest_sha256,
        "{} is not the manifest that the features were made from; run the extractor again",
        path.display()
    );
    anyhow::ensure!(
        manifest.rows.len() == index.n_pictures(),
        "{} has {} rows, the index of the features has {} pictures; run the extractor again",
        path.display(),
        manifest.rows.len(),
        index.n_pictures()
    );
    Ok(manifest)
}
