//! The header of BMP. There is no container to walk over: the decoder detects an early end itself.

use std::borrow::Cow;

use image::metadata::Orientation;

use super::walk::Walk;
use super::{Limits, Outline, Reject};

/// Reads the size.
///
/// # Errors
/// A [`Reject`] with the reason.
pub(super) fn outline<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Outline<'a>, Reject> {
    let mut walk = Walk::new(bytes);
    walk.take(14)?; // the file header
    let (width, height) = match walk.u32_le()? {
        // The first version of the header.
        12 => (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?)),
        // A negative height means rows from top to bottom.
        _ => (walk.u32_le()?, walk.u32_le()?.cast_signed().unsigned_abs()),
    };
    limits.check_size(width, height)?;
    Ok(Outline {
        width,
        height,
        orientation: Orientation::NoTransforms,
        animated: false,
        unfinished: false,
        unusual: false,
        stream: Cow::Borrowed(bytes),
    })
}
