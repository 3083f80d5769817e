//! The input of every network: pictures of three colours.

use super::unsupported::Unsupported;

/// Channels of a picture.
pub(super) const COLOURS: usize = 3;

/// Checks that xs are the values of pictures (batch, 3, side, side).
///
/// # Errors
/// Unless there are as many values, and the side is a multiple of `stride`, by which the network divides it.
pub(super) fn check_pictures(
    xs: &[f32],
    batch: usize,
    side: usize,
    stride: usize,
) -> Result<(), Unsupported> {
    if side == 0 || !side.is_multiple_of(stride) || xs.len() != batch * COLOURS * side * side {
        return Err(Unsupported::new(format!(
            "{} values, expected {batch} x {COLOURS} x {side} x {side} with a side that is a multiple of {stride}",
            xs.len()
        )));
    }
    Ok(())
}
