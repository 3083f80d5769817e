//! Converts the output of the decoders of crate `image` to RGB8.

use image::error::{ImageError, UnsupportedErrorKind};
use image::{ColorType, ImageDecoder, ImageResult, RgbImage};

use super::{Limits, Outline, Reason, Reject};

/// Runs a decoder on the file in `outline`.
///
/// # Errors
/// The decoder's error, as a [`Reject`].
pub(super) fn rgb(
    decoder: ImageResult<impl ImageDecoder>,
    outline: &Outline,
    limits: &Limits,
) -> Result<RgbImage, Reject> {
    let mut decoder = decoder.map_err(reject)?;
    let (width, height) = decoder.dimensions();
    if (width, height) != (outline.width, outline.height) {
        let detail = format!("{width} x {height} pixels, but {} x {}", outline.width, outline.height);
        return Err(Reject::new(Reason::DecodeError, detail));
    }
    decoder.set_limits(limits.of_decoder()).map_err(reject)?;
    let colour = decoder.color_type();
    let size = decoder.total_bytes();
    if colour != ColorType::Rgb8 {
        limits.check_alloc(size)?;
    }
    let mut raw = vec![0; usize::try_from(size).map_err(|e| Reject::new(Reason::TooManyPixels, e))?];
    decoder.read_image(&mut raw).map_err(reject)?;
    let rgb = match colour {
        ColorType::Rgb8 => raw,
        ColorType::L8 => grey::<1>(&raw, |v| v[0]),
        ColorType::La8 => grey::<2>(&raw, |v| v[0]),
        ColorType::L16 => grey::<2>(&raw, high_byte),
        ColorType::La16 => grey::<4>(&raw, high_byte),
        ColorType::Rgba8 => first_three::<4>(&raw, |v| [v[0], v[1], v[2]]),
        ColorType::Rgb16 => first_three::<6>(&raw, high_bytes),
        ColorType::Rgba16 => first_three::<8>(&raw, high_bytes),
        other => return Err(Reject::new(Reason::UnsupportedColour, format!("{other:?}"))),
    };
    RgbImage::from_raw(width, height, rgb)
        .ok_or_else(|| Reject::new(Reason::DecodeError, "pixels are missing"))
}

/// Converts `N` bytes per pixel to grey, repeated three times.
fn grey<const N: usize>(raw: &[u8], value: impl Fn(&[u8]) -> u8) -> Vec<u8> {
    first_three::<N>(raw, |pixel| [value(pixel); 3])
}

/// Converts `N` bytes per pixel to red, green and blue.
fn first_three<const N: usize>(raw: &[u8], rgb: impl Fn(&[u8]) -> [u8; 3]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() / N * 3);
    for pixel in raw.chunks_exact(N) {
        out.extend_from_slice(&rgb(pixel));
    }
    out
}

/// Returns the high byte of a 16-bit value in native byte order.
fn high_byte(value: &[u8]) -> u8 {
    u16::from_ne_bytes([value[0], value[1]]).to_be_bytes()[0]
}

fn high_bytes(pixel: &[u8]) -> [u8; 3] {
    [high_byte(pixel), high_byte(&pixel[2..]), high_byte(&pixel[4..])]
}

fn reject(error: ImageError) -> Reject {
    use std::io::ErrorKind::UnexpectedEof;
    let reason = match &error {
        ImageError::IoError(e) if e.kind() == UnexpectedEof => Reason::Truncated,
        ImageError::Limits(_) => Reason::TooManyPixels,
        ImageError::Unsupported(e) if matches!(e.kind(), UnsupportedErrorKind::Color(_)) => {
            Reason::UnsupportedColour
        }
        _ => Reason::DecodeError,
    };
    Reject::new(reason, with_plain_chunk_names(&error.to_string()))
}

/// Replaces the debug text of a PNG chunk, `ChunkType { type: IDAT, critical: true, ... }`, by its name.
fn with_plain_chunk_names(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("ChunkType { type: ") {
        let Some((fields, after)) = after.split_once(" }") else { break };
        plain += before;
        plain += fields.split(',').next().unwrap_or_default();
        rest = after;
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_named_and_not_dumped() {
        let text = "CRC error: expected 0x1 have 0x2 while decoding ChunkType { type: IDAT, critical: true, private: \
                    false, reserved: false, safecopy: false } chunk.";
        let plain = "CRC error: expected 0x1 have 0x2 while decoding IDAT chunk.";
        assert_eq!(with_plain_chunk_names(text), plain);
        assert_eq!(with_plain_chunk_names(plain), plain);
    }
}
