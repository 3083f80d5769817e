//! Writes the folders `train`, `valid` and `test` below `--out`, for people and for tools that need folders.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use data::commit::{self, Pending};
use data::manifest::{Row, Split};
use data::photo::{self, Limits};
use data::{provenance, stage};

use crate::args::Tree;

/// Returns the names of all files of the tree, relative to `--out`.
pub(crate) fn names(rows: &[Row], tree: Tree) -> BTreeSet<String> {
    let rows = rows.iter().filter(|_| tree != Tree::None);
    rows.map(|row| format!("{}/{}/{}", row.split, row.class, name(row))).collect()
}

/// Places `rows` in the tree below `out`.
///
/// # Errors
/// Names the picture that could not be placed.
pub(crate) fn write(out: &Path, rows: &[Row], tree: Tree) -> anyhow::Result<()> {
    if tree == Tree::None {
        return Ok(());
    }
    let mut folders = BTreeSet::new();
    for row in rows {
        stage::check_interrupted()?;
        let folder = out.join(row.split.name()).join(&row.class);
        if folders.insert(folder.clone()) {
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        place(out, row, &folder.join(name(row)), tree)?;
    }
    let splits = Split::ALL.map(|split| out.join(split.name()));
    folders
        .iter()
        .chain(splits.iter().filter(|split| split.exists()))
        .try_for_each(|dir| commit::sync_directory(dir))
}

/// Returns the file name of a picture.
fn name(row: &Row) -> &str {
    row.path.rsplit('/').next().unwrap_or(&row.path)
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
            commit::write_name(target, |temporary| fs::hard_link(&source, temporary)).map_err(|e| {
                match e.kind() {
                    io::ErrorKind::CrossesDevices => anyhow::anyhow!(
                        "{}: they lie on different file systems, which a hard link cannot cross; \
                     use --tree copy or --tree symlink",
                        shown()
                    ),
                    _ => anyhow::Error::new(e).context(shown()),
                }
            })
        }
        Tree::Symlink => {
            // The link is in <split>/<class>/, two folders below the manifest.
            let pointee = Path::new("../..").join(&row.path);
            if fs::read_link(target).is_ok_and(|old| old == pointee) {
                return Ok(());
            }
            commit::write_name(target, |temporary| symlink(&pointee, temporary)).with_context(shown)
        }
        Tree::Copy => {
            let is_file = fs::symlink_metadata(target).is_ok_and(|m| m.is_file());
            // A hard link to the picture has the same bytes, but is not a copy.
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
