//! Where the pictures lie as seen from the manifest.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

/// Refuses an `--images` that is no folder.
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

/// The relative path from `out` to `images`, with `/` between the parts.
///
/// # Errors
/// If one of them lies inside the other: outputs among the inputs would be taken for a class the next
/// time, and the other way round a cleaned output directory would take the pictures with it.
pub(crate) fn prefix(images: &Path, out: &Path) -> anyhow::Result<String> {
    let (real_images, real_out) = (real(images)?, real(out)?);
    let (shown_images, shown_out) = (images.display(), out.display());
    anyhow::ensure!(
        !real_out.starts_with(&real_images),
        "--out {shown_out} lies inside --images {shown_images} and would become a class of it; choose a folder beside it"
    );
    anyhow::ensure!(
        !real_images.starts_with(&real_out),
        "--images {shown_images} lies inside --out {shown_out}; choose a folder beside it, such as {}",
        out.join("split").display()
    );
    // Through the name that the user gave: where `raw` is a link, the manifest says ../raw, and goes
    // on being right when the link is moved. `out` is where `..` starts from, so its links are resolved.
    let named_images = match (images.parent(), images.file_name()) {
        (Some(parent), Some(name)) => real(parent)?.join(name),
        _ => real_images,
    };
    relative(&real_out, &named_images).with_context(|| {
        format!("the path from {shown_out} to {shown_images} is no UTF-8; rename the folders")
    })
}

/// `path` absolute and with links resolved as far as it exists; the rest is yet to be created.
fn real(path: &Path) -> anyhow::Result<PathBuf> {
    let named = || format!("cannot resolve {}", path.display());
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).with_context(named)?;
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
        if let Ok(resolved) = fs::canonicalize(&real) {
            real = resolved;
        }
    }
    Ok(real)
}

/// Both are absolute and free of `..`; `None` if a part is no UTF-8.
fn relative(from: &Path, to: &Path) -> Option<String> {
    let n_common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(n_common).map(|_| Some(".."));
    let down = to.components().skip(n_common).map(|part| part.as_os_str().to_str());
    let parts: Option<Vec<&str>> = up.chain(down).collect();
    parts.map(|parts| parts.join("/"))
}
