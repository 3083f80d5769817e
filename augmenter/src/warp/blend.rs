//! The inner loop: interpolates four neighbours to one pixel.
//!
//! The four weights are integers with a sum of exactly 2^14, so a constant picture stays exactly constant.
//! All arithmetic is integer, so every machine gives the same bits. 14 bits, because a weight of 1 then fits
//! the `i16` of the multiply-and-add instruction that x86, Arm and WebAssembly have.

use wide::{i16x8, i32x4, u8x16};

/// Number of bits of a weight.
pub(super) const WEIGHT_BITS: u32 = 14;
const HALF: i32 = 1 << (WEIGHT_BITS - 1);

/// Number of pixels whose weights are computed together, for vectorisation.
pub(super) const BATCH: usize = 16;

/// The weights of the four neighbours of [`BATCH`] pixels.
///
/// No weight is negative, and the four of a pixel sum to 2^14. Each `i32` has two weights as `i16`, with that of the
/// left neighbour in the low half.
pub(super) struct Weights {
    upper: [i32; BATCH],
    lower: [i32; BATCH],
}

impl Weights {
    /// Computes the weights from the fractions of the column and row positions, in units of 2^-32 of a pixel.
    #[inline(always)]
    pub(super) fn new(across: &[u32; BATCH], down: &[u32; BATCH]) -> Self {
        let mut weights = Self { upper: [0; BATCH], lower: [0; BATCH] };
        for i in 0..BATCH {
            let right = (across[i] >> (u32::BITS - WEIGHT_BITS)) as i32;
            let lower = (down[i] >> (u32::BITS - WEIGHT_BITS)) as i32;
            // The operands are too small to overflow, but only wrapping operations are vectorised.
            let w11 = right.wrapping_mul(lower).wrapping_add(HALF) >> WEIGHT_BITS;
            let w01 = right.wrapping_sub(w11);
            let w10 = lower.wrapping_sub(w11);
            let w00 = (1i32 << WEIGHT_BITS).wrapping_sub(right.wrapping_add(w10));
            weights.upper[i] = w00 | (w01 << 16);
            weights.lower[i] = w10 | (w11 << 16);
        }
        weights
    }

    /// Returns the upper and the lower two weights of pixel `i`.
    #[inline(always)]
    pub(super) fn of(&self, i: usize) -> [i32; 2] {
        [self.upper[i], self.lower[i]]
    }
}

/// Interpolates two neighbours of the upper row (`top`: the bytes r g b r g b, lowest first; the highest two
/// are ignored) and the two below them with the weights from [`Weights::of`].
#[inline(always)]
pub(super) fn blend(top: u64, bottom: u64, [upper, lower]: [i32; 2]) -> [u8; 3] {
    let top = pairs(top).dot(bytemuck::cast(i32x4::splat(upper)));
    let bottom = pairs(bottom).dot(bytemuck::cast(i32x4::splat(lower)));
    let channels: i32x4 = (top + bottom + i32x4::splat(HALF)) >> WEIGHT_BITS;
    // Every channel fits into a byte: halve the width of the lanes twice.
    let words: i16x8 = bytemuck::cast(u8x16::narrow_i16x8(bytemuck::cast(channels), i16x8::ZERO));
    let bytes: [u32; 4] = bytemuck::cast(u8x16::narrow_i16x8(words, words));
    let [r, g, b, _] = bytes[0].to_le_bytes();
    [r, g, b]
}

/// Returns r r g g b b . . of the left and the right pixel, as `i16`.
#[inline(always)]
fn pairs(row: u64) -> i16x8 {
    let left: u8x16 = bytemuck::cast([row, 0]);
    let right: u8x16 = bytemuck::cast([row >> 24, 0]);
    i16x8::from_u8x16_low(u8x16::unpack_low(left, right))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_weighted_mean_of_its_neighbours() {
        let mut draws = data::draw::stream(1, "test", "blend");
        for i in 0..20_000 {
            // Every second time extreme values, for which a sum could overflow.
            let mut byte = |()| if i % 2 == 0 { draws.below(256) as u8 } else { 255 * draws.below(2) as u8 };
            let [top, bottom]: [[u8; 8]; 2] = [[(); 8]; 2].map(|row| row.map(&mut byte));
            let fraction = |weight: usize| (weight as u32) << 18;
            let across = fraction(draws.below(1 << 14));
            let down = [0, fraction(draws.below(1 << 14)), u32::MAX][i % 3];
            let pairs = Weights::new(&[across; BATCH], &[down; BATCH]).of(i % BATCH);
            let four = pairs.map(|pair| [pair & 0xffff, pair >> 16]);
            let four = four.as_flattened();
            assert!(four.iter().all(|w| *w >= 0) && four.iter().sum::<i32>() == 1 << 14);
            let got = blend(u64::from_le_bytes(top), u64::from_le_bytes(bottom), pairs);
            for c in 0..3 {
                let values = [top[c], top[c + 3], bottom[c], bottom[c + 3]].map(i32::from);
                let sum: i32 = values.iter().zip(four).map(|(v, w)| v * w).sum();
                assert_eq!(i32::from(got[c]), (sum + HALF) >> 14, "{top:?} {bottom:?} {across} {down}");
            }
        }
    }
}
