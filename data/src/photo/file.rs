//! Reads the file of a picture.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::{Limits, Reason, Reject, sniff};

/// Number of first bytes that identify all formats.
const SNIFFED: u64 = 32;

/// Reads the bytes of a picture: a regular file (links are not followed) within the byte limit.
///
/// Pipes and devices are never opened. At most [`Limits::max_bytes`] + 1 bytes are read, even if the file grows
/// meanwhile.
///
/// # Errors
/// A [`Reject`] with the reason.
pub fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Reject> {
    let unreadable = |e: io::Error| Reject::new(Reason::Unreadable, e);
    let about = fs::symlink_metadata(path).map_err(unreadable)?;
    check_kind(&about)?;
    if about.len() > limits.max_bytes {
        return Err(limits.too_large());
    }
    let file = open(path).map_err(unreadable)?;
    // The file may have been replaced meanwhile.
    check_kind(&file.metadata().map_err(unreadable)?)?;
    let mut bytes = Vec::with_capacity(usize::try_from(about.len()).unwrap_or(0).saturating_add(1));
    file.take(limits.max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 {
        0 => Err(Reject::new(Reason::Empty, "no bytes")),
        n if n > limits.max_bytes => Err(limits.too_large()),
        _ => Ok(bytes),
    }
}

/// Returns whether the file at `path` is a regular file that begins like one of the allowed formats.
pub fn begins_as_picture(path: &Path) -> bool {
    let begin = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if fs::symlink_metadata(path)?.is_file() {
            open(path)?.take(SNIFFED).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    };
    begin().is_ok_and(|bytes| sniff::format(&bytes).is_ok())
}

/// Reads a file as [`read`], and checks that its digest is `sha256`.
///
/// # Errors
/// A [`Reject`] with the reason.
pub fn read_unchanged(path: &Path, sha256: &[u8; 32], limits: &Limits) -> Result<Vec<u8>, Reject> {
    let bytes = read(path, limits)?;
    if Sha256::digest(&bytes).as_slice() != sha256 {
        return Err(Reject::new(Reason::ChangedSinceSplit, "the digest is not that of the manifest"));
    }
    Ok(bytes)
}

fn check_kind(about: &fs::Metadata) -> Result<(), Reject> {
    if about.is_file() {
        return Ok(());
    }
    let kind = match about.file_type() {
        t if t.is_symlink() => "a symbolic link",
        t if t.is_dir() => "a directory",
        _ => "a pipe, a socket or a device",
    };
    Err(Reject::new(Reason::NotRegularFile, kind))
}

/// Opens a file without following a link and without waiting for the other end of a pipe.
#[cfg(unix)]
fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

#[cfg(not(unix))]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}
