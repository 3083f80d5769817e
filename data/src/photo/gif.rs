//! The container of GIF: a header, then blocks of short sub-blocks.

use std::borrow::Cow;
use std::ops::Range;

use image::metadata::Orientation;

use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

const EXTENSION: u8 = 0x21;
/// Label of the graphic control extension.
const GRAPHIC_CONTROL: u8 = 0xf9;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Walks to the trailer and keeps the header and the first frame with its graphic control.
///
/// The data after the first frame decides only whether there are more frames: it may be missing or invalid.
///
/// # Errors
/// A [`Reject`] with the reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(6)?; // the signature
    let (width, height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
    limits.check_size(width, height)?;
    let flags = walk.byte()?;
    walk.take(2)?; // background colour, aspect
    skip_colour_table(&mut walk, flags)?;
    let mut found =
        Found { stream: bytes[..walk.at()].to_vec(), control: 0..0, frames: 0, unfinished: false };
    loop {
        match found.block(bytes, &mut walk, limits) {
            Ok(true) => {}
            Ok(false) => break,
            Err(reject) if found.frames == 0 => return Err(reject),
            Err(_) => break,
        }
    }
    let Found { mut stream, frames, unfinished, .. } = found;
    if frames == 0 {
        return Err(Reject::new(Reason::DecodeError, "no frame"));
    }
    stream.push(TRAILER);
    Ok(Outline {
        width,
        height,
        orientation: Orientation::NoTransforms,
        animated: frames > 1,
        unfinished,
        unusual: false,
        stream: Cow::Owned(stream),
    })
}

/// The results of the blocks so far.
struct Found {
    /// Input of the decoder.
    stream: Vec<u8>,
    /// Position of the last graphic control.
    control: Range<usize>,
    frames: usize,
    /// Whether the file ends before the end mark of the first frame's data.
    unfinished: bool,
}

impl Found {
    /// Reads the next block. Returns `false` at the trailer.
    fn block(&mut self, bytes: &[u8], walk: &mut Walk, limits: &Limits) -> Result<bool, Reject> {
        let start = walk.at();
        match walk.byte()? {
            TRAILER => return Ok(false),
            EXTENSION => {
                let label = walk.byte()?;
                skip_sub_blocks(walk)?;
                if label == GRAPHIC_CONTROL {
                    self.control = start..walk.at();
                }
            }
            IMAGE => {
                walk.take(4)?; // left, top
                let (width, height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
                let flags = walk.byte()?;
                skip_colour_table(walk, flags)?;
                walk.byte()?; // the initial code size
                let ended = skip_sub_blocks(walk);
                // All sub-blocks are there, except the empty one at the end.
                self.unfinished = self.frames == 0 && ended.is_err() && walk.rest().is_empty();
                if !self.unfinished {
                    ended?;
                }
                if self.frames == 0 {
                    limits.check_size(width, height)?;
                    self.stream.extend_from_slice(&bytes[self.control.clone()]);
                    self.stream.extend_from_slice(&bytes[start..walk.at()]);
                    if self.unfinished {
                        self.stream.push(0);
                    }
                }
                self.frames += 1;
            }
            other => {
                return Err(Reject::new(Reason::DecodeError, format!("no GIF block begins with {other}")));
            }
        }
        Ok(true)
    }
}

/// Skips a colour table: bit 7 of `flags` says whether there is one, bits 0 to 2 its length.
fn skip_colour_table(walk: &mut Walk, flags: u8) -> Result<(), Reject> {
    if flags & 0x80 != 0 {
        walk.take(3 << ((flags & 7) + 1))?;
    }
    Ok(())
}

fn skip_sub_blocks(walk: &mut Walk) -> Result<(), Reject> {
    loop {
        match walk.byte()? {
            0 => return Ok(()),
            length => walk.take(usize::from(length))?,
        };
    }
}
