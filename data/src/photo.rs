//! Bytes of unknown origin to upright RGB8, or a reject reason: the only decoder in the workspace.

use std::fmt;
use std::path::Path;

use image::RgbImage;

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
    /// Not the bytes that the manifest's digest was taken of.
    ChangedSinceSplit,
}

impl Reason {
    /// The name in `rejects.csv`.
    pub fn name(self) -> &'static str {
        match self {
            Reason::Empty => "empty",
            Reason::NotRegularFile => "not_regular_file",
            Reason::Unreadable => "unreadable",
            Reason::TooLargeBytes => "too_large_bytes",
            Reason::UnknownFormat => "unknown_format",
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
    /// 64 MiB of file, 16384 pixels a side, 50 megapixels, 256 MiB.
    pub const STANDARD: Self =
        Self { max_bytes: 64 << 20, max_side: 16_384, max_pixels: 50_000_000, max_alloc: 256 << 20 };
}

/// A decoded picture.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Upright (EXIF orientation applied), 8 bits a channel, alpha dropped.
    pub rgb: RgbImage,
    /// What the content is, whatever the file's name says.
    pub format: image::ImageFormat,
    /// The file holds further frames; `rgb` is the first.
    pub animated: bool,
}

/// Decodes a picture from its bytes.
///
/// # Errors
/// The [`Reject`] with its reason; never panics.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Photo, Reject> {
    let _ = (bytes, limits);
    Err(Reject::new(Reason::UnknownFormat, "not written yet"))
}

/// Reads the bytes of a picture: a regular file (links are not followed) within the byte limit.
///
/// # Errors
/// The [`Reject`] with its reason.
pub fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Reject> {
    let _ = (path, limits);
    Err(Reject::new(Reason::Unreadable, "not written yet"))
}

/// [`read`], then the check that these are the bytes that `sha256` was taken of.
///
/// # Errors
/// The [`Reject`] with its reason.
pub fn read_unchanged(path: &Path, sha256: &[u8; 32], limits: &Limits) -> Result<Vec<u8>, Reject> {
    let _ = sha256;
    read(path, limits)
}
