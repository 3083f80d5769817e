//! Floats as sums of three bfloat16: products of f32 accuracy from units that multiply bfloat16.
//!
//! A float has 24 significant bits, a bfloat16 has 8, and both have the same exponents: rounding `x` to the
//! nearest bfloat16, then what is left, then what is left of that, gives `x = high + middle + low` exactly.
//! Of the nine products of the parts of two floats six are computed; the other three are together below 2⁻²³
//! of the product at worst and about 2⁻²⁷ of it as a rule, less than what rounding it to an f32 costs. Products of two bfloat16 are exact in
//! f32 and are summed in f32, as a multiply-add of floats would be. (Henry, Tang and Heinecke, "Leveraging
//! the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations", ARITH 2019.)
//!
//! Below 2⁻¹¹⁰ the low part has no normal bfloat16 and counts as zero. What is not finite stays so: the
//! parts of infinity are infinity and NaN.

/// Parts of a float, the greatest first.
pub(super) const PARTS: usize = 3;

/// Channels whose parts lie together: two vectors of 16, in the low and high halves of 16 words.
pub(super) const GROUP: usize = 32;

/// Tiles that a panel has room for: the rows of a tile register.
pub(super) const ROWS: usize = 16;

/// Half of a bfloat16's last place, in the bits of the float it is cut from.
const HALF: u32 = 0x8000;
/// The bits of a float that are a bfloat16.
const HIGH: u32 = 0xffff_0000;

/// The bits of high, middle and low.
pub(super) fn split(x: f32) -> [u16; PARTS] {
    let mut rest = x;
    let mut parts = [0; PARTS];
    for part in &mut parts {
        let nearest = rest.to_bits().wrapping_add(HALF) & HIGH;
        *part = (nearest >> 16) as u16;
        rest -= f32::from_bits(nearest);
    }
    parts
}

#[cfg(target_arch = "x86_64")]
pub(super) use x86::input;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::super::simd::{Avx512, Simd};
    use super::super::winograd::{InputRun, SPAN, TILE, bt, column};
    use super::{HALF, HIGH, PARTS};

    /// Splits 16 floats of each of two vectors, `first` into the low halves of the words and `second` into
    /// the high ones; the parts are `pitch` floats apart.
    ///
    /// # Safety
    /// `to` is valid for 16 floats at each part; needs `avx512f`.
    #[inline(always)]
    unsafe fn store(to: *mut f32, pitch: usize, first: __m512, second: __m512) {
        // SAFETY: the instructions and the memory are the caller's.
        unsafe {
            let (half, high) = (_mm512_set1_epi32(HALF as i32), _mm512_set1_epi32(HIGH as i32));
            let (mut first, mut second) = (first, second);
            for part in 0..PARTS {
                let low_words = _mm512_add_epi32(_mm512_castps_si512(first), half);
                let high_words = _mm512_and_si512(_mm512_add_epi32(_mm512_castps_si512(second), half), high);
                let words = _mm512_or_si512(_mm512_srli_epi32::<16>(low_words), high_words);
                _mm512_storeu_si512(to.add(part * pitch).cast(), words);
                if part + 1 < PARTS {
                    let nearest = _mm512_castsi512_ps(_mm512_and_si512(low_words, high));
                    first = _mm512_sub_ps(first, nearest);
                    second = _mm512_sub_ps(second, _mm512_castsi512_ps(high_words));
                }
            }
        }
    }

    /// [`super::super::winograd::input`] for two blocks of 16 channels, whose products are split:
    /// `[part][16 tiles][16 words]`.
    ///
    /// # Safety
    /// The pointers of `run` are valid for what it describes; needs `avx512f`.
    #[inline(always)]
    pub(in super::super) unsafe fn input(run: &InputRun) {
        // SAFETY: inside the run, which the caller vouches for.
        unsafe {
            let second = InputRun { from: run.from.add(run.block_pitch), ..*run };
            let mut columns = [[[Avx512::zero(); SPAN]; 2]; SPAN]; // Bᵀ d, column by column
            for x in 0..2 {
                columns[4 + x] = [column::<Avx512>(run, x), column::<Avx512>(&second, x)];
            }
            for tile in 0..run.n {
                columns[0] = columns[4];
                columns[1] = columns[5];
                for x in 2..SPAN {
                    let at = tile * TILE + x;
                    columns[x] = [column::<Avx512>(run, at), column::<Avx512>(&second, at)];
                }
                let to = run.to.add(tile * 16);
                for y in 0..SPAN {
                    let mut rows = [[Avx512::zero(); SPAN]; 2];
                    for x in 0..SPAN {
                        rows[0][x] = columns[x][0][y];
                        rows[1][x] = columns[x][1][y];
                    }
                    let (first, second) = (bt::<Avx512>(rows[0]), bt::<Avx512>(rows[1]));
                    for x in 0..SPAN {
                        let to = to.add((y * SPAN + x) * run.xi_pitch);
                        store(to, run.part_pitch, first[x][0], second[x][0]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value(bits: u16) -> f32 {
        f32::from_bits(u32::from(bits) << 16)
    }

    proptest! {
        #[test]
        fn the_parts_of_a_float_add_up_to_it_exactly_and_shrink(bits in any::<u32>()) {
            let x = f32::from_bits(bits);
            let [high, middle, low] = split(x).map(value);
            // Nearer to the largest float than half a bfloat16, it rounds to infinity.
            if x.abs() < 3.3e38 && (x == 0.0 || x.abs() > 2f32.powi(-110)) {
                prop_assert_eq!(f64::from(high) + f64::from(middle) + f64::from(low), f64::from(x));
                prop_assert!((x - high).abs() <= x.abs() * 2f32.powi(-8));
                prop_assert!(low.abs() <= x.abs() * 2f32.powi(-16));
            } else if !x.is_finite() {
                prop_assert!([high, middle, low].iter().any(|part| part.is_nan()));
            }
        }
    }
}
