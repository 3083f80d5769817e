//! A copy's pixels to the bytes of its file.

use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

/// How copies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG.
    Jpg {
        /// 1 to 100.
        quality: u8,
    },
    /// PNG.
    Png,
}

impl Encoding {
    /// The file name's ending, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Encoding::Jpg { .. } => "jpg",
            Encoding::Png => "png",
        }
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// If the encoder refuses the picture's size.
    pub fn encode(self, picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
        let (width, height) = picture.dimensions();
        let mut bytes = Vec::new();
        match self {
            Encoding::Jpg { quality } => JpegEncoder::new_with_quality(&mut bytes, quality).write_image(
                picture,
                width,
                height,
                ExtendedColorType::Rgb8,
            ),
            Encoding::Png => {
                PngEncoder::new(&mut bytes).write_image(picture, width, height, ExtendedColorType::Rgb8)
            }
        }
        .with_context(|| format!("cannot encode a picture of {width}x{height}"))?;
        Ok(bytes)
    }
}
