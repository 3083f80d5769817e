//! Saves the results for photos during a run, so that after an interruption the next run need not classify them
//! again.
//!
//! One file per group of photos, `.seen/<number>.json` in the output directory, written atomically; the files are
//! removed when the run is finished. The key of a photo is the digest of its bytes; the results of another model
//! are not used.

use std::collections::HashMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use data::photo::{self, Limits};
use data::{commit, regular};
use image::{ImageFormat, RgbImage};
use serde::{Deserialize, Serialize};

const FOLDER: &str = ".seen";

/// The saved results, and the directory that receives more.
#[derive(Debug)]
pub(crate) struct SeenBefore {
    dir: PathBuf,
    model: String,
    photos: HashMap<String, Photo>,
    n_files: usize,
}

/// The result for one photo.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Photo {
    sha256: String,
    /// The bits of each class's probability as f32, so that nothing is rounded.
    probabilities: Vec<u32>,
    /// PNG, base64.
    thumbnail: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Group {
    format_version: u32,
    /// Digests of the head and of the network's weights.
    model: String,
    photos: Vec<Photo>,
}

/// A photo's digest, the probability of each class, and the photo, scaled down.
pub(crate) type SeenPhoto<'a> = (&'a str, &'a [f32], &'a RgbImage);

impl SeenBefore {
    /// Reads the results that an unfinished run of the same `model` left in `out`. Ignores files that are damaged or
    /// of another model.
    pub(crate) fn open(out: &Path, model: &str) -> Self {
        let dir = out.join(FOLDER);
        let mut seen = Self { dir, model: model.to_owned(), photos: HashMap::new(), n_files: 0 };
        while let Ok(text) = regular::read(&seen.path(seen.n_files), regular::MAX_TEXT_BYTES) {
            seen.n_files += 1;
            match serde_json::from_slice::<Group>(&text) {
                Ok(group)
                    if group.model == model && group.format_version == data::provenance::FORMAT_VERSION =>
                {
                    seen.photos.extend(group.photos.into_iter().map(|photo| (photo.sha256.clone(), photo)));
                }
                _ => {}
            }
        }
        if !seen.photos.is_empty() {
            tracing::info!("{} photos were classified by an earlier, unfinished run", seen.photos.len());
        }
        seen
    }

    fn path(&self, number: usize) -> PathBuf {
        self.dir.join(format!("{number:06}.json"))
    }

    /// Returns the result for the photo with this digest: the probability of each class, and the photo, scaled down.
    pub(crate) fn get(&self, sha256: &str) -> Option<(Vec<f32>, RgbImage)> {
        let photo = self.photos.get(sha256)?;
        let png = BASE64.decode(&photo.thumbnail).ok()?;
        let thumbnail = photo::decode(&png, &Limits::STANDARD).ok()?.rgb;
        Some((photo.probabilities.iter().map(|&bits| f32::from_bits(bits)).collect(), thumbnail))
    }

    /// Saves the results for `photos`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn keep<'a>(&mut self, photos: impl Iterator<Item = SeenPhoto<'a>>) -> anyhow::Result<()> {
        let photo = |(sha256, probabilities, thumbnail): SeenPhoto<'_>| -> anyhow::Result<Photo> {
            let mut png = Cursor::new(Vec::new());
            thumbnail.write_to(&mut png, ImageFormat::Png).context("cannot encode a thumbnail")?;
            Ok(Photo {
                sha256: sha256.to_owned(),
                probabilities: probabilities.iter().map(|p| p.to_bits()).collect(),
                thumbnail: BASE64.encode(png.into_inner()),
            })
        };
        let photos: Vec<Photo> = photos.map(photo).collect::<anyhow::Result<_>>()?;
        if photos.is_empty() {
            return Ok(());
        }
        let group =
            Group { format_version: data::provenance::FORMAT_VERSION, model: self.model.clone(), photos };
        commit::write_bytes(&self.path(self.n_files), &serde_json::to_vec(&group)?)?;
        self.n_files += 1;
        Ok(())
    }

    /// Removes everything that [`SeenBefore::keep`] wrote into `out`, of this run and of others.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub(crate) fn forget(out: &Path) -> anyhow::Result<()> {
        let dir = out.join(FOLDER);
        for number in 0.. {
            let path = dir.join(format!("{number:06}.json"));
            if !path.exists() {
                break;
            }
            commit::remove(&path)?;
        }
        // Fails if the directory contains other files, which then stay.
        let _ = fs::remove_dir(&dir);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keep(out: &Path, model: &str, sha256: &str) {
        let thumbnail = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
        let mut seen = SeenBefore::open(out, model);
        seen.keep([(sha256, &[0.1f32, 0.9][..], &thumbnail)].into_iter()).unwrap();
    }

    #[test]
    fn results_are_read_back_exactly_and_only_for_their_model() {
        let dir = tempfile::tempdir().unwrap();
        keep(dir.path(), "m", "a");
        keep(dir.path(), "m", "b");
        let seen = SeenBefore::open(dir.path(), "m");
        let (probabilities, thumbnail) = seen.get("b").unwrap();
        assert_eq!((probabilities, thumbnail.get_pixel(4, 2).0), (vec![0.1, 0.9], [4, 2, 200]));
        assert!(seen.get("a").is_some() && seen.get("c").is_none());
        let other = SeenBefore::open(dir.path(), "another");
        assert!(other.get("a").is_none() && other.n_files == 2, "its files are not overwritten");
        SeenBefore::forget(dir.path()).unwrap();
        assert!(!dir.path().join(FOLDER).exists());
    }

    #[test]
    fn a_damaged_file_is_ignored() {
        let dir = tempfile::tempdir().unwrap();
        keep(dir.path(), "m", "a");
        keep(dir.path(), "m", "b");
        commit::write_bytes(&dir.path().join(FOLDER).join("000000.json"), b"{").unwrap();
        let seen = SeenBefore::open(dir.path(), "m");
        assert!(seen.get("a").is_none() && seen.get("b").is_some());
    }
}
