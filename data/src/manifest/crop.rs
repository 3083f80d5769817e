//! The part of a picture that is used: all of it, or a box around the dog.
//!
//! Every stage decodes a manifest's pictures with [`Row::decode`], so all stages use the same pixels.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use image::{RgbImage, imageops};
use sha2::{Digest, Sha256};

use super::Row;
use crate::photo::{self, Limits, Photo, Reason, Reject};

/// A box in pixels of the upright picture, counted from 0; `right` and `bottom` are exclusive.
///
/// As text `left;top;right;bottom`, so that it is one cell of a CSV file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// First column.
    pub left: u32,
    /// First row.
    pub top: u32,
    /// The column after the last.
    pub right: u32,
    /// The row after the last.
    pub bottom: u32,
}

impl Crop {
    /// Returns whether this box has pixels and is inside a picture of `width` x `height`.
    pub fn fits(&self, width: u32, height: u32) -> bool {
        self.left < self.right && self.right <= width && self.top < self.bottom && self.bottom <= height
    }

    /// Returns the pixels of `photo` in the box, (bottom - top, right - left), without those outside `photo`.
    pub fn of(&self, photo: &RgbImage) -> RgbImage {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        imageops::crop_imm(photo, self.left, self.top, width, height).to_image()
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{};{};{}", self.left, self.top, self.right, self.bottom)
    }
}

impl FromStr for Crop {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let numbers: Option<Vec<u32>> = text.split(';').map(|number| number.parse().ok()).collect();
        let numbers: Option<[u32; 4]> = numbers.and_then(|numbers| numbers.try_into().ok());
        let [left, top, right, bottom] =
            numbers.with_context(|| format!("box is {text:?}, expected left;top;right;bottom"))?;
        Ok(Self { left, top, right, bottom })
    }
}

impl Row {
    /// Returns width and height of the used part of the picture.
    pub fn size(&self) -> (u32, u32) {
        let whole = Crop { left: 0, top: 0, right: self.width, bottom: self.height };
        let Crop { left, top, right, bottom } = self.crop.unwrap_or(whole);
        (right - left, bottom - top)
    }

    /// Returns a digest of the used part of the picture: of the file's bytes, and of the box if there is one. It is
    /// the key of everything that is computed from a picture.
    pub fn seen_sha256(&self) -> [u8; 32] {
        let Some(crop) = self.crop else { return self.sha256 };
        Sha256::new().chain_update(self.sha256).chain_update(crop.to_string()).finalize().into()
    }

    /// Reads the bytes of the picture at `path`.
    ///
    /// # Errors
    /// A reject if the file cannot be read or does not have the digest of the manifest.
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, Reject> {
        photo::read_unchanged(path, &self.sha256, &Limits::STANDARD)
    }

    /// Decodes the picture with these `bytes`, cropped to the box.
    ///
    /// # Errors
    /// A reject if it cannot be decoded or does not have the size of the manifest.
    pub fn decode(&self, bytes: &[u8]) -> Result<Photo, Reject> {
        let mut photo = photo::decode(bytes, &Limits::STANDARD)?;
        let (width, height) = photo.rgb.dimensions();
        if (width, height) != (self.width, self.height) {
            let said = format!("{}x{}", self.width, self.height);
            return Err(Reject::new(
                Reason::DecodeError,
                format!("decodes to {width}x{height} pixels, the manifest says {said}"),
            ));
        }
        if let Some(crop) = self.crop {
            photo.rgb = crop.of(&photo.rgb);
        }
        Ok(photo)
    }
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    const CROP: Crop = Crop { left: 2, top: 1, right: 5, bottom: 3 };

    #[test]
    fn a_box_is_one_cell_and_is_read_back() {
        assert_eq!(CROP.to_string(), "2;1;5;3");
        assert_eq!("2;1;5;3".parse::<Crop>().unwrap(), CROP);
        for bad in ["", "1;2;3", "1;2;3;4;5", "a;2;3;4", "-1;2;3;4", "1,2,3,4"] {
            let error = bad.parse::<Crop>().unwrap_err().to_string();
            assert!(error.contains("expected left;top;right;bottom"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_box_holds_its_first_pixels_and_not_those_after_its_last() {
        let photo = RgbImage::from_fn(6, 4, |x, y| Rgb([x as u8, y as u8, 0]));
        let seen = CROP.of(&photo);
        assert_eq!(seen.dimensions(), (3, 2));
        assert_eq!((seen.get_pixel(0, 0).0, seen.get_pixel(2, 1).0), ([2, 1, 0], [4, 2, 0]));
    }

    #[test]
    fn a_box_without_pixels_or_beyond_the_picture_does_not_fit() {
        assert!(CROP.fits(5, 3));
        assert!(!CROP.fits(4, 3) && !CROP.fits(5, 2));
        assert!(!Crop { right: 2, ..CROP }.fits(9, 9) && !Crop { bottom: 1, ..CROP }.fits(9, 9));
        assert!(!Crop { right: 1, ..CROP }.fits(9, 9), "right is left of left");
    }
}
