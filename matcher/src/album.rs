//! The photos that profiles name. Only files inside the directory of the profiles are read.

use std::path::{Component, Path, PathBuf};

use anyhow::Context;
use data::photo::{self, Limits, Reason, Reject};

/// The directory that holds the photos of the profiles.
#[derive(Debug)]
pub struct Album {
    root: PathBuf,
}

impl Album {
    /// Returns the album in the directory of the file `profiles`.
    ///
    /// # Errors
    /// If the directory does not exist.
    pub fn beside(profiles: &Path) -> anyhow::Result<Self> {
        let file = profiles.canonicalize().with_context(|| format!("cannot find {}", profiles.display()))?;
        Ok(Self { root: file.parent().unwrap_or(Path::new("/")).to_owned() })
    }

    /// Returns the full path of `photo`, a path from a profile, or `None` if [`Album::read`] would refuse it.
    pub(crate) fn place(&self, photo: &str) -> Option<PathBuf> {
        Some(self.root.join(checked(photo).ok()?))
    }

    /// Reads the bytes of `photo`, a path from a profile.
    ///
    /// Never opens a file outside the album: the path must be relative and without `..`, its directories
    /// may be links only if they lead back into the album, and the photo itself must be a regular file.
    ///
    /// # Errors
    /// A [`Reject`] with the reason.
    pub fn read(&self, photo: &str) -> Result<Vec<u8>, Reject> {
        let path = self.root.join(checked(photo)?);
        // Only the directory is resolved here: data::photo refuses a link as the file itself.
        let dir = path.parent().unwrap_or(&self.root);
        match dir.canonicalize() {
            Ok(dir) if dir.starts_with(&self.root) => match path.symlink_metadata() {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(missing(photo)),
                _ => photo::read(&path, &Limits::STANDARD),
            },
            Ok(_) => Err(Reject::new(Reason::BadName, "leads out of the directory of the profiles")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(missing(photo)),
            Err(e) => Err(Reject::new(Reason::Unreadable, e)),
        }
    }
}

fn missing(photo: &str) -> Reject {
    Reject::new(Reason::Unreadable, format!("{photo} is missing"))
}

fn checked(photo: &str) -> Result<&Path, Reject> {
    let bad = |detail| Err(Reject::new(Reason::BadName, detail));
    let scheme = photo.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        Some("http" | "https") => return bad("photo is a URL; fetching is not available yet"),
        Some(_) => return bad("photo is a URL, expected a path"),
        None => {}
    }
    // Backslashes and colons separate paths on other systems: the table must mean the same on all of them.
    if photo.contains(['\0', '\\', ':']) {
        return bad("a path may not contain NUL, backslash or colon");
    }
    let path = Path::new(photo);
    if !path.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
        return bad("a path must be relative and without ..");
    }
    if path.file_name().is_none() {
        return bad("names no file");
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_elsewhere_are_rejected_unopened() {
        for name in [
            "../../etc/passwd",
            "/etc/passwd",
            "a/../../x",
            "a/../x",
            "C:\\x",
            "C:x",
            "..\\x",
            "file:///etc/passwd",
            "data:image/png;base64,AA",
            "a\0b",
            "",
            ".",
            "./",
        ] {
            assert_eq!(checked(name).unwrap_err().reason, Reason::BadName, "{name:?}");
        }
        assert!(checked("HTTPS://x.org/a.jpg").unwrap_err().detail.contains("fetching is not available"));
        for name in ["a.jpg", "./a.jpg", "photos/a b.jpg", "photos/\u{1F436}.jpg", "..a.jpg", "-x.jpg"] {
            assert!(checked(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_photo_that_does_not_exist_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let album = Album { root: dir.path().canonicalize().unwrap() };
        for photo in ["a.jpg", "photos/a.jpg"] {
            assert_eq!(album.read(photo).unwrap_err().detail, format!("{photo} is missing"));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_and_special_files_give_nothing_away() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("album");
        let put = |path: &str| data::commit::write_bytes(&dir.path().join(path), b"secret").unwrap();
        put("outside/a.jpg");
        put("album/photos/a.jpg");
        put("album/profiles.csv");
        symlink(dir.path().join("outside"), inside.join("out")).unwrap();
        symlink("photos", inside.join("in")).unwrap();
        symlink(dir.path().join("outside/a.jpg"), inside.join("link.jpg")).unwrap();
        symlink("loop", inside.join("loop")).unwrap();
        symlink("/dev", inside.join("dev")).unwrap();
        let album = Album::beside(&inside.join("profiles.csv")).unwrap();
        for (name, reason) in [
            ("out/a.jpg", Reason::BadName),
            ("dev/zero", Reason::BadName),
            ("link.jpg", Reason::NotRegularFile),
            ("photos", Reason::NotRegularFile),
            ("loop/a.jpg", Reason::Unreadable),
            ("nowhere/a.jpg", Reason::Unreadable),
            ("nowhere.jpg", Reason::Unreadable),
        ] {
            assert_eq!(album.read(name).unwrap_err().reason, reason, "{name}");
        }
        assert_eq!(album.read("photos/a.jpg").unwrap(), b"secret");
        assert_eq!(album.read("in/a.jpg").unwrap(), b"secret");
    }
}
