//! The one way in which files come to be: whole, or not at all.
//!
//! A [`Pending`] file is a hidden sibling `.<name>.tindogr-<pid>-<random>.tmp` of its final name. Committing
//! it means: flush, fsync, rename onto the final name, fsync the directory. A process killed anywhere
//! leaves the old file or the new one under the final name, and at worst a temporary file that
//! the next [`lock`] removes.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::stage::Exit;

/// Temporary files are called `.<name>.tindogr-<pid>-<6 letters or digits>.tmp`; [`sweep`] removes nothing
/// that is called otherwise.
const TEMPORARY_MARK: &str = ".tindogr-";
const TEMPORARY_END: &str = ".tmp";
const N_RANDOM: usize = 6;
const LOCK_NAME: &str = ".lock";

/// Writes `path` whole through `fill`: temporary sibling, fsync, rename, fsync of the directory.
///
/// # Errors
/// Any failure names `path`; the old content, if there was one, is untouched.
pub fn write(path: &Path, fill: impl FnOnce(&mut Pending) -> anyhow::Result<()>) -> anyhow::Result<()> {
    let mut pending = Pending::create(path)?;
    fill(&mut pending)?;
    pending.commit()
}

/// [`write()`] for content that is already in memory.
///
/// # Errors
/// As [`write()`].
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
    /// Opens a temporary sibling of `path`, creating the directory where it is missing.
    ///
    /// # Errors
    /// If the directory cannot be created or written.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let dir = parent(path);
        fs::create_dir_all(dir).with_context(|| format!("cannot create directory {}", dir.display()))?;
        let name = path.file_name().with_context(|| format!("{} names no file", path.display()))?;
        // A name may fill the 255 bytes that file systems allow; with the mark it must not exceed them.
        let shown: String = name.to_string_lossy().chars().take(32).collect();
        let prefix = temporary_prefix(&shown);
        let mut builder = temporary(&prefix);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // tempfile's own default is 0600, which would hide the artefacts from other users.
            builder.permissions(fs::Permissions::from_mode(0o644));
        }
        let file = builder.tempfile_in(dir).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { file: BufWriter::with_capacity(1 << 18, file), path: path.to_owned() })
    }

    /// Makes the content durable and gives the file its final name, then makes the name durable.
    ///
    /// # Errors
    /// Any error of flush, fsync or rename; the temporary file is gone then.
    pub fn commit(self) -> anyhow::Result<()> {
        let dir = parent(&self.path).to_owned();
        self.commit_without_directory()?;
        sync_directory(&dir)
    }

    /// [`Pending::commit`] without the fsync of the directory, for many files in one directory: the
    /// caller calls [`sync_directory`] once before it writes the file that lists them.
    ///
    /// # Errors
    /// As [`Pending::commit`].
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

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Pending {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Gives `from`, a file that grew under a name of its own, its final name `to` in the same directory: fsync,
/// rename, fsync of the directory.
///
/// # Errors
/// Any failure names `to`; `from` is untouched then.
#[expect(clippy::disallowed_methods, reason = "this is the module that the other writers go through")]
pub fn publish(from: &Path, to: &Path) -> anyhow::Result<()> {
    let publish = || -> io::Result<()> {
        File::open(from)?.sync_all()?;
        fs::rename(from, to)
    };
    publish().with_context(|| format!("cannot write {}", to.display()))?;
    sync_directory(parent(to))
}

/// What it takes to make `bytes` durable on the disk of `dir`, without a file of any name: for forecasts.
///
/// # Errors
/// If the disk cannot be written.
pub fn rehearse(dir: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> io::Result<()> {
        let mut file = tempfile::tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write to the disk of {}", dir.display()))
}

/// Makes `path` a symbolic link to `target`, in one step, whatever stood there; creates the directory
/// where it is missing.
///
/// # Errors
/// If the link cannot be made.
#[cfg(unix)]
pub fn write_link(path: &Path, target: &Path) -> anyhow::Result<()> {
    write_name(path, |temporary| std::os::unix::fs::symlink(target, temporary))
        .with_context(|| format!("cannot link {} to {}", path.display(), target.display()))
}

/// Gives `path`, in one step and whatever stood there, what `make` makes under a temporary name: a link of any kind.
/// Creates the directory where it is missing.
///
/// # Errors
/// Those of `make`, or if it cannot get its name; what stood there is untouched then.
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

/// Whether `name` is one that [`temporary`] makes.
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

/// Makes the names in `dir` durable.
///
/// # Errors
/// If the directory cannot be opened or synced.
pub fn sync_directory(dir: &Path) -> anyhow::Result<()> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .with_context(|| format!("cannot make directory {} durable", dir.display()))
}

/// Removes a file if it is there.
///
/// # Errors
/// Any failure but the file's absence.
pub fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// The exclusive right to write into a directory; the kernel takes it back when the process ends,
/// however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of `dir` for `stage`, creating the directory, and sweeps what a killed
/// predecessor left behind.
///
/// # Errors
/// [`Exit::TryAgain`] (exit code 75) if another process holds it, naming that process.
pub fn lock(dir: &Path, stage: &str) -> anyhow::Result<Lock> {
    let lock = hold(dir, stage)?;
    sweep(dir)?;
    Ok(lock)
}

/// [`lock`] without sweeping, for a directory below which others write, too.
///
/// # Errors
/// As [`lock`].
pub fn hold(dir: &Path, stage: &str) -> anyhow::Result<Lock> {
    fs::create_dir_all(dir).with_context(|| format!("cannot create directory {}", dir.display()))?;
    let path = dir.join(LOCK_NAME);
    let mut file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // The holder's name is for the message alone; without it the message is still true.
            let _ = file.read_to_string(&mut holder);
            return Err(Exit::TryAgain(format!(
                "{} is in use by {}; wait for it to end",
                dir.display(),
                if holder.is_empty() { "another process" } else { holder.trim_end() }
            ))
            .into());
        }
        Err(fs::TryLockError::Error(e)) => {
            return Err(e).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    if !is_still_at(&file, &path) {
        // [`remove_lock`] came in between.
        return hold(dir, stage);
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{stage} (pid {})", std::process::id()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(Lock { _file: file })
}

fn open_lock(path: &Path) -> anyhow::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(id).ok() == fs::metadata(path).map(id).ok()
}

#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}

/// Removes the file of the lock of `dir`, for a directory from which everything is removed; to be called by the
/// one who holds it.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_lock(dir: &Path) -> anyhow::Result<()> {
    remove(&dir.join(LOCK_NAME))
}

/// Removes the temporary files that a killed process left in `dir` and below; call it only under
/// the directory's lock.
fn sweep(dir: &Path) -> anyhow::Result<()> {
    let mut n_removed = 0;
    let mut pending = vec![dir.to_owned()];
    while let Some(dir) = pending.pop() {
        let entries = fs::read_dir(&dir).with_context(|| format!("cannot list {}", dir.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", dir.display()))?;
            let kind =
                entry.file_type().with_context(|| format!("cannot look at {}", entry.path().display()))?;
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
