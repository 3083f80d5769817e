//! The path from the manifest to the pictures.

use std::fs;
use std::path::Path;

use anyhow::Context;
use data::manifest;
use data::overlap::real;

/// Checks that `--images` is a folder.
pub(crate) fn check_images(images: &Path) -> anyhow::Result<()> {
    let metadata =
        fs::metadata(images).with_context(|| format!("cannot open --images {}", images.display()))?;
    anyhow::ensure!(
        metadata.is_dir(),
        "--images {} is a file, expected a folder of class folders",
        images.display()
    );
    Ok(())
}

/// Returns the relative path from `out` to `images`, with `/` between the parts.
///
/// # Errors
/// If one of them is inside the other: the next run would read outputs inside `images` as a class, and whoever
/// removes `out` would also remove the pictures inside it.
pub(crate) fn prefix(images: &Path, out: &Path) -> anyhow::Result<String> {
    let (real_images, real_out) = (real(images)?, real(out)?);
    let (shown_images, shown_out) = (images.display(), out.display());
    anyhow::ensure!(
        !real_out.starts_with(&real_images),
        "--out {shown_out} is inside --images {shown_images} and would become a class of it; choose a folder beside it"
    );
    anyhow::ensure!(
        !real_images.starts_with(&real_out),
        "--images {shown_images} is inside --out {shown_out}; choose a folder beside it, such as {}",
        out.join("split").display()
    );
    // Uses the name that the user gave: if `raw` is a link, the manifest has ../raw, which stays right when
    // the target of the link changes. `..` starts from `out`, so its links are resolved.
    let named_images = match (images.parent(), images.file_name()) {
        (Some(parent), Some(name)) => real(parent)?.join(name),
        _ => real_images,
    };
    manifest::relative(&real_out, &named_images).with_context(|| {
        format!("the path from {shown_out} to {shown_images} is not UTF-8; rename the folders")
    })
}
