//! Encodes a copy as the bytes of its file.

use anyhow::Context;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, RgbImage};

/// The file format of the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG.
    Jpg {
        /// Quality, 1 to 100.
        quality: u8,
    },
    /// PNG.
    Png,
}

impl Encoding {
    /// Returns the extension of the file name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Encoding::Jpg { .. } => "jpg",
            Encoding::Png => "png",
        }
    }

    /// Encodes `picture` as the bytes of a file.
    ///
    /// # Errors
    /// If the encoder refuses the picture's size.
    pub fn encode(self, picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
        let (width, height) = picture.dimensions();
        let named = || format!("cannot encode a picture of {width}x{height}");
        let mut bytes = Vec::new();
        match self {
            // From quality 90 on, colour has full resolution.
            Encoding::Jpg { quality } => jpeg_encoder::Encoder::new(&mut bytes, quality)
                .encode(
                    picture,
                    u16::try_from(width).with_context(named)?,
                    u16::try_from(height).with_context(named)?,
                    jpeg_encoder::ColorType::Rgb,
                )
                .with_context(named)?,
            Encoding::Png => PngEncoder::new(&mut bytes)
                .write_image(picture, width, height, ExtendedColorType::Rgb8)
                .with_context(named)?,
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use data::photo::{Limits, decode};
    use image::Rgb;

    use super::*;

    #[test]
    fn the_pixels_come_back() {
        let picture =
            RgbImage::from_fn(57, 31, |x, y| Rgb([(x * 4) as u8, (y * 8) as u8, 200 - (x + y) as u8]));
        for (encoding, most) in [(Encoding::Png, 0), (Encoding::Jpg { quality: 95 }, 6)] {
            let bytes = encoding.encode(&picture).unwrap();
            let back = decode(&bytes, &Limits::STANDARD).unwrap().rgb;
            assert_eq!(back.dimensions(), picture.dimensions());
            let worst = back.iter().zip(picture.iter()).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(most), "{encoding:?}: off by {worst:?}");
        }
    }
}
