//! Paths: those of the split's pictures relative to the output directory, and the names of the copies.

use std::path::{Component, Path};

use anyhow::Context;
use data::manifest::{self, Row};
use data::provenance::sha256_hex;

use crate::config::Config;
use crate::transform::{Parameters, Size};
use crate::warp::Fill;

/// Folder of the copies in the output directory.
pub(crate) const IMAGES: &str = "images";

/// Version of the pixels; must be raised when the same parameters give other pixels or other bytes.
const PIXELS_VERSION: u32 = 1;

/// Maximum length of a source's name in a copy's name: with the digests and the extension of a temporary file it
/// stays below the 255 bytes of most file systems.
const MAX_STEM_BYTES: usize = 100;

/// Converts `path`, which is relative to `from`, to a path relative to `to`; both directories are canonical.
///
/// # Errors
/// If the path goes through a directory whose name is not UTF-8.
pub(crate) fn rebase(path: &str, from: &Path, to: &Path) -> anyhow::Result<String> {
    let mut absolute = from.to_owned();
    let mut leading = true;
    for part in Path::new(path).components() {
        match part {
            Component::CurDir => {}
            // Only leading `..`: after a name, which may be a link, `..` does not lead back.
            Component::ParentDir if leading => {
                absolute.pop();
            }
            other => {
                leading = false;
                absolute.push(other);
            }
        }
    }
    manifest::relative(to, &absolute)
        .with_context(|| format!("the path to {path:?} goes through a directory whose name is not UTF-8"))
}

/// Checks that `class` can name a folder.
///
/// # Errors
/// If it is not a single plain name.
pub(crate) fn check_class(class: &str) -> anyhow::Result<()> {
    let mut parts = Path::new(class).components();
    let plain =
        matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == class);
    anyhow::ensure!(
        plain && !class.contains(['/', '\\', '\0']),
        "the class {class:?} cannot name a folder of copies"
    );
    Ok(())
}

/// Returns [`of_copy`] with the drawn parameters of the copy.
pub(crate) fn of_drawn(config: &Config, row: &Row, copy: u32) -> String {
    let (width, height) = row.size();
    let to = config.output_size.of(Size::new(width, height));
    let parameters = config.ranges.draw(config.common.seed, &row.seen_sha256(), copy, to);
    of_copy(config, row, copy, &parameters)
}

/// Returns the path of a copy, relative to the output directory:
/// `images/<class>/<stem>-<picture>-<copy's digest>-<copy>.<extension>`.
///
/// The copy's digest covers everything that its bytes depend on, so a file with this name is this copy.
pub(crate) fn of_copy(config: &Config, row: &Row, copy: u32, parameters: &Parameters) -> String {
    let stem = Path::new(&row.path).file_stem().unwrap_or_default().to_string_lossy();
    let mut end = stem.len().min(MAX_STEM_BYTES);
    while !stem.is_char_boundary(end) {
        end -= 1;
    }
    let digest = sha256_hex(described(config, row, copy, parameters).as_bytes());
    let picture = data::provenance::to_hex(&row.seen_sha256());
    format!(
        "{IMAGES}/{}/{}-{}-{}-{copy}.{}",
        row.class,
        &stem[..end],
        &picture[..8],
        &digest[..8],
        config.encoding.extension()
    )
}

/// Describes everything that the copy's bytes and path depend on, in one line.
fn described(config: &Config, row: &Row, copy: u32, parameters: &Parameters) -> String {
    let Parameters { theta, tx, ty, shear, zx, zy, flip, brightness } = *parameters;
    let numbers = [theta, tx, ty, shear, zx, zy, brightness].map(f64::to_bits);
    let cval = if let Fill::Constant(colour) = config.fill { Some(colour) } else { None };
    let (sha256, (width, height)) = (row.seen_sha256(), row.size());
    format!(
        "{PIXELS_VERSION} {:?} {sha256:?} {copy} {numbers:x?} {flip} {:?} {cval:?} {:?} {:?} {width}x{height}",
        row.path, config.fill, config.output_size, config.encoding
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_rebased_through_the_directories_it_shares() {
        for (path, from, to, expected) in [
            ("../raw/c/a.jpg", "/w/split", "/w/augmented", "../raw/c/a.jpg"),
            ("../raw/c/a.jpg", "/w/split", "/w", "raw/c/a.jpg"),
            ("../raw/c/a.jpg", "/w/split", "/elsewhere/deep", "../../w/raw/c/a.jpg"),
            ("./train/a.jpg", "/w/split", "/w/split/augmented", "../train/a.jpg"),
            ("c/../a.jpg", "/w/split", "/w/split", "c/../a.jpg"),
        ] {
            assert_eq!(rebase(path, Path::new(from), Path::new(to)).unwrap(), expected);
        }
    }

    #[test]
    fn a_class_must_be_one_plain_name() {
        for good in ["n02085620-Chihuahua", "not a dog", "\u{1F436}", "..."] {
            check_class(good).unwrap();
        }
        for bad in ["", ".", "..", "a/b", "/etc", "a/", "a\\b", "a\0"] {
            assert!(check_class(bad).is_err(), "{bad:?}");
        }
    }
}
