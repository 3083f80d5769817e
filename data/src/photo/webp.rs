//! The container of WebP: a RIFF file with chunks of either one frame or an animation.

use std::borrow::Cow;

use super::orientation::Orientations;
use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

/// Walks over the chunks within the length in the RIFF header.
///
/// Nearly everything is kept, except data after the RIFF file: the decoder reads metadata only on request, and the
/// frames of an animation one by one. If the file ends early, but after the first frame, the decoder gets the
/// existing chunks.
///
/// # Errors
/// A [`Reject`] with the reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(4)?; // RIFF
    let length = walk.u32_le()? as usize;
    let there = walk.rest();
    let riff = there.get(..length).unwrap_or(there);
    let mut chunks = Walk::new(riff);
    chunks.take(4)?; // WEBP

    let mut found = Found::default();
    let mut whole = chunks.at();
    while !chunks.rest().is_empty() {
        match found.chunk(&mut chunks) {
            Ok(()) => whole = chunks.at(),
            Err(reject) if found.frame.is_none() => return Err(reject),
            Err(_) => break,
        }
    }
    let unfinished = there.len() < length || whole < riff.len();
    let Some(frame) = found.frame else {
        return Err(if unfinished { walk.ended() } else { Reject::new(Reason::DecodeError, "no frame") });
    };
    limits.check_size(frame.0, frame.1)?;
    let (width, height) = found.canvas.unwrap_or(frame);
    limits.check_size(width, height)?;
    let stream = match (unfinished, found.canvas) {
        (false, None) => Cow::Borrowed(&bytes[..walk.at() + riff.len()]),
        _ => Cow::Owned(rebuilt(&riff[..whole])),
    };
    Ok(Outline {
        width,
        height,
        orientation: found.orientations.found(),
        animated: found.frames > 1,
        unfinished,
        unusual: false,
        stream,
    })
}

/// Makes a RIFF file of these chunks with the flags of metadata cleared, because the decoder expects flagged chunks.
fn rebuilt(riff: &[u8]) -> Vec<u8> {
    const METADATA: u8 = 0x20 | 0x08 | 0x04; // a colour profile, EXIF, XMP
    // At most the length in the header, 32 bits, and at most the existing bytes.
    let mut file = [b"RIFF", &(riff.len() as u32).to_le_bytes()[..], riff].concat();
    let is_extended = file.get(12..16) == Some(b"VP8X");
    if let Some(flags) = file.get_mut(20).filter(|_| is_extended) {
        *flags &= !METADATA;
    }
    file
}

/// The results of the chunks so far.
struct Found {
    canvas: Option<(u32, u32)>,
    frame: Option<(u32, u32)>,
    /// Number of frames of an animation.
    frames: usize,
    orientations: Orientations,
}

impl Default for Found {
    fn default() -> Self {
        Self { canvas: None, frame: None, frames: 0, orientations: Orientations::new() }
    }
}

impl Found {
    fn chunk(&mut self, chunks: &mut Walk) -> Result<(), Reject> {
        let kind = chunks.array::<4>()?;
        let length = chunks.u32_le()? as usize;
        let data = chunks.take(length)?;
        if length % 2 == 1 && !chunks.rest().is_empty() {
            chunks.byte()?; // chunks begin at even offsets
        }
        match &kind {
            b"VP8X" if self.canvas.is_none() => self.canvas = Some(canvas_size(data)?),
            b"VP8 " | b"VP8L" if self.frame.is_none() => self.frame = Some(frame_size(&kind, data)?),
            b"ANMF" => {
                self.frames += 1;
                if self.frame.is_none() {
                    self.frame = Some(first_frame_size(data)?);
                }
            }
            b"EXIF" | b"XMP " => self.orientations.block(data),
            _ => {}
        }
        Ok(())
    }
}

fn canvas_size(data: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(data);
    walk.take(4)?; // flags
    Ok((u24_le(&mut walk)? + 1, u24_le(&mut walk)? + 1))
}

/// Returns the size of the frame inside an animation's first `ANMF` chunk.
fn first_frame_size(data: &[u8]) -> Result<(u32, u32), Reject> {
    let mut walk = Walk::new(data);
    walk.take(6)?; // left, top
    let size = (u24_le(&mut walk)? + 1, u24_le(&mut walk)? + 1);
    walk.take(4)?; // duration, flags
    // The size in the frame's header must equal that in the animation's.
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

/// Reads the size from the header of a lossy (RFC 6386, section 9.1) or a lossless frame (RFC 9649, section 3.4).
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
