//! The folders `train`, `valid` and `test` below `--out`, for people and for tools that want folders.
//!
//! All that lies below these three belongs to the tree: what the manifest does not name is removed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use data::commit::{self, Pending};
use data::manifest::{Row, Split};
use data::photo::{self, Limits};
use data::{provenance, stage};

use crate::Tree;

/// Makes the tree below `out` hold exactly `rows`; with [`Tree::None`], removes it.
///
/// # Errors
/// Names the picture that could not be placed.
pub(crate) fn write(out: &Path, rows: &[Row], tree: Tree) -> anyhow::Result<()> {
    let mut folders: BTreeMap<(Split, &str), BTreeMap<&str, &Row>> = BTreeMap::new();
    if tree != Tree::None {
        for row in rows {
            folders.entry((row.split, &row.class)).or_default().insert(name(row), row);
        }
    }
    // First out with the old: a picture that has moved must not stand in two splits, however this ends.
    for split in Split::ALL {
        let classes: BTreeSet<&str> = folders.keys().filter(|(s, _)| *s == split).map(|(_, c)| *c).collect();
        remove_others(&out.join(split.name()), &classes, tree == Tree::None)?;
    }
    for (&(split, class), pictures) in &folders {
        stage::check_interrupted()?;
        let folder = out.join(split.name()).join(class);
        remove_others(&folder, &pictures.keys().copied().collect(), false)?;
        fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        for (name, row) in pictures {
            place(out, row, &folder.join(name), tree)?;
        }
        commit::sync_directory(&folder)?;
    }
    for split in Split::ALL.map(|split| out.join(split.name())) {
        if split.exists() {
            commit::sync_directory(&split)?;
        }
    }
    Ok(())
}

/// The picture's own name: the last part of its path.
fn name(row: &Row) -> &str {
    row.path.rsplit('/').next().unwrap_or(&row.path)
}

/// Removes from `folder` what `wanted` does not name, and `folder` itself if nothing is wanted at all.
fn remove_others(folder: &Path, wanted: &BTreeSet<&str>, and_folder: bool) -> anyhow::Result<()> {
    let named = || format!("cannot remove old parts of the tree {}", folder.display());
    match fs::symlink_metadata(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        metadata => anyhow::ensure!(
            metadata.with_context(named)?.is_dir(),
            "{} is no folder; remove it, or choose another --out",
            folder.display()
        ),
    }
    if and_folder {
        return fs::remove_dir_all(folder).with_context(named);
    }
    for entry in fs::read_dir(folder).with_context(named)? {
        let entry = entry.with_context(named)?;
        if entry.file_name().to_str().is_some_and(|name| wanted.contains(name)) {
            continue;
        }
        if entry.file_type().with_context(named)?.is_dir() {
            fs::remove_dir_all(entry.path()).with_context(named)?;
        } else {
            commit::remove(&entry.path())?;
        }
    }
    Ok(())
}

fn place(out: &Path, row: &Row, target: &Path, tree: Tree) -> anyhow::Result<()> {
    let source = out.join(&row.path);
    let shown = || format!("cannot place {} as {}", source.display(), target.display());
    match tree {
        Tree::None => Ok(()),
        Tree::Hardlink => {
            if is_same_file(&source, target) {
                return Ok(());
            }
            link(target, |temporary| fs::hard_link(&source, temporary)).map_err(|e| match e.kind() {
                io::ErrorKind::CrossesDevices => anyhow::anyhow!(
                    "{}: they lie on different file systems, which a hard link cannot cross; \
                     use --tree copy or --tree symlink",
                    shown()
                ),
                _ => anyhow::Error::new(e).context(shown()),
            })
        }
        Tree::Symlink => {
            // The link lies in <split>/<class>/, two folders below the manifest.
            let pointee = Path::new("../..").join(&row.path);
            if fs::read_link(target).is_ok_and(|old| old == pointee) {
                return Ok(());
            }
            link(target, |temporary| symlink(&pointee, temporary)).with_context(shown)
        }
        Tree::Copy => {
            let is_file = fs::symlink_metadata(target).is_ok_and(|m| m.is_file());
            // A second name of the picture has its bytes, but is no copy.
            if is_file
                && !is_same_file(&source, target)
                && provenance::sha256_file(target).is_ok_and(|old| old == provenance::to_hex(&row.sha256))
            {
                return Ok(());
            }
            let bytes = photo::read_unchanged(&source, &row.sha256, &Limits::STANDARD).with_context(shown)?;
            let mut copy = Pending::create(target)?;
            copy.write_all(&bytes).with_context(shown)?;
            copy.commit_without_directory()
        }
    }
}

/// Makes a link under a temporary name, then gives it its own: it replaces what was there, or nothing
/// happens.
fn link(target: &Path, make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let folder = target.parent().unwrap_or(Path::new("."));
    let temporary = tempfile::Builder::new().prefix(".link.tmp.").make_in(folder, make)?;
    temporary.persist(target).map_err(|e| e.error)
}

#[cfg(unix)]
fn symlink(pointee: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(pointee, link)
}

#[cfg(windows)]
fn symlink(pointee: &Path, link: &Path) -> io::Result<()> {
    std::os::windows::fs::symlink_file(pointee, link)
}

#[cfg(unix)]
fn is_same_file(a: &Path, b: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (fs::symlink_metadata(a), fs::symlink_metadata(b)) {
        (Ok(a), Ok(b)) => (a.dev(), a.ino()) == (b.dev(), b.ino()),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> bool {
    false
}
