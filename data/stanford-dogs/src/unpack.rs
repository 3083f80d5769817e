//! Unpacks the files of an archive, each atomically, and only into their folder.
//!
//! The digests of the archives are known. Nevertheless, for any archive only regular files of the expected depth
//! and with plain names are unpacked: no links, no devices, no paths out of the folder.

use std::collections::{BTreeSet, HashSet};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use data::current::Job;
use data::stage::{self, check_interrupted};
use data::{commit, regular};
use tar::EntryType;

use crate::archives::{Archive, Layout};
use crate::args::Args;

/// Maximum number of entries, five times as many as in Stanford Dogs.
const MAX_ENTRIES: usize = 100_000;
/// Maximum bytes of one file; the largest picture has 3264 x 2562 pixels.
const MAX_BYTES: u64 = 64 << 20;

/// The unpacked files of an archive.
#[derive(Debug)]
pub(crate) struct Unpacked {
    /// Files that are as in the archive, relative to `--out`.
    pub(crate) names: Vec<String>,
    /// Number of files, with those of the user, which are not replaced.
    pub(crate) n_files: usize,
    pub(crate) n_folders: usize,
}

/// Unpacks `file` into the archive's folder of `--out`. Existing files are not written again.
///
/// # Errors
/// If an entry is refused, with its name; if the counts are not the known ones; or if the disk is full.
pub(crate) fn unpack(args: &Args, archive: &Archive, file: &Path, job: &mut Job) -> anyhow::Result<Unpacked> {
    let mut planned = Vec::new();
    for_each_file(args, archive, file, |name, _| {
        // Existing files of the user are not declared.
        if job.owns(name)? {
            planned.push(name.to_owned());
        }
        Ok(())
    })?;
    job.declare(planned)?;

    let (mut names, mut folders, mut n_files) = (Vec::new(), BTreeSet::new(), 0);
    for_each_file(args, archive, file, |name, entry| {
        let target = args.out.join(name);
        let mut bytes = Vec::with_capacity(entry.size() as usize);
        entry.read_to_end(&mut bytes).with_context(|| format!("the entry {name} is damaged"))?;
        folders.extend(target.parent().map(Path::to_owned));
        n_files += 1;
        if write_unless_there(&target, &bytes, job.owns(name)?)? {
            names.push(name.to_owned());
        } else {
            tracing::warn!("{} differs from the file in the archive, and is not replaced", target.display());
        }
        Ok(())
    })?;
    folders.iter().try_for_each(|folder| commit::sync_directory(folder))?;
    let unpacked = Unpacked { names, n_files, n_folders: folders.len() };
    check_counts(archive, &unpacked)?;
    Ok(unpacked)
}

/// Calls `visit` for each file of the archive `file`, with its name relative to `--out`.
fn for_each_file(
    args: &Args,
    archive: &Archive,
    file: &Path,
    mut visit: impl FnMut(&str, &mut tar::Entry<'_, BufReader<File>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = stage::progress_of_bytes(&args.common, archive.size).with_message(archive.folder);
    let mut tar = tar::Archive::new(BufReader::with_capacity(1 << 20, regular::open(file)?));
    let mut seen = HashSet::new();
    for (n, entry) in tar.entries_with_seek()?.enumerate() {
        check_interrupted()?;
        ensure!(n < MAX_ENTRIES, "it has more than {MAX_ENTRIES} entries");
        let mut entry = entry.context("it is damaged")?;
        bar.set_position(entry.raw_file_position());
        let path = entry.path_bytes().into_owned();
        let shown = String::from_utf8_lossy(&path).into_owned();
        let kind = entry.header().entry_type();
        let Some((class, name)) =
            place(archive.layout, &path, kind).with_context(|| format!("the entry {shown:?} is refused"))?
        else {
            continue;
        };
        let within = class.map_or_else(String::new, |class| format!("{class}/"));
        let target = format!("{}/{within}{name}", archive.folder);
        // Names that differ only in case are one file on macOS and Windows.
        ensure!(
            seen.insert(target.to_ascii_lowercase()),
            "the entry {shown:?} is refused: there is already one with this name"
        );
        ensure!(
            entry.size() <= MAX_BYTES,
            "the entry {shown:?} is refused: {} bytes, expected at most {MAX_BYTES}",
            entry.size()
        );
        visit(&target, &mut entry)?;
    }
    Ok(())
}

/// Returns class and name of a file to be written; `None` for folders and files that archivers create.
fn place(layout: Layout, path: &[u8], kind: EntryType) -> anyhow::Result<Option<(Option<&str>, &str)>> {
    let path = str::from_utf8(path).context("its name is not UTF-8")?;
    ensure!(!path.starts_with('/'), "its path is absolute");
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').filter(|part| *part != ".").collect();
    ensure!(!parts.contains(&".."), "its path leads out of the folder");
    match kind {
        EntryType::Directory => return Ok(None),
        EntryType::Regular => {}
        other => bail!("it is neither a file nor a folder ({other:?})"),
    }
    let Some((name, above)) = parts.split_last() else { bail!("it has no name") };
    let class = match (layout, above) {
        (Layout::Flat, []) => None,
        (Layout::Classes(root), [first, class]) if *first == root => Some(*class),
        (Layout::Flat, _) => bail!("expected <file>"),
        (Layout::Classes(root), _) => bail!("expected {root}/<class>/<file>"),
    };
    if name.starts_with('.') {
        return Ok(None); // as `._n02085620_7.jpg` of a Mac
    }
    ensure!(
        class.is_none_or(is_plain) && is_plain(name),
        "its name has other characters than A-Z a-z 0-9 _ - ."
    );
    Ok(Some((class, name)))
}

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Writes the file if it is missing; an existing one that is not `ours` is not replaced. Returns whether it is as in
/// the archive.
fn write_unless_there(target: &Path, bytes: &[u8], ours: bool) -> anyhow::Result<bool> {
    let same_length = fs::metadata(target).is_ok_and(|m| m.len() == bytes.len() as u64);
    if same_length && regular::read(target, MAX_BYTES).is_ok_and(|found| found == bytes) {
        return Ok(true);
    }
    if !ours {
        return Ok(false);
    }
    let mut pending = commit::Pending::create(target)?;
    std::io::Write::write_all(&mut pending, bytes)
        .with_context(|| format!("cannot write {}", target.display()))?;
    pending.commit_without_directory().map(|()| true)
}

fn check_counts(archive: &Archive, unpacked: &Unpacked) -> anyhow::Result<()> {
    let Some((n_files, n_folders)) = archive.counts else { return Ok(()) };
    let found = (unpacked.n_files, unpacked.n_folders);
    ensure!(
        found == (n_files, n_folders),
        "it contains {} files in {} folders, expected {n_files} in {n_folders}",
        found.0,
        found.1
    );
    Ok(())
}
