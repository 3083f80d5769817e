//! Digests of files, computed again only if a file may have changed.
//!
//! A file's *stamp* is its metadata in the file system: device, inode, size, and the times of the last change of
//! its content and of its inode. The digest of a file is valid while its stamp is the same. That is wrong in one
//! case: the file is changed twice within one tick of the file system's clock, and its digest is computed between
//! the changes. Git calls such an entry racy and does not trust it. Here a file is not digested before its stamp is
//! older than a tick ([`wait_for_tick`]), so there are no such entries.
//!
//! The cache is a table beside the stage's record, and may be removed at any time. From its names the stage also
//! finds which of many inputs were added, removed or changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Input, digest_of_list};
use crate::commit;
use crate::provenance::{sha256_file, sha256_hex};
use crate::regular;
use crate::stage::{Exit, check_interrupted};

/// Waiting time, longer than a clock tick of the file systems of Linux and macOS (10 ms at most).
const TICK: Duration = Duration::from_millis(40);
/// Waiting time for file systems with a resolution of one or two seconds, such as FAT.
const COARSE_TICK: Duration = Duration::from_millis(2100);
/// Maximum number of changed files that are named.
const N_NAMED: usize = 3;

/// The content of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A file, by its sha256.
    File(String),
    /// No file.
    Absent,
    /// A symbolic link that is not followed, as `-> target`.
    Link(String),
    /// Something else, in words.
    Other(&'static str),
}

impl Content {
    /// Returns the digest, or a description of the path if it is not a file.
    pub(crate) fn text(&self) -> &str {
        match self {
            Content::File(sha256) => sha256,
            Content::Link(target) => target,
            Content::Absent => "absent",
            Content::Other(what) => what,
        }
    }
}

/// The metadata of a file in the file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    /// Nanoseconds since 1970.
    mtime: i64,
    ctime: i64,
}

/// A row of the cache.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// `role/name` of an input, `/name` of an output.
    name: String,
    content: String,
    device: Option<u64>,
    inode: Option<u64>,
    size: Option<u64>,
    mtime: Option<i64>,
    ctime: Option<i64>,
}

/// Digests of this run and of the last finished one.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    known: HashMap<Stamp, String>,
    /// Content by name at the last run of the stage.
    before: BTreeMap<String, String>,
    /// Current content by name.
    now: BTreeMap<String, (Content, Option<Stamp>)>,
}

impl Digests {
    /// Reads the cache. A missing or damaged one is treated as empty.
    pub(crate) fn open(path: &Path) -> Self {
        let mut digests = Self::default();
        let Ok(file) = regular::open(path) else { return digests };
        let mut table = csv::Reader::from_reader(file);
        for entry in table.deserialize() {
            let Ok(Entry { name, content, device, inode, size, mtime, ctime }) = entry else {
                return Self::default();
            };
            if let (Some(device), Some(inode), Some(size), Some(mtime), Some(ctime)) =
                (device, inode, size, mtime, ctime)
            {
                digests.known.insert(Stamp { device, inode, size, mtime, ctime }, content.clone());
            }
            digests.before.insert(name, content);
        }
        digests
    }

    /// Writes the digests of all files that were read since [`Digests::open`].
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        commit::write(path, |file| {
            let mut table = csv::Writer::from_writer(file);
            for (name, (content, stamp)) in &self.now {
                table.serialize(Entry {
                    name: name.clone(),
                    content: content.text().to_owned(),
                    device: stamp.map(|s| s.device),
                    inode: stamp.map(|s| s.inode),
                    size: stamp.map(|s| s.size),
                    mtime: stamp.map(|s| s.mtime),
                    ctime: stamp.map(|s| s.ctime),
                })?;
            }
            Ok(table.flush()?)
        })
    }

    /// Computes one digest for an input.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub(super) fn of_input(&mut self, role: &str, input: &Input) -> anyhow::Result<String> {
        match input {
            Input::Value(text) => {
                let digest = sha256_hex(text.as_bytes());
                self.now.insert(format!("{role}/"), (Content::File(digest.clone()), None));
                Ok(digest)
            }
            Input::File(path) => {
                let (content, stamp) = look(path, true, &self.known);
                let text = content.text().to_owned();
                self.now.insert(format!("{role}/"), (content, stamp));
                Ok(text)
            }
            Input::Files(files) => {
                let named = files.iter().map(|(name, path)| (format!("{role}/{name}"), path.clone()));
                let found = self.look_at_named(named.collect())?;
                Ok(digest_of_list(found.iter().map(|(name, content)| (name.as_str(), content))))
            }
        }
    }

    /// Returns the content of each of `files`, which are (name, path) of outputs.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub(super) fn look_at(
        &mut self,
        files: Vec<(String, PathBuf)>,
    ) -> anyhow::Result<Vec<(String, Content)>> {
        let named = files.into_iter().map(|(name, path)| (format!("/{name}"), path)).collect();
        let found = self.look_at_named(named)?;
        Ok(found.into_iter().map(|(name, content)| (name[1..].to_owned(), content)).collect())
    }

    /// Returns the content of one output.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub(super) fn of_output(&self, path: &Path) -> anyhow::Result<Content> {
        check_interrupted()?;
        Ok(look(path, false, &self.known).0)
    }

    /// Computes the digests of outputs that were just made.
    ///
    /// # Errors
    /// If one is missing; the error names it.
    pub(super) fn of_outputs(
        &mut self,
        dir: &Path,
        names: &[String],
    ) -> anyhow::Result<Vec<(String, String)>> {
        let files = names.iter().map(|name| (name.clone(), dir.join(name))).collect();
        let found = self.look_at(files)?;
        if let Some((name, content)) =
            found.iter().find(|(_, c)| matches!(c, Content::Absent | Content::Other(_)))
        {
            anyhow::bail!("{} was made and is {} now", dir.join(name).display(), content.text());
        }
        Ok(found.into_iter().map(|(name, content)| (name, content.text().to_owned())).collect())
    }

    /// Removes the digests of old outputs, before those of the new ones are computed.
    pub(super) fn forget_outputs(&mut self) {
        self.now.retain(|name, _| !name.starts_with('/'));
    }

    fn look_at_named(&mut self, files: Vec<(String, PathBuf)>) -> anyhow::Result<Vec<(String, Content)>> {
        let known = &self.known;
        let found: Result<Vec<_>, Exit> = files
            .into_par_iter()
            .map(|(name, path)| {
                check_interrupted()?;
                Ok((name, look(&path, false, known)))
            })
            .collect();
        let found = found?;
        for (_, (content, stamp)) in &found {
            if let (Content::File(sha256), Some(stamp)) = (content, stamp) {
                self.known.insert(*stamp, sha256.clone());
            }
        }
        self.now.extend(found.iter().cloned());
        Ok(found.into_iter().map(|(name, (content, _))| (name, content)).collect())
    }

    /// Describes the difference of the input `role` from the last run of the stage, in one line.
    pub(super) fn changes(&self, role: &str) -> String {
        let prefix = format!("{role}/");
        let of_role = |name: &&String| name.starts_with(&prefix);
        let (then, now): (BTreeSet<&String>, BTreeSet<&String>) =
            (self.before.keys().filter(of_role).collect(), self.now.keys().filter(of_role).collect());
        let is_changed = |name: &&&String| self.before[**name] != self.now[**name].0.text();
        let changed: Vec<&String> = then.intersection(&now).filter(is_changed).copied().collect();
        if let Some((Content::Absent, _)) = self.now.get(&prefix) {
            return format!("{role}: no such file");
        }
        if then.is_empty() || changed.iter().any(|name| **name == prefix) {
            return format!("{role} changed");
        }
        let added: Vec<&String> = now.difference(&then).copied().collect();
        let removed: Vec<&String> = then.difference(&now).copied().collect();
        let mut parts = Vec::new();
        for (names, what) in [(added, "added"), (removed, "removed"), (changed, "changed")] {
            if names.is_empty() {
                continue;
            }
            let shown = names.iter().take(N_NAMED).map(|name| crate::stage::printable(&name[prefix.len()..]));
            let shown = shown.collect::<Vec<_>>().join(", ");
            let more = if names.len() > N_NAMED { ", ..." } else { "" };
            parts.push(format!("{} {what} ({shown}{more})", names.len()));
        }
        if parts.is_empty() { format!("{role} changed") } else { format!("{role}: {}", parts.join(", ")) }
    }
}

/// Returns the content of `path`; the digest is taken from `known` if the stamp is in it.
fn look(path: &Path, follow: bool, known: &HashMap<Stamp, String>) -> (Content, Option<Stamp>) {
    let asked = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
    let metadata = match asked {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return (Content::Absent, None),
        Err(_) => return (Content::Other("unreadable"), None),
        Ok(metadata) => metadata,
    };
    if metadata.is_symlink() {
        let target = fs::read_link(path).unwrap_or_default();
        return (Content::Link(format!("-> {}", target.display())), None);
    }
    if !metadata.is_file() {
        return (Content::Other("no regular file"), None);
    }
    let stamp = stamp_of(&metadata);
    if let Some((stamp, sha256)) = stamp.and_then(|stamp| Some((stamp, known.get(&stamp)?))) {
        return (Content::File(sha256.clone()), Some(stamp));
    }
    let trusted = stamp.filter(wait_for_tick);
    match sha256_file(path) {
        Err(_) => (Content::Other("unreadable"), None),
        Ok(sha256) => {
            // Valid only if the file did not change while it was read.
            let again = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
            let unchanged = again.ok().and_then(|metadata| stamp_of(&metadata));
            (Content::File(sha256), trusted.filter(|stamp| unchanged == Some(*stamp)))
        }
    }
}

/// Waits until a file with this stamp is older than a clock tick of its file system, so that any later change
/// changes its times. Returns `false` for a file with a time in the future, for which waiting does not help.
fn wait_for_tick(stamp: &Stamp) -> bool {
    let newest = stamp.mtime.max(stamp.ctime);
    let counts_seconds = stamp.mtime % 1_000_000_000 == 0 && stamp.ctime % 1_000_000_000 == 0;
    let tick = if counts_seconds { COARSE_TICK } else { TICK }.as_nanos() as i64;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_nanos() as i64);
    let age = now - newest;
    if age < 0 {
        return false;
    }
    if age < tick {
        std::thread::sleep(Duration::from_nanos((tick - age) as u64));
    }
    true
}

#[cfg(unix)]
fn stamp_of(metadata: &Metadata) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
    Some(Stamp {
        device: metadata.dev(),
        inode: metadata.ino(),
        size: metadata.size(),
        mtime: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
    })
}

/// Returns `None`: without inodes every file is read again.
#[cfg(not(unix))]
fn stamp_of(_: &Metadata) -> Option<Stamp> {
    None
}
