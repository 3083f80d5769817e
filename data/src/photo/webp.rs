//! The container of WebP: a RIFF file whose chunks are either one frame or an animation.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

/// Walks over the chunks that the RIFF header promises.
///
/// Nothing is dropped but what follows the RIFF file: the decoder reads metadata only when asked
/// to, and the frames of an animation one by one.
///
/// # Errors
/// The [`Reject`] with its reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(4)?; // RIFF
    let length = walk.u32_le()? as usize;
    let riff = Walk::new(walk.rest()).take(length).map_err(|_| walk.ended())?;
    let stream = &bytes[..walk.at() + riff.len()];
    let mut chunks = Walk::new(riff);
    chunks.take(4)?; // WEBP

    let mut canvas = None;
    let mut frame = None;
    let mut frames = 0;
    let mut orientation = None;
    while !chunks.rest().is_empty() {
        let kind = chunks.array::<4>()?;
        let length = chunks.u32_le()? as usize;
        let data = chunks.take(length)?;
        if length % 2 == 1 && !chunks.rest().is_empty() {
            chunks.byte()?; // chunks begin at even places
        }
        match &kind {
            b"VP8X" if canvas.is_none() => canvas = Some(canvas_size(data)?),
            b"VP8 " | b"VP8L" if frame.is_none() => frame = Some(frame_size(&kind, data)?),
            b"ANMF" => {
                frames += 1;
                if frame.is_none() {
                    frame = Some(first_frame_size(data)?);
                }
            }
            // Some writers put the prefix of JPEG's EXIF segment before it.
            b"EXIF" if orientation.is_none() => {
                orientation = Orientation::from_exif_chunk(data.strip_prefix(b"Exif\0\0").unwrap_or(data));
            }
            _ => {}
        }
    }
    let Some(frame) = frame else { return Err(Reject::new(Reason::DecodeError, "no frame")) };
    limits.check_size(frame.0, frame.1)?;
    let (width, height) = canvas.unwrap_or(frame);
    limits.check_size(width, height)?;
    let orientation = orientation.unwrap_or(Orientation::NoTransforms);
    Ok(Outline { width, height, orientation, animated: frames > 1, stream: Cow::Borrowed(stream) })
}

fn canvas_size(data: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(data);
    walk.take(4)?; // flags
    Ok((u24_le(&mut walk)? + 1, u24_le(&mut walk)? + 1))
}

/// Of the frame inside an animation's first `ANMF` chunk.
fn first_frame_size(data: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(data);
    walk.take(6)?; // left, top
    let size = (u24_le(&mut walk)? + 1, u24_le(&mut walk)? + 1);
    walk.take(4)?; // duration, flags
    // The frame's own header must not promise more than the animation's.
    while !walk.rest().is_empty() {
        let kind = walk.array::<4>()?;
        let length = walk.u32_le()? as usize;
        let data = walk.take(length)?;
        if matches!(&kind, b"VP8 " | b"VP8L") {
            return match frame_size(&kind, data)? {
                own if own == size => Ok(size),
                _ => Err(Reject::new(Reason::DecodeError, "a frame contradicts its header")),
            };
        }
        if length % 2 == 1 {
            walk.byte()?;
        }
    }
    Err(Reject::new(Reason::DecodeError, "the first frame is empty"))
}

/// From the head of a lossy (RFC 6386, section 9.1) or a lossless frame (RFC 9649, section 3.4).
fn frame_size(kind: &[u8; 4], data: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(data);
    if kind == b"VP8 " {
        walk.take(6)?; // frame tag, start code
        let side = |v: u16| u32::from(v & 0x3fff);
        Ok((side(walk.u16_le()?), side(walk.u16_le()?)))
    } else {
        walk.byte()?; // signature
        let bits = walk.u32_le()?;
        Ok(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
    }
}

fn u24_le(walk: &mut Walk) -> Result<u32, Reject> {
    let [a, b, c] = walk.array()?;
    Ok(u32::from_le_bytes([a, b, c, 0]))
}
