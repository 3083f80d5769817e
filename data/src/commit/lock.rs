//! The lock of a directory: one process writes there at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use anyhow::Context;

use super::{create_directory, remove, sweep};
use crate::stage::Exit;

const NAME: &str = ".tindogr.lock";
/// Maximum bytes of a lock file; it holds the name of a stage and a process id.
const MAX_BYTES: u64 = 256;

/// An exclusive lock on a directory; the kernel releases it when the process ends, even if it is killed.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Takes the lock of `dir` for `stage`, creates the directory, and removes the temporary files of an earlier process
/// that was killed.
///
/// # Errors
/// [`Exit::TryAgain`] (exit code 75), with the name of the other process, if another process holds it; another error
/// if the lock's name is in use by a file that is not a lock.
pub fn lock(dir: &Path, stage: &str) -> anyhow::Result<Lock> {
    let lock = hold(dir, stage)?;
    sweep(dir)?;
    Ok(lock)
}

/// Takes the lock as [`lock`], but does not remove temporary files: for a directory below which others write, too.
///
/// # Errors
/// As for [`lock`].
pub fn hold(dir: &Path, stage: &str) -> anyhow::Result<Lock> {
    create_directory(dir)?;
    let path = dir.join(NAME);
    let mut file = open(&path, true).with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let holder = holder_in(&file).unwrap_or_else(|| "another process".to_owned());
            let message = format!("{} is in use by {holder}; wait for it to end", dir.display());
            return Err(Exit::TryAgain(message).into());
        }
        Err(TryLockError::Error(e)) => {
            return Err(e).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    if !is_still_at(&file, &path) {
        // Another process called [`remove_lock`] meanwhile.
        return hold(dir, stage);
    }
    anyhow::ensure!(
        is_empty(&file) || holder_in(&file).is_some(),
        "{} is not a lock of this program, and would be overwritten; rename it",
        path.display()
    );
    // One call: after a kill between two, the file would not be known as a lock.
    let holder = format!("{stage} (pid {})\n", std::process::id());
    let written =
        file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(holder.as_bytes()));
    if let Err(error) = written {
        // As on a full disk: an empty lock would be left alone in the directory.
        remove(&path)?;
        return Err(error).with_context(|| format!("cannot write {}", path.display()));
    }
    Ok(Lock { _file: file })
}

/// Returns the process that holds the lock of `dir`, as `extractor (pid 17)`; `None` if none does.
pub fn holder(dir: &Path) -> Option<String> {
    let file = open(&dir.join(NAME), false).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {
            Some(holder_in(&file).unwrap_or_else(|| "another process".to_owned()))
        }
        _ => None,
    }
}

/// Returns whether `dir` has a lock file, held or not.
pub fn has_lock(dir: &Path) -> bool {
    open(&dir.join(NAME), false).is_ok_and(|file| is_empty(&file) || holder_in(&file).is_some())
}

/// Removes the lock file of `dir`, for a directory from which everything is removed. The caller must hold the lock.
///
/// # Errors
/// If it cannot be removed.
pub fn remove_lock(dir: &Path) -> anyhow::Result<()> {
    remove(&dir.join(NAME))
}

/// Opens a lock file; never one that a link names, and never a pipe, which would wait.
fn open(path: &Path, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(create).create(create).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY);
    }
    if path.is_symlink() {
        return Err(io::Error::other("it is a link, expected the lock of this program; remove it"));
    }
    let file = options.open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(
            "it is not a regular file, expected the lock of this program; remove it",
        ));
    }
    Ok(file)
}

fn is_empty(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.len() == 0)
}

/// Returns the process that a lock file names; `None` if it is not a lock file that names one.
fn holder_in(mut file: &File) -> Option<String> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(MAX_BYTES + 1).read_to_string(&mut text).ok()?;
    let (stage, pid) = text.strip_suffix(")\n")?.rsplit_once(" (pid ")?;
    let is_lock = text.len() as u64 <= MAX_BYTES && !stage.contains('\n') && pid.parse::<u32>().is_ok();
    is_lock.then(|| text.trim_end().to_owned())
}

#[cfg(unix)]
fn is_still_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let id = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().map(id).ok() == fs::symlink_metadata(path).map(id).ok()
}

#[cfg(not(unix))]
fn is_still_at(_: &File, _: &Path) -> bool {
    true
}
