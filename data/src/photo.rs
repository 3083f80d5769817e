//! Bytes of unknown origin to upright RGB8, or a reject reason: the only decoder in the workspace.
//!
//! [`decode`] never trusts a decoder with the whole file. For each format a small walk over the
//! container comes first (`photo/{jpeg,png,gif,webp,bmp}.rs`): it checks the size of the picture
//! against [`Limits`], finds where the picture ends (a file that ends earlier is
//! [`Reason::Truncated`]), reads the orientation, and copies out the parts that make the pixels of
//! the first frame. Text, profiles, thumbnails and further frames never reach a decoder, so broken
//! ones do no harm and huge ones cost nothing. Then the decoder runs, inside a net for its panics.
//! Damage behind the last pixel is no fault: a file that lacks only its end is decoded, and is
//! [`Reason::Truncated`] if the decoder asks for more.
//!
//! How colours become RGB, 8 bits a channel:
//! - grey is repeated three times, a palette is looked up;
//! - 16 bits become 8 by keeping the high byte;
//! - alpha is dropped, the colour beneath it stays; what no GIF frame covers is black;
//! - CMYK is taken as Adobe writes it, inverted: red = cyan x black / 255, and so on;
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

/// Why a picture was not passed on; a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No bytes.
    Empty,
    /// A link, a directory, a pipe or a device under a picture's name.
    NotRegularFile,
    /// The system refused to read it.
    Unreadable,
    /// More bytes than [`Limits::max_bytes`].
    TooLargeBytes,
    /// The first bytes are those of no format we know.
    UnknownFormat,
    /// As [`Reason::UnknownFormat`] or [`Reason::Empty`], and by its name no picture either: a note beside the
    /// pictures, not a bad one among them.
    NoPicture,
    /// A picture, but of none of the formats jpeg, png, gif, webp, bmp.
    FormatNotAllowed,
    /// The decoder says that the content is wrong.
    DecodeError,
    /// The content ends before the picture does.
    Truncated,
    /// More pixels than [`Limits`] allow.
    TooManyPixels,
    /// No width or no height.
    ZeroDimension,
    /// An animation, where animations are not wanted.
    Animated,
    /// Colours that we cannot turn into RGB rightly.
    UnsupportedColour,
    /// The decoder panicked.
    DecoderPanic,
    /// The decoder did not end in time.
    DecodeTimeout,
    /// A file name that no text file can hold, or that leads out of its place.
    BadName,
    /// The same bytes as another picture.
    Duplicate,
    /// In none of the lists that say which pictures to use.
    NotListed,
    /// Not the bytes that the manifest's digest was taken of.
    ChangedSinceSplit,
}

impl Reason {
    /// Whether something is wrong with a picture; otherwise nobody meant it to be used.
    pub fn is_bad(self) -> bool {
        !matches!(self, Reason::NoPicture | Reason::NotListed)
    }

    /// The name in `rejects.csv`.
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

/// A picture that is not passed on, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Reject {
    /// From the closed set.
    pub reason: Reason,
    /// For people.
    pub detail: String,
}

impl Reject {
    /// A reject for `reason`.
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

/// What a picture may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Pixels along either side.
    pub max_side: u32,
    /// Pixels in all.
    pub max_pixels: u64,
    /// Bytes that a decoder may allocate beside the result.
    pub max_alloc: u64,
}

impl Limits {
    /// 128 MiB of file, 16384 pixels a side, 200 megapixels (16320 x 12240, the most that phones make),
    /// 640 MiB.
    ///
    /// What that takes in memory, in a whole process: pictures of more than 16 megapixels wait until there is
    /// room for them ([`Room`]), so all of these together take at most 1.2 GB while they are turned
    /// upright, and 640 MiB where a decoder needs more than the pixels. Besides, each thread has its file,
    /// what is kept of it, and smaller pictures: 100 MB for the pixels of one.
    pub const STANDARD: Self =
        Self { max_bytes: 128 << 20, max_side: 16_384, max_pixels: 200_000_000, max_alloc: 640 << 20 };

    fn check_size(&self, width: u32, height: u32) -> Result<(), Reject> {
        let found = format!("{width} x {height}");
        if width == 0 || height == 0 {
            return Err(Reject::new(Reason::ZeroDimension, found));
        }
        let pixels = u64::from(width) * u64::from(height);
        if width.max(height) > self.max_side || pixels > self.max_pixels {
            return Err(Reject::new(Reason::TooManyPixels, found));
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
/// A large one takes room of which there is little: let go of it before the next one is decoded.
#[derive(Debug)]
pub struct Photo {
    /// Upright (orientation applied), 8 bits a channel, alpha dropped.
    pub rgb: RgbImage,
    /// How the stored picture was turned.
    pub orientation: Orientation,
    /// What the content is, whatever the file's name says.
    pub format: ImageFormat,
    /// The file holds further frames; `rgb` is the first.
    pub animated: bool,
    /// To be kept as long as the pixels are.
    pub room: Room,
}

/// What a picture's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Pixels across, upright.
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// How the stored picture is to be turned.
    pub orientation: Orientation,
    /// The file holds further frames.
    pub animated: bool,
}

/// Decodes a picture from its bytes; waits while other large pictures take the memory.
///
/// # Errors
/// The [`Reject`] with its reason; never panics.
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

/// What [`decode`] would find, without decoding.
///
/// All of [`decode`]'s checks that need no pixels are made. A file that lacks its end is decoded: only so
/// it shows whether that was all.
///
/// # Errors
/// The [`Reject`] with its reason; never panics.
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

/// Width and height that [`decode`] would give, without decoding: those of [`header`].
///
/// # Errors
/// The [`Reject`] with its reason; never panics.
pub fn dimensions(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), Reject> {
    header(bytes, limits).map(|header| (header.width, header.height))
}

/// What a walk over a container finds without decoding.
struct Outline<'a> {
    /// Pixels, as stored: before `orientation`.
    width: u32,
    height: u32,
    orientation: Orientation,
    /// There are further frames.
    animated: bool,
    /// The file ends too early; that the decoder finds all pixels is yet to be seen.
    unfinished: bool,
    /// A JPEG that zune-jpeg does not get right.
    unusual: bool,
    /// A file of the same format with nothing in it but what makes the pixels of the first frame.
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

/// The pixels as stored, as RGB.
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
