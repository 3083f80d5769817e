//! The innermost step: four neighbours and two weights to one pixel.
//!
//! The weights of the four are integers that sum to 2^14 exactly, so a constant picture stays constant
//! to the bit, and everything is integer arithmetic, so every machine gives the same bits. 14 bits,
//! because a weight of 1 then still fits the `i16` of the multiply-and-add instruction that x86, Arm
//! and WebAssembly all have.

use wide::{i16x8, i32x4, u8x16};

/// Number of bits of a weight.
pub(super) const WEIGHT_BITS: u32 = 14;
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// Blends two neighbours of the upper row (`top`: the bytes r g b r g b, lowest first; the highest two
/// are ignored) and the two below them. `right` and `lower` are the weights of the right and of the
/// lower neighbours, 0 to 2^14 - 1.
#[inline(always)]
pub(super) fn blend(top: u64, bottom: u64, right: i32, lower: i32) -> [u8; 3] {
    let [w00, w01, w10, w11] = weights(right, lower);
    let top = pairs(top).dot(in_turns(w00, w01));
    let bottom = pairs(bottom).dot(in_turns(w10, w11));
    let channels: i32x4 = (top + bottom + i32x4::splat(HALF)) >> WEIGHT_BITS;
    // Every channel fits a byte: halve the lanes' width twice.
    let words: i16x8 = bytemuck::cast(u8x16::narrow_i16x8(bytemuck::cast(channels), i16x8::ZERO));
    let bytes: [u32; 4] = bytemuck::cast(u8x16::narrow_i16x8(words, words));
    let [r, g, b, _] = bytes[0].to_le_bytes();
    [r, g, b]
}

/// Of upper left, upper right, lower left, lower right; none is negative and they sum to 2^14. The
/// operands are too small to overflow, but only the wrapping operations cost nothing here.
#[inline(always)]
fn weights(right: i32, lower: i32) -> [i32; 4] {
    let w11 = right.wrapping_mul(lower).wrapping_add(HALF) >> WEIGHT_BITS;
    let w01 = right.wrapping_sub(w11);
    let w10 = lower.wrapping_sub(w11);
    let w00 = (1 << WEIGHT_BITS) - right.wrapping_add(w10);
    [w00, w01, w10, w11]
}

/// r r g g b b . . of the left and the right pixel, as `i16`.
#[inline(always)]
fn pairs(row: u64) -> i16x8 {
    let left: u8x16 = bytemuck::cast([row, 0]);
    let right: u8x16 = bytemuck::cast([row >> 24, 0]);
    i16x8::from_u8x16_low(u8x16::unpack_low(left, right))
}

/// `even` and `odd` in turns, both from 0 to 2^14.
#[inline(always)]
fn in_turns(even: i32, odd: i32) -> i16x8 {
    bytemuck::cast(i32x4::splat(even | (odd << 16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_weights_make_the_pixel() {
        let mut draws = data::draw::stream(1, "test", "blend");
        for i in 0..20_000 {
            // Every other time the extremes, where a sum could overflow.
            let mut byte = |()| if i % 2 == 0 { draws.below(256) as u8 } else { 255 * draws.below(2) as u8 };
            let [top, bottom]: [[u8; 8]; 2] = [[(); 8]; 2].map(|row| row.map(&mut byte));
            let right = draws.below(1 << 14) as i32;
            let lower = [0, draws.below(1 << 14) as i32, (1 << 14) - 1][i % 3];
            let weights = weights(right, lower);
            assert!(weights.iter().all(|w| *w >= 0) && weights.iter().sum::<i32>() == 1 << 14);
            let got = blend(u64::from_le_bytes(top), u64::from_le_bytes(bottom), right, lower);
            for c in 0..3 {
                let four = [top[c], top[c + 3], bottom[c], bottom[c + 3]].map(i32::from);
                let sum: i32 = four.iter().zip(weights).map(|(v, w)| v * w).sum();
                assert_eq!(i32::from(got[c]), (sum + HALF) >> 14, "{top:?} {bottom:?} {right} {lower}");
            }
        }
    }
}
