//! Decodes bytes of unknown origin to upright RGB8, or rejects them with a reason: the only decoder in the workspace.
//!
//! [`decode`] never gives a decoder the whole file. For each format a small parser first walks over the
//! container (`photo/{jpeg,png,gif,webp,bmp}.rs`): it checks the size of the picture against [`Limits`], finds the
//! end of the picture (a file that ends earlier is [`Reason::Truncated`]), reads the orientation, and copies the
//! parts with the pixels of the first frame. Text, profiles, thumbnails and further frames never reach a decoder,
//! so broken or huge ones have no effect. Then the decoder runs, and its panics are caught.
//! Damage after the last pixel is not an error: a file without its end is decoded, and is
//! [`Reason::Truncated`] if the decoder needs more data.
//!
//! Conversion of colours to RGB, 8 bits per channel:
//! - grey is repeated three times, a palette is looked up;
//! - 16 bits become 8 by keeping the high byte;
//! - alpha is dropped, the colour beneath it stays; areas that no GIF frame covers are black;
//! - CMYK is read as Adobe writes it, inverted: red = cyan x black / 255, and so on;
//! - colour profiles are ignored.

use std::borrow::Cow;
use std::fmt;
use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat, RgbImage};

mod bmp;
mod colour;
mod file;
mod gif;
mod jpeg;
mod name;
mod orientation;
mod panics;
mod png;
mod room;
mod sniff;
#[cfg(test)]
mod tests;
mod walk;
mod webp;

pub use file::{begins_as_picture, read, read_unchanged};
pub use name::{has_picture_name, is_hidden};
pub use room::Room;

/// The reason why a picture was rejected; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No bytes.
    Empty,
    /// A link, a directory, a pipe or a device with the name of a picture.
    NotRegularFile,
    /// The system refused to read it.
    Unreadable,
    /// More bytes than [`Limits::max_bytes`].
    TooLargeBytes,
    /// The first bytes are not those of a known format.
    UnknownFormat,
    /// As [`Reason::UnknownFormat`] or [`Reason::Empty`], but without the name of a picture: another file beside
    /// the pictures, which does not count as bad.
    NoPicture,
    /// A picture in another format than jpeg, png, gif, webp, bmp.
    FormatNotAllowed,
    /// The decoder reports an error in the content.
    DecodeError,
    /// The content ends before the picture does.
    Truncated,
    /// More pixels than [`Limits`] allows.
    TooManyPixels,
    /// No width or no height.
    ZeroDimension,
    /// An animation that is not allowed.
    Animated,
    /// Colours that cannot be converted to RGB correctly.
    UnsupportedColour,
    /// The decoder panicked.
    DecoderPanic,
    /// Decoding would take too long.
    DecodeTimeout,
    /// A file name that is not UTF-8, or a path that leads out of its directory.
    BadName,
    /// The same bytes as another picture.
    Duplicate,
    /// In none of the lists of pictures to use.
    NotListed,
    /// The file does not have the digest of the manifest.
    ChangedSinceSplit,
}

impl Reason {
    /// Returns whether the picture is damaged or unusable, and not a file that was not meant to be used.
    pub fn is_bad(self) -> bool {
        !matches!(self, Reason::NoPicture | Reason::NotListed)
    }

    /// Returns the name in `rejects.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::NotRegularFile => "not_regular_file",
            Reason::Unreadable => "unreadable",
            Reason::TooLargeBytes => "too_large_bytes",
            Reason::UnknownFormat => "unknown_format",
            Reason::NoPicture => "no_picture",
            Reason::FormatNotAllowed => "format_not_allowed",
            Reason::DecodeError => "decode_error",
            Reason::Truncated => "truncated",
            Reason::TooManyPixels => "too_many_pixels",
            Reason::ZeroDimension => "zero_dimension",
            Reason::Animated => "animated",
            Reason::UnsupportedColour => "unsupported_colour",
            Reason::DecoderPanic => "decoder_panic",
            Reason::DecodeTimeout => "decode_timeout",
            Reason::BadName => "bad_name",
            Reason::Duplicate => "duplicate",
            Reason::NotListed => "not_listed",
            Reason::ChangedSinceSplit => "changed_since_split",
        }
    }
}

/// The rejection of a picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Reject {
    /// The reason.
    pub reason: Reason,
    /// Details, as text for people.
    pub detail: String,
}

impl Reject {
    /// Returns a reject for `reason`.
    pub fn new(reason: Reason, detail: impl fmt::Display) -> Self {
        Self { reason, detail: detail.to_string() }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.reason.name())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        Ok(())
    }
}

/// Limits on the size of a picture and of its decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Maximum bytes of the file.
    pub max_bytes: u64,
    /// Maximum pixels of each side.
    pub max_side: u32,
    /// Maximum number of pixels.
    pub max_pixels: u64,
    /// Maximum bytes that a decoder may allocate in addition to the result.
    pub max_alloc: u64,
}

impl Limits {
    /// 128 MiB of file, 16384 pixels per side, 200 megapixels (16320 x 12240, the largest from phones),
    /// 640 MiB.
    ///
    /// Memory of a whole process: pictures of more than 16 megapixels wait until there is memory for them
    /// ([`Room`]), so all of them together take at most 1.2 GB while they are turned upright, and 640 MiB if a
    /// decoder needs more than the pixels. In addition, each thread has its file, the copied parts of it, and
    /// smaller pictures: 100 MB for the pixels of one.
    pub const STANDARD: Self =
        Self { max_bytes: 128 << 20, max_side: 16_384, max_pixels: 200_000_000, max_alloc: 640 << 20 };

    fn check_size(&self, width: u32, height: u32) -> Result<(), Reject> {
        let found = format!("{width} x {height}");
        if width == 0 || height == 0 {
            return Err(Reject::new(Reason::ZeroDimension, found));
        }
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.max_side {
            let detail = format!("{found} pixels, more than {} along a side", self.max_side);
            return Err(Reject::new(Reason::TooManyPixels, detail));
        }
        if pixels > self.max_pixels {
            let detail = format!("{found} pixels, more than {} megapixels", self.max_pixels / 1_000_000);
            return Err(Reject::new(Reason::TooManyPixels, detail));
        }
        Ok(())
    }

    fn check_alloc(&self, bytes: u64) -> Result<(), Reject> {
        if bytes > self.max_alloc {
            let detail = format!("decoding takes {} MiB beside the picture", bytes >> 20);
            return Err(Reject::new(Reason::TooManyPixels, detail));
        }
        Ok(())
    }

    fn too_large(&self) -> Reject {
        Reject::new(Reason::TooLargeBytes, format!("more than {} bytes", self.max_bytes))
    }

    fn of_decoder(&self) -> image::Limits {
        let mut limits = image::Limits::no_limits();
        limits.max_image_width = Some(self.max_side);
        limits.max_image_height = Some(self.max_side);
        limits.max_alloc = Some(self.max_alloc);
        limits
    }
}

/// A decoded picture.
///
/// Large pictures share limited memory: drop one before the next is decoded.
#[derive(Debug)]
pub struct Photo {
    /// Upright pixels (orientation applied), 8 bits per channel, alpha dropped.
    pub rgb: RgbImage,
    /// Orientation of the stored picture.
    pub orientation: Orientation,
    /// Format of the content, which may differ from the file's extension.
    pub format: ImageFormat,
    /// Whether the file has further frames; `rgb` is the first.
    pub animated: bool,
    /// The memory of the pixels; must be kept as long as the pixels.
    pub room: Room,
}

/// The header of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Width of the upright picture.
    pub width: u32,
    /// Height of the upright picture.
    pub height: u32,
    /// Orientation of the stored picture.
    pub orientation: Orientation,
    /// Whether the file has further frames.
    pub animated: bool,
}

/// Decodes a picture from its bytes; waits while other large pictures use the memory.
///
/// # Errors
/// A [`Reject`] with the reason; never panics.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, Reject> {
    panics::catch(|| {
        let format = admit(bytes, limits)?;
        let outline = outline(format, bytes, limits)?;
        let room = Room::take(u64::from(outline.width) * u64::from(outline.height));
        let mut upright = DynamicImage::ImageRgb8(pixels(format, &outline, limits)?);
        upright.apply_orientation(outline.orientation);
        let Outline { orientation, animated, .. } = outline;
        Ok(Photo { rgb: upright.into_rgb8(), orientation, format, animated, room })
    })
}

/// Reads the header of a picture without decoding.
///
/// Makes all checks of [`decode`] that need no pixels. A file without its end is decoded, because only then it
/// is known whether all pixels are there.
///
/// # Errors
/// A [`Reject`] with the reason; never panics.
pub fn header(bytes: &[u8], limits: &Limits) -> Result<Header, Reject> {
    panics::catch(|| {
        let format = admit(bytes, limits)?;
        let outline = outline(format, bytes, limits)?;
        let Outline { width, height, orientation, animated, unfinished, .. } = outline;
        if unfinished {
            let _room = Room::take(u64::from(width) * u64::from(height));
            pixels(format, &outline, limits)?;
        }
        let (width, height) = match orientation.to_exif() {
            5.. => (height, width),
            _ => (width, height),
        };
        Ok(Header { width, height, orientation, animated })
    })
}

/// Reads width and height of the upright picture without decoding, as [`header`].
///
/// # Errors
/// A [`Reject`] with the reason; never panics.
pub fn dimensions(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), Reject> {
    header(bytes, limits).map(|header| (header.width, header.height))
}

/// The result of a walk over a container, without decoding.
struct Outline<'a> {
    /// Width as stored, before `orientation`.
    width: u32,
    height: u32,
    orientation: Orientation,
    /// Whether there are further frames.
    animated: bool,
    /// Whether the file ends too early; the decoder may still find all pixels.
    unfinished: bool,
    /// Whether it is a JPEG that zune-jpeg decodes wrongly.
    unusual: bool,
    /// A file of the same format with only the parts for the pixels of the first frame.
    stream: Cow<'a, [u8]>,
}

fn admit(bytes: &[u8], limits: &Limits) -> Result<ImageFormat, Reject> {
    if bytes.is_empty() {
        return Err(Reject::new(Reason::Empty, "no bytes"));
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(limits.too_large());
    }
    sniff::format(bytes)
}

fn outline<'a>(format: ImageFormat, bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    match format {
        ImageFormat::Jpeg => jpeg::outline(bytes, limits),
        ImageFormat::Png => png::outline(bytes, limits),
        ImageFormat::Gif => gif::outline(bytes, limits),
        ImageFormat::WebP => webp::outline(bytes, limits),
        ImageFormat::Bmp => bmp::outline(bytes, limits),
        other => Err(Reject::new(Reason::FormatNotAllowed, format!("{other:?}"))),
    }
}

/// Decodes the pixels as stored, as RGB.
fn pixels(format: ImageFormat, outline: &Outline, limits: &Limits) -> Result<RgbImage, Reject> {
    let stream = Cursor::new(outline.stream.as_ref());
    let pixels = match format {
        ImageFormat::Jpeg => jpeg::pixels(outline),
        ImageFormat::Png => {
            colour::rgb(PngDecoder::with_limits(stream, limits.of_decoder()), outline, limits)
        }
        ImageFormat::Gif => colour::rgb(GifDecoder::new(stream), outline, limits),
        ImageFormat::WebP => colour::rgb(WebPDecoder::new(stream), outline, limits),
        _ => colour::rgb(BmpDecoder::new(stream), outline, limits),
    };
    pixels.map_err(|reject| match reject.reason {
        Reason::DecodeError if outline.unfinished => {
            Reject::new(Reason::Truncated, format!("the file ends before its picture: {}", reject.detail))
        }
        _ => reject,
    })
}
