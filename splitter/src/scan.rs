//! Lists the classes below `--images` and the files in them, sorted by bytes.
//!
//! Every file of a class folder that is not hidden is a candidate, with any name. Links are not followed, and no
//! file is opened, unless the folder looks like the wrong one.

use std::ffi::{OsStr, OsString};
use std::fs::{self, FileType};
use std::path::Path;

use anyhow::Context;
use data::manifest::Split;
use data::photo::{has_picture_name, is_hidden};
use serde::Serialize;

use crate::names;

/// Names of folders that are the parts of a tree that is split already.
const SPLIT_NAMES: [&str; 5] = ["train", "valid", "val", "validation", "test"];

mod level;

/// The classes and files that were found.
#[derive(Debug)]
pub(crate) struct Listing {
    /// Names of the class folders, sorted by bytes; a class is an index into this.
    pub(crate) classes: Vec<String>,
    /// Sorted by class, then by the name's bytes.
    pub(crate) candidates: Vec<Candidate>,
    /// Numbers of ignored directory entries.
    pub(crate) ignored: Ignored,
}

/// A file in a class folder. There may be hundreds of thousands: keep it small.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) class: u32,
    /// Split by the lists of `--split-list`.
    pub(crate) listed: Option<Split>,
    pub(crate) name: Box<OsStr>,
}

/// Numbers of ignored directory entries.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Ignored {
    /// Names with a leading dot, and files that file managers create.
    pub(crate) hidden: usize,
    /// Files and links beside the class folders.
    pub(crate) beside_class_folders: usize,
    /// Folders inside class folders.
    pub(crate) nested_folders: usize,
}

impl Listing {
    /// Removes the candidates that no list names, and the classes without any other.
    pub(crate) fn keep_listed(&mut self) {
        self.candidates.retain(|c| c.listed.is_some());
        let mut classes = Vec::new();
        for same_class in self.candidates.chunk_by_mut(|a, b| a.class == b.class) {
            let class = classes.len() as u32;
            classes.push(std::mem::take(&mut self.classes[same_class[0].class as usize]));
            same_class.iter_mut().for_each(|c| c.class = class);
        }
        self.classes = classes;
    }
}

/// Lists the class folders in `images` and their files.
///
/// # Errors
/// If a folder cannot be listed, there are no class folders, or the folder looks like the wrong one.
pub(crate) fn list(images: &Path) -> anyhow::Result<Listing> {
    let mut listing = Listing { classes: Vec::new(), candidates: Vec::new(), ignored: Ignored::default() };
    let mut already_split = Vec::new();
    let mut n_linked = 0;
    for (name, kind) in sorted_entries(images)? {
        if is_hidden(&name) {
            listing.ignored.hidden += 1;
            continue;
        }
        if !kind.is_dir() {
            listing.ignored.beside_class_folders += 1;
            if kind.is_symlink() && images.join(&name).is_dir() {
                n_linked += 1;
                tracing::warn!(
                    "{} is a link and ignored: links are not followed",
                    images.join(&name).display()
                );
            }
            continue;
        }
        let Some(class) = name.to_str() else {
            anyhow::bail!(
                "the class folder {} has a name that is not UTF-8; rename it",
                images.join(&name).display()
            );
        };
        let n_nested_before = listing.ignored.nested_folders;
        list_class(&images.join(class), &mut listing)?;
        let is_split_name = SPLIT_NAMES.iter().any(|split| class.eq_ignore_ascii_case(split));
        if is_split_name {
            already_split.push((class.to_owned(), listing.ignored.nested_folders > n_nested_before));
        }
        listing.classes.push(class.to_owned());
    }
    refuse_split_tree(images, &already_split)?;
    refuse_wrong_level(images, &listing, n_linked)?;
    names::warn_of_alike(&listing.classes);
    Ok(listing)
}

fn list_class(dir: &Path, listing: &mut Listing) -> anyhow::Result<()> {
    let class = u32::try_from(listing.classes.len()).context("more classes than can be counted")?;
    let n_nested_before = listing.ignored.nested_folders;
    for (name, kind) in sorted_entries(dir)? {
        if is_hidden(&name) {
            listing.ignored.hidden += 1;
        } else if kind.is_dir() && !has_picture_name(&name) {
            listing.ignored.nested_folders += 1;
        } else {
            listing.candidates.push(Candidate { class, listed: None, name: name.into_boxed_os_str() });
        }
    }
    let n_nested = listing.ignored.nested_folders - n_nested_before;
    if n_nested > 0 {
        tracing::warn!("{} contains {n_nested} folders: their files are ignored", dir.display());
    }
    Ok(())
}

fn sorted_entries(dir: &Path) -> anyhow::Result<Vec<(OsString, FileType)>> {
    let list = || -> std::io::Result<Vec<(OsString, FileType)>> {
        fs::read_dir(dir)?.map(|entry| entry.and_then(|e| Ok((e.file_name(), e.file_type()?)))).collect()
    };
    let mut entries = list().with_context(|| format!("cannot list the folder {}", dir.display()))?;
    entries.sort_unstable_by(|a, b| a.0.as_encoded_bytes().cmp(b.0.as_encoded_bytes()));
    Ok(entries)
}

/// Refuses an `images` that is split already: two folders such as train and test, or one of them with folders.
fn refuse_split_tree(images: &Path, found: &[(String, bool)]) -> anyhow::Result<()> {
    if !found.iter().any(|(_, nested)| *nested || found.len() > 1) {
        return Ok(());
    }
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    anyhow::bail!(
        "{} looks like a tree that is split already: it contains {}, which would become classes; \
         pass the folder of class folders{}, or move these folders out of it",
        images.display(),
        names.join(", "),
        level::hint(images, ", such as")
    )
}

fn refuse_wrong_level(images: &Path, listing: &Listing, n_linked: usize) -> anyhow::Result<()> {
    let shown = images.display();
    if listing.classes.is_empty() {
        anyhow::ensure!(
            n_linked == 0,
            "--images {shown} contains no class folders but {n_linked} links to folders, and links are not followed; \
             pass the folder that the links lead to, or copy the folders"
        );
        let parent = Path::new("..");
        let parent =
            images.parent().map_or(parent, |p| if p.as_os_str().is_empty() { Path::new(".") } else { p });
        anyhow::ensure!(
            !level::holds_pictures(images),
            "--images {shown} contains pictures but no class folders; if it is a class itself, pass --images {}",
            parent.display()
        );
        anyhow::bail!("--images {shown} contains no class folders; expected {shown}/<class>/<picture>.jpg");
    }
    if listing.ignored.nested_folders > 0
        && !listing.classes.iter().any(|class| level::holds_pictures(&images.join(class)))
    {
        anyhow::bail!(
            "the folders in --images {shown} contain no pictures but folders{}",
            level::hint(images, "; perhaps")
        );
    }
    Ok(())
}
