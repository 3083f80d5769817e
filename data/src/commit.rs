//! Writes files atomically; all files are written here.
//!
//! A [`Pending`] file is a hidden sibling `.<name>.tindogr-<pid>-<random>.tmp` of its final name. A commit
//! flushes it, calls fsync, renames it to the final name, and calls fsync on the directory. If the process is killed,
//! the final name has the old file or the new one, and the next [`lock()`] removes a remaining temporary file.

use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

pub use lock::{Lock, has_lock, hold, holder, lock, remove_lock};

mod lock;

/// Part of the names of temporary files, `.<name>.tindogr-<pid>-<6 letters or digits>.tmp`; [`sweep`] removes only
/// files with such names.
const TEMPORARY_MARK: &str = ".tindogr-";
const TEMPORARY_END: &str = ".tmp";
const N_RANDOM: usize = 6;

/// Writes `path` atomically, with the content from `fill`: temporary sibling, fsync, rename, fsync of the directory.
///
/// # Errors
/// The error names `path`; old content, if there was any, is unchanged.
pub fn write(path: &Path, fill: impl FnOnce(&mut Pending) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut pending = Pending::create(path)?;
    fill(&mut pending)?;
    pending.commit()
}

/// Writes `path` atomically with the content `bytes`; see [`write()`].
///
/// # Errors
/// As for [`write()`].
pub fn write_bytes(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write(path, |file| Ok(file.write_all(bytes)?))
}

/// A file being written, invisible under its final name until [`Pending::commit`].
///
/// Dropping it without committing removes it.
#[derive(Debug)]
pub struct Pending {
    file: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl Pending {
    /// Creates a temporary sibling of `path`, and the directory if it does not exist.
    ///
    /// # Errors
    /// If the directory cannot be created or written.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let dir = parent(path);
        create_directory(dir)?;
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        // The temporary name must not exceed the 255 bytes that file systems allow.
        let shown: String = name.to_string_lossy().chars().take(32).collect();
        let prefix = temporary_prefix(&shown);
        let mut builder = temporary(&prefix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // The default of tempfile is 0600, with which other users cannot read the artefacts.
            builder.permissions(fs::Permissions::from_mode(0o644));
        }
        let file = builder.tempfile_in(dir).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 18, file), path: path.to_owned() })
    }

    /// Syncs the content to disk, renames the file to its final name, and syncs the directory.
    ///
    /// # Errors
    /// Any error of flush, fsync or rename; the temporary file is then removed.
    pub fn commit(self) -> anyhow::Result<()> {
        let dir = parent(&self.path).to_owned();
        self.commit_without_directory()?;
        sync_directory(&dir)
    }

    /// Commits as [`Pending::commit`], but without the fsync of the directory, for many files in one directory: the
    /// caller calls [`sync_directory`] once before it writes the file that lists them.
    ///
    /// # Errors
    /// As for [`Pending::commit`].
    pub fn commit_without_directory(self) -> anyhow::Result<()> {
        let Self { file, path } = self;
        let publish = || -> io::Result<()> {
            let file = file.into_inner().map_err(io::IntoInnerError::into_error)?;
            file.as_file().sync_all()?;
            file.persist(&path).map_err(|e| e.error)?;
            Ok(())
        };
        publish().with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Pending {
    /// Adds the final name to an error, which otherwise names the temporary file, if any.
    fn named(&self, error: io::Error) -> io::Error {
        io::Error::new(
            error.kind(),
            format!("cannot write {}: {}", self.path.display(), without_path(&error)),
        )
    }
}

/// Returns the text of `error` without the path of the temporary file, which tempfile adds.
fn without_path(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" at path ").map_or(text.clone(), |(before, _)| before.to_owned())
}

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| self.named(error))
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush().map_err(|error| self.named(error))
    }
}

impl Seek for Pending {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Renames `from`, a file that was written in several steps, to its final name `to` in the same directory: fsync,
/// rename, fsync of the directory.
///
/// # Errors
/// The error names `to`; `from` is then unchanged.
#[expect(clippy::disallowed_methods, reason = "all other writers use this module")]
pub fn publish(from: &Path, to: &Path) -> anyhow::Result<()> {
    let publish = || -> io::Result<()> {
        File::open(from)?.sync_all()?;
        fs::rename(from, to)
    };
    publish().with_context(|| format!("cannot write {}", to.display()))?;
    sync_directory(parent(to))
}

/// Writes `bytes` to the disk of `dir` with fsync, in a file without a name; forecasts measure its time.
///
/// # Errors
/// If the disk cannot be written.
pub fn write_trial(dir: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write to the disk of {}", dir.display()))
}

/// Makes `path` a symbolic link to `target`, atomically, and replaces an existing file; creates the directory if it
/// does not exist.
///
/// # Errors
/// If the link cannot be made.
#[cfg(unix)]
pub fn write_link(path: &Path, target: &Path) -> anyhow::Result<()> {
    write_name(path, |temporary| std::os::unix::fs::symlink(target, temporary))
        .with_context(|| format!("cannot link {} to {}", path.display(), target.display()))
}

/// Creates a link with `make` under a temporary name and renames it to `path`, replacing an existing file. Creates
/// the directory if it does not exist.
///
/// # Errors
/// Those of `make`, or if the rename fails; an existing file is then unchanged.
pub fn write_name(path: &Path, make: impl FnMut(&Path) -> io::Result<()>) -> io::Result<()> {
    let dir = parent(path);
    fs::create_dir_all(dir)?;
    let prefix = temporary_prefix("link");
    let made = temporary(&prefix).make_in(dir, make)?;
    made.into_temp_path().persist(path).map_err(|e| e.error)
}

fn temporary_prefix(name: &str) -> String {
    format!(".{name}{TEMPORARY_MARK}{}-", std::process::id())
}

fn temporary<'a>(prefix: &'a str) -> tempfile::Builder<'a, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix).rand_bytes(N_RANDOM).suffix(TEMPORARY_END);
    builder
}

/// Returns whether `name` is a name from [`temporary`].
fn is_temporary(name: &str) -> bool {
    let parts = || {
        let stem = name.strip_prefix('.')?.strip_suffix(TEMPORARY_END)?;
        let (_, made_by) = stem.rsplit_once(TEMPORARY_MARK)?;
        made_by.split_once('-')
    };
    parts().is_some_and(|(pid, random)| {
        pid.parse::<u32>().is_ok_and(|n| n.to_string() == pid)
            && random.len() == N_RANDOM
            && random.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Syncs the directory `dir` to disk, so that the names in it are durable.
///
/// # Errors
/// If the directory cannot be opened or synced.
pub fn sync_directory(dir: &Path) -> anyhow::Result<()> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .with_context(|| format!("cannot sync directory {}", dir.display()))
}

/// Creates the directory `dir` and those above it, unless they exist.
///
/// # Errors
/// Names the directory, and what is in its place.
pub fn create_directory(dir: &Path) -> anyhow::Result<()> {
    let Err(error) = fs::create_dir_all(dir) else { return Ok(()) };
    let in_the_way = dir.ancestors().find(|path| path.is_symlink() && !path.exists() || path.is_file());
    match in_the_way {
        Some(path) if path.is_file() => {
            anyhow::bail!("{} is a file, expected a folder; give another --out", path.display())
        }
        Some(path) => anyhow::bail!("{} is a link to a folder that does not exist", path.display()),
        None => Err(error).with_context(|| format!("cannot create directory {}", dir.display())),
    }
}

/// Renames `from` to `to`, a name that does not exist yet.
///
/// # Errors
/// Names both.
#[expect(clippy::disallowed_methods, reason = "all other writers use this module")]
pub fn rename(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::rename(from, to).with_context(|| format!("cannot rename {} to {}", from.display(), to.display()))
}

/// Removes a file if it exists.
///
/// # Errors
/// Any error, except that the file does not exist.
pub fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Removes the temporary files that a killed process left in `dir` and below. The caller must hold the lock.
fn sweep(dir: &Path) -> anyhow::Result<()> {
    let mut n_removed = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
            let kind = entry
                .file_type()
                .with_context(|| format!("cannot read the type of {}", entry.path().display()))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if kind.is_dir() {
                pending.push(entry.path());
            } else if is_temporary(&name) {
                remove(&entry.path())?;
                n_removed += 1;
            }
        }
    }
    if n_removed > 0 {
        tracing::info!("removed {n_removed} temporary files of an interrupted run in {}", dir.display());
    }
    Ok(())
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
