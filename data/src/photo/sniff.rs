//! Detects the format from the content, not from the file's name.

use image::ImageFormat;
use memchr::memmem;

use super::{Reason, Reject};

/// Returns the allowed format with which `bytes` begin.
///
/// # Errors
/// [`Reason::FormatNotAllowed`] for other pictures, [`Reason::UnknownFormat`] for the rest.
pub(super) fn format(bytes: &[u8]) -> Result<ImageFormat, Reject> {
    // Two bytes are enough: a JPEG cut after them is truncated, not unknown.
    if bytes.starts_with(&[0xff, 0xd8]) {
        return Ok(ImageFormat::Jpeg);
    }
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Ok(ImageFormat::Png);
    }
    if bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a") {
        return Ok(ImageFormat::Gif);
    }
    if bytes.starts_with(b"RIFF") && at(bytes, 8, b"WEBP") {
        return Ok(ImageFormat::WebP);
    }
    if is_bmp(bytes) {
        return Ok(ImageFormat::Bmp);
    }
    match other_picture(bytes) {
        Some(name) => Err(Reject::new(Reason::FormatNotAllowed, name)),
        None => {
            let begin = bytes[..bytes.len().min(12)].escape_ascii();
            Err(Reject::new(Reason::UnknownFormat, format!("it begins with \"{begin}\"")))
        }
    }
}

fn at(bytes: &[u8], offset: usize, magic: &[u8]) -> bool {
    bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic))
}

/// Returns whether `bytes` are a BMP: text may also begin with "BM", so the size of the second header is checked.
fn is_bmp(bytes: &[u8]) -> bool {
    bytes.starts_with(b"BM") && bytes.get(14..18).is_none_or(|size| matches!(size, [12..=124, 0, 0, 0]))
}

fn other_picture(bytes: &[u8]) -> Option<&'static str> {
    /// (offset, magic, name)
    const KNOWN: [(usize, &[u8], &str); 26] = [
        (0, b"II*\0", "tiff"),
        (0, b"MM\0*", "tiff"),
        (0, b"II+\0", "tiff"),
        (0, b"MM\0+", "tiff"),
        (0, &[0, 0, 1, 0], "ico"),
        (0, &[0, 0, 2, 0], "cur"),
        (4, b"ftypavif", "avif"),
        (4, b"ftypavis", "avif"),
        (4, b"ftyphei", "heic"),
        (4, b"ftyphev", "heic"),
        (4, b"ftypmif1", "heif"),
        (4, b"ftypmsf1", "heif"),
        (0, b"8BPS", "psd"),
        (0, &[0x76, 0x2f, 0x31, 0x01], "exr"),
        (0, b"#?RADIANCE", "hdr"),
        (0, b"#?RGBE", "hdr"),
        (0, &[0xff, 0x0a], "jxl"),
        (0, b"\0\0\0\x0cJXL ", "jxl"),
        (0, b"\0\0\0\x0cjP  ", "jp2"),
        (0, &[0xff, 0x4f, 0xff, 0x51], "jp2"),
        (0, b"qoif", "qoi"),
        (0, b"DDS ", "dds"),
        (0, b"farbfeld", "farbfeld"),
        (0, b"gimp xcf", "xcf"),
        (0, b"icns", "icns"),
        (0, &[0x01, 0xda], "sgi"),
    ];
    let known = KNOWN.iter().find(|(offset, magic, _)| at(bytes, *offset, magic)).map(|(_, _, name)| *name);
    known.or_else(|| is_pnm(bytes).then_some("pnm")).or_else(|| is_svg(bytes).then_some("svg"))
}

fn is_pnm(bytes: &[u8]) -> bool {
    matches!(bytes, [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..])
}

/// Returns whether `bytes` are XML that opens an `svg` element in the first KiB; an HTML page is not a picture.
fn is_svg(bytes: &[u8]) -> bool {
    let start = bytes[..bytes.len().min(1024)].trim_ascii_start();
    start.starts_with(b"<svg") || (start.starts_with(b"<?xml") && memmem::find(start, b"<svg").is_some())
}
