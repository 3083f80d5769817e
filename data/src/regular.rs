//! Opens files that a user names: only regular files, any other is an error at once.
//!
//! With a pipe without a writer `open` would wait for ever, a device may never end, and a directory gives an unclear
//! error. So the type of every file that a user names is checked before it is opened, the file is opened without
//! waiting, and its type is checked again, because it may have been replaced. Links are followed.

use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::Path;

/// Maximum bytes of a text file of this program (an index, the metrics of a report); real ones are much smaller.
pub const MAX_TEXT_BYTES: u64 = 256 << 20;

/// Opens the regular file `path` for reading.
///
/// # Errors
/// As for [`File::open`]; also at once, with the kind of file, if it is not a regular file.
pub fn open(path: &Path) -> io::Result<File> {
    check(fs::metadata(path)?.file_type())?;
    let file = open_without_waiting(path)?;
    check(file.metadata()?.file_type())?;
    Ok(file)
}

/// Reads the content of the regular file `path`.
///
/// # Errors
/// As for [`open`]; also, before anything is read, if it has more than `max_bytes`.
pub fn read(path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let too_large = |n: u64| io::Error::other(format!("it has {n} bytes, more than {max_bytes}"));
    let n = file.metadata()?.len();
    if n > max_bytes {
        return Err(too_large(n));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(n).unwrap_or(0).saturating_add(1));
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        n if n > max_bytes => Err(too_large(n)), // it grew
        _ => Ok(bytes),
    }
}

/// Reads the text of the regular file `path`.
///
/// # Errors
/// As for [`read()`] with [`MAX_TEXT_BYTES`]; also if it is not UTF-8.
pub fn read_to_string(path: &Path) -> io::Result<String> {
    let bytes = read(path, MAX_TEXT_BYTES)?;
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8 text"))
}

/// Explains why a file that a stage makes was not read: `missing` ("there is no head") and the stage to run if it does not
/// exist, otherwise the error.
pub fn not_read(error: io::Error, path: &Path, missing: &str, stage: &str) -> anyhow::Error {
    let path = path.display();
    if error.kind() == io::ErrorKind::NotFound {
        anyhow::anyhow!("{missing} at {path}; run {stage} first")
    } else {
        anyhow::Error::new(error).context(format!("cannot read {path}"))
    }
}

fn check(found: FileType) -> io::Result<()> {
    if found.is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is not a regular file but {}", kind(found))))
}

fn kind(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a pipe";
        } else if found.is_socket() {
            return "a socket";
        } else if found.is_block_device() || found.is_char_device() {
            return "a device";
        }
    }
    if found.is_dir() { "a directory" } else { "something else" }
}

#[cfg(unix)]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

#[cfg(not(unix))]
fn open_without_waiting(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit;

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_not_regular_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, socket) = (dir.path().join("pipe"), dir.path().join("socket"));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&pipe, &link).unwrap();
        let cases = [
            (pipe.as_path(), "a pipe"),
            (&link, "a pipe"),
            (&socket, "a socket"),
            (dir.path(), "a directory"),
            (Path::new("/dev/zero"), "a device"),
        ];
        for (path, what) in cases {
            let message = open(path).unwrap_err().to_string();
            assert_eq!(message, format!("it is not a regular file but {what}"));
            assert!(read(path, 10).is_err() && read_to_string(path).is_err());
        }
        assert_eq!(open(&dir.path().join("x")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn only_a_file_that_does_not_exist_is_missing() {
        let dir = tempfile::tempdir().unwrap();
        let explained = |path: &Path| {
            let error = read_to_string(path).unwrap_err();
            format!("{:#}", not_read(error, path, "there is no list", "the lister"))
        };
        assert!(explained(&dir.path().join("x")).contains("there is no list at "));
        let message = explained(dir.path());
        assert!(message.contains("cannot read") && message.ends_with("a directory"), "{message}");
    }

    #[test]
    fn a_file_is_refused_by_its_size_before_it_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        commit::write_bytes(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read(&path, 4).unwrap_err().to_string(), "it has 5 bytes, more than 4");
        // A sparse file of 1 TB, if the file system supports it.
        let large = File::options().write(true).open(&path).unwrap();
        if large.set_len(1 << 40).is_ok() {
            assert!(read_to_string(&path).unwrap_err().to_string().contains("it has 1099511627776 bytes"));
        }
    }
}
