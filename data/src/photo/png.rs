//! The container of PNG: a signature, then chunks of length, type, data and checksum.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

/// A 50 megapixel picture in libpng's chunks of 8 KiB has 20 thousand; the decoder takes 300 ns for each.
const MAX_CHUNKS: usize = 1 << 20;

/// Walks to the `IEND` chunk and keeps the chunks that make pixels.
///
/// Dropped with the rest are `tRNS` (it is alpha only, and alpha is dropped) and the frames of an
/// animation. The decoder checks the checksums of what is kept.
///
/// # Errors
/// The [`Reject`] with its reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    let mut stream = Vec::with_capacity(bytes.len());
    stream.extend_from_slice(walk.take(8)?);
    let (width, height) = header_size(&bytes[8..])?;
    limits.check_size(width, height)?;
    let mut orientation = None;
    let mut animated = false;
    for _ in 0..MAX_CHUNKS {
        let chunk = walk.rest();
        let length = walk.u32_be()? as usize;
        let kind = walk.array::<4>()?;
        let data = walk.take(length)?;
        walk.take(4)?; // the checksum
        match &kind {
            b"IHDR" | b"PLTE" | b"IDAT" | b"IEND" => stream.extend_from_slice(&chunk[..length + 12]),
            b"eXIf" if orientation.is_none() => orientation = Orientation::from_exif_chunk(data),
            b"fdAT" => animated = true,
            _ => {}
        }
        if &kind == b"IEND" {
            let orientation = orientation.unwrap_or(Orientation::NoTransforms);
            return Ok(Outline { width, height, orientation, animated, stream: Cow::Owned(stream) });
        }
    }
    Err(Reject::new(Reason::DecodeTimeout, "too many chunks"))
}

fn header_size(chunks: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(chunks);
    let length = walk.u32_be()?;
    if &walk.array::<4>()? != b"IHDR" || length != 13 {
        return Err(Reject::new(Reason::DecodeError, "the first chunk is no PNG header"));
    }
    Ok((walk.u32_be()?, walk.u32_be()?))
}
