//! The container of GIF: a header, then blocks that are chains of short sub-blocks.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::walk::Walk;
use super::{Limits, Outline, Reason, Reject};

const EXTENSION: u8 = 0x21;
/// The label of the extension that names the transparent colour.
const GRAPHIC_CONTROL: u8 = 0xf9;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Walks to the trailer; keeps the header and the first frame with its graphic control.
///
/// # Errors
/// The [`Reject`] with its reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(6)?; // the signature
    let (width, height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
    limits.check_size(width, height)?;
    let flags = walk.byte()?;
    walk.take(2)?; // background colour, aspect
    skip_colour_table(&mut walk, flags)?;
    let mut stream = bytes[..walk.at()].to_vec();
    let mut control = 0..0;
    let mut frames = 0;
    loop {
        let start = walk.at();
        match walk.byte()? {
            TRAILER => break,
            EXTENSION => {
                let label = walk.byte()?;
                skip_sub_blocks(&mut walk)?;
                if label == GRAPHIC_CONTROL {
                    control = start..walk.at();
                }
            }
            IMAGE => {
                walk.take(4)?; // left, top
                let (width, height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
                let flags = walk.byte()?;
                skip_colour_table(&mut walk, flags)?;
                walk.byte()?; // the initial code size
                skip_sub_blocks(&mut walk)?;
                frames += 1;
                if frames == 1 {
                    limits.check_size(width, height)?;
                    stream.extend_from_slice(&bytes[control.clone()]);
                    stream.extend_from_slice(&bytes[start..walk.at()]);
                }
            }
            other => {
                return Err(Reject::new(Reason::DecodeError, format!("no GIF block begins with {other}")));
            }
        }
    }
    if frames == 0 {
        return Err(Reject::new(Reason::DecodeError, "no frame"));
    }
    stream.push(TRAILER);
    let stream = Cow::Owned(stream);
    Ok(Outline { width, height, orientation: Orientation::NoTransforms, animated: frames > 1, stream })
}

/// Bit 7 of `flags` says that there is one, bits 0 to 2 how long.
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
