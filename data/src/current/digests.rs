//! Digests of files, taken again only where a file may have changed.
//!
//! A file's *stamp* is what the file system says about it: device, inode, size, and the times of its last
//! change and of the last change of its inode. A digest taken of a file holds as long as the stamp is the
//! same. That is wrong in one case: a file that is changed twice within one tick of the clock that its
//! times are taken from, with its digest taken in between. Git calls such an entry racy and does not trust
//! it; here nothing is digested before its stamp is older than a tick ([`settle`]), so that none comes to be.
//!
//! The cache is a table beside the stage's record: a convenience that may be removed at any time. Its names
//! also tell which of many inputs were added, removed or changed since.

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

/// Longer than a tick of the clocks behind the times of Linux' and macOS' file systems (10 ms at most).
const TICK: Duration = Duration::from_millis(40);
/// The same for file systems that count seconds, or two of them, as FAT does.
const COARSE_TICK: Duration = Duration::from_millis(2100);
/// So many changed files are named.
const N_NAMED: usize = 3;

/// What stands under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A file, by its sha256.
    File(String),
    /// Nothing.
    Absent,
    /// A symbolic link, where links are not followed, as `-> target`.
    Link(String),
    /// Something else, in words.
    Other(&'static str),
}

impl Content {
    /// The digest, or in words what there is in place of a file.
    pub(crate) fn text(&self) -> &str {
        match self {
            Content::File(sha256) => sha256,
            Content::Link(target) => target,
            Content::Absent => "absent",
            Content::Other(what) => what,
        }
    }
}

/// What the file system says about a file.
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

/// Digests of this run and of the last one that ended.
#[derive(Debug, Default)]
pub(crate) struct Digests {
    known: HashMap<Stamp, String>,
    /// Content by name when the stage last ran.
    before: BTreeMap<String, String>,
    /// Content by name, now.
    now: BTreeMap<String, (Content, Option<Stamp>)>,
}

impl Digests {
    /// Reads the cache; one that is missing or damaged is empty.
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

    /// Writes what was looked at since [`Digests::open`].
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

    /// One digest for an input.
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

    /// What stands under each of `files`, which are (name, path) of outputs.
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

    /// What stands under the name of one output.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub(super) fn of_output(&self, path: &Path) -> anyhow::Result<Content> {
        check_interrupted()?;
        Ok(look(path, false, &self.known).0)
    }

    /// The digests of outputs that have just been made.
    ///
    /// # Errors
    /// If one is not there, naming it.
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

    /// Forgets what was looked at of outputs, before the new ones are.
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
        self.now.extend(found.iter().cloned());
        Ok(found.into_iter().map(|(name, (content, _))| (name, content)).collect())
    }

    /// How the input `role` differs from when the stage last ran, in one line.
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

/// What stands at `path`; its digest comes from `known` where the stamp is known.
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
    let trusted = stamp.filter(settle);
    match sha256_file(path) {
        Err(_) => (Content::Other("unreadable"), None),
        Ok(sha256) => {
            // Only if it was not changed while it was read.
            let again = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
            let unchanged = again.ok().and_then(|metadata| stamp_of(&metadata));
            (Content::File(sha256), trusted.filter(|stamp| unchanged == Some(*stamp)))
        }
    }
}

/// Waits until a file with this stamp is older than a tick of the clock that its times come from, so that any
/// later change shows in its times. `false` for a file from the future, where waiting does not help.
fn settle(stamp: &Stamp) -> bool {
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

/// Without inodes nothing is trusted: every file is read again.
#[cfg(not(unix))]
fn stamp_of(_: &Metadata) -> Option<Stamp> {
    None
}
