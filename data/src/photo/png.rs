//! The container of PNG: a signature, then chunks of length, type, data and checksum.

use std::borrow::Cow;

use super::orientation::Orientations;
use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

/// Maximum number of chunks. A 50 megapixel picture in libpng's chunks of 8 KiB has 20 thousand; each takes 300 ns.
const MAX_CHUNKS: usize = 1 << 20;
/// The last chunk, with its checksum.
const END: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Walks to the `IEND` chunk and keeps the chunks that make pixels.
///
/// `tRNS` (only alpha, which is dropped) and the frames of an animation are not kept. The decoder verifies the
/// checksums of the kept chunks. The data after the last `IDAT` chunk may be missing or invalid: the decoder reports
/// missing pixels.
///
/// # Errors
/// A [`Reject`] with the reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    let mut stream = Vec::with_capacity(bytes.len() + END.len());
    stream.extend_from_slice(walk.take(8)?);
    let (width, height) = header_size(&bytes[8..])?;
    limits.check_size(width, height)?;
    let mut orientations = Orientations::new();
    let mut animated = false;
    let mut has_data = false;
    let mut unfinished = true;
    for n_chunks in 0.. {
        if n_chunks == MAX_CHUNKS {
            return Err(Reject::new(Reason::DecodeTimeout, "too many chunks"));
        }
        let rest = walk.rest();
        let chunk = match chunk(&mut walk) {
            Ok(chunk) => chunk,
            // Not a chunk of pixels: the chunks before it may have all of them.
            Err(_) if has_data && rest.get(4..8) != Some(b"IDAT") => break,
            Err(reject) => return Err(reject),
        };
        match chunk.kind {
            b"IEND" => {
                unfinished = false;
                break;
            }
            b"IHDR" | b"PLTE" | b"IDAT" => stream.extend_from_slice(&rest[..chunk.data.len() + 12]),
            b"eXIf" => orientations.block(chunk.data),
            b"tEXt" | b"zTXt" | b"iTXt" => orientations.text(chunk.kind, chunk.data),
            b"fdAT" => animated = true,
            _ => {}
        }
        has_data |= chunk.kind == b"IDAT";
    }
    stream.extend_from_slice(&END);
    Ok(Outline {
        width,
        height,
        orientation: orientations.found(),
        animated,
        unfinished,
        unusual: false,
        stream: Cow::Owned(stream),
    })
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    data: &'a [u8],
}

fn chunk<'a>(walk: &mut Walk<'a>) -> Result<Chunk<'a>, Reject> {
    let length = walk.u32_be()? as usize;
    let kind = walk.take(4)?;
    let kind = kind.first_chunk().ok_or_else(|| walk.ended())?;
    if kind == b"IEND" && length == 0 {
        return Ok(Chunk { kind, data: &[] }); // its checksum does not matter
    }
    let data = walk.take(length)?;
    walk.take(4)?; // the checksum
    Ok(Chunk { kind, data })
}

fn header_size(chunks: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(chunks);
    let length = walk.u32_be()?;
    if &walk.array::<4>()? != b"IHDR" || length != 13 {
        return Err(Reject::new(Reason::DecodeError, "the first chunk is not a PNG header"));
    }
    Ok((walk.u32_be()?, walk.u32_be()?))
}
