//! Keeps a stage's outputs out of the folders of the user's pictures.

use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

use crate::stage::usage;

/// Refuses an output directory that is one of the `folders` of pictures, or lies in it or above it: nothing is ever
/// written among the user's pictures.
///
/// # Errors
/// A usage error that names both folders; or if a path cannot be resolved.
pub fn refuse(out: &Path, folders: impl IntoIterator<Item = PathBuf>) -> anyhow::Result<()> {
    let real_out = real(out)?;
    for folder in folders {
        let real_folder = real(&folder)?;
        let position = match (real_out.starts_with(&real_folder), real_folder.starts_with(&real_out)) {
            (true, true) => "is",
            (true, false) => "is inside",
            (false, true) => "is above",
            (false, false) => continue,
        };
        return Err(usage(format!(
            "the output folder {} {position} {}, a folder of pictures; choose a folder beside the pictures",
            out.display(),
            folder.display()
        )));
    }
    Ok(())
}

/// Returns the absolute `path` with links resolved, as far as it exists; the rest is unchanged.
///
/// # Errors
/// If the current directory is unknown.
pub fn real(path: &Path) -> anyhow::Result<PathBuf> {
    let named = || format!("cannot resolve {}", path.display());
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let absolute = std::path::absolute(path).with_context(named)?;
    let mut real = PathBuf::new();
    for part in absolute.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            part => real.push(part),
        }
        if let Ok(resolved) = fs::canonicalize(&real) {
            real = resolved;
        }
    }
    Ok(real)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_at_in_or_above_the_pictures_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::create_dir_all(path("raw/pug")).unwrap();
        fs::create_dir(path("split")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(path("raw"), path("link")).unwrap();
        // As a manifest names them.
        let folder = path("split/../raw/pug");
        let refused = |out: &str| refuse(&path(out), [folder.clone()]).map_err(|e| e.to_string());
        for (out, position) in [("raw/pug", "is"), ("raw/pug/new/er", "is inside"), ("raw", "is above")] {
            let message = refused(out).unwrap_err();
            assert!(message.contains(&format!("{out} {position} ")), "{message}");
        }
        #[cfg(unix)]
        assert!(refused("link").is_err() && refused("link/pug/../pug").is_err());
        for out in ["raw/other", "raw2", "split", "link/out"] {
            refused(out).unwrap();
        }
    }
}
