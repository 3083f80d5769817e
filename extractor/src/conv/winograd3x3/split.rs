//! Floats as sums of three bfloat16: products of f32 accuracy from units that multiply bfloat16.
//!
//! A float has 24 significant bits, a bfloat16 has 8, and both have the same exponents: rounding `x` to the
//! nearest bfloat16, then what is left, then what is left of that, gives `x = high + middle + low` exactly.
//! Of the nine products of the parts of two floats six are computed; the other three are together below 2⁻²³
//! of the product at worst and about 2⁻²⁷ of it as a rule, less than what rounding it to an f32 costs.
//! Products of two bfloat16 are exact in f32 and are summed in f32, as a multiply-add of floats would be.
//! (Henry, Tang and Heinecke, "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision
//! Computations", ARITH 2019.)
//!
//! Below 2⁻¹¹⁰ the low part has no normal bfloat16 and counts as zero. What is not finite stays so: the
//! parts of infinity are infinity and NaN, as are those of the finite floats above 3.396e38, which round to
//! it. NaN is cut, not rounded: rounding could carry its bits round to zero.

/// Parts of a float, the greatest first.
pub(in crate::conv) const PARTS: usize = 3;

/// Channels whose parts lie together: two vectors of 16, in the low and high halves of 16 words.
pub(in crate::conv) const GROUP: usize = 32;

/// Tiles that a panel has room for: the rows of a tile register.
pub(in crate::conv) const ROWS: usize = 16;

/// Half of a bfloat16's last place, in the bits of the float it is cut from.
const HALF: u32 = 0x8000;
/// The bits of a float that are a bfloat16.
const HIGH: u32 = 0xffff_0000;

/// The bits of high, middle and low.
pub(in crate::conv) fn split(x: f32) -> [u16; PARTS] {
    let half = if x.is_nan() { 0 } else { HALF };
    let mut rest = x;
    let mut parts = [0; PARTS];
    for part in &mut parts {
        let nearest = rest.to_bits().wrapping_add(half) & HIGH;
        *part = (nearest >> 16) as u16;
        rest -= f32::from_bits(nearest);
    }
    parts
}

#[cfg(target_arch = "x86_64")]
pub(in crate::conv) use x86::panels;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{HALF, HIGH, PARTS, ROWS};

    /// What is added before a cut: nothing to NaN.
    ///
    /// # Safety
    /// Needs `avx512f`.
    #[inline(always)]
    unsafe fn half(x: __m512) -> __m512i {
        // SAFETY: the instructions are the caller's.
        unsafe { _mm512_maskz_set1_epi32(_mm512_cmp_ps_mask::<_CMP_ORD_Q>(x, x), HALF as i32) }
    }

    /// Splits 16 floats of each of two vectors, `first` into the low halves of the words and `second` into
    /// the high ones; the parts are `pitch` floats apart.
    ///
    /// # Safety
    /// `to` is valid for 16 floats at each part; needs `avx512f`.
    #[inline(always)]
    unsafe fn store(to: *mut f32, pitch: usize, first: __m512, second: __m512) {
        // SAFETY: the instructions and the memory are the caller's.
        unsafe {
            let high = _mm512_set1_epi32(HIGH as i32);
            let first_half = half(first);
            let second_half = half(second);
            let (mut first, mut second) = (first, second);
            for part in 0..PARTS {
                let low_words = _mm512_add_epi32(_mm512_castps_si512(first), first_half);
                let high_words = _mm512_add_epi32(_mm512_castps_si512(second), second_half);
                let high_words = _mm512_and_si512(high_words, high);
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

    /// Panels of V, `n_groups` times `[2][rows][16]`, split: as often `[3][16][32]` of bfloat16, of which
    /// `rows` are written.
    ///
    /// # Safety
    /// The pointers are valid for these shapes; needs `avx512f`.
    #[inline(always)]
    pub(in crate::conv) unsafe fn panels(from: *const f32, to: *mut f32, n_groups: usize, rows: usize) {
        for group in 0..n_groups {
            for row in 0..rows {
                // SAFETY: rows of one group, which the caller vouches for.
                unsafe {
                    let from = from.add((group * 2 * rows + row) * 16);
                    let (first, second) = (_mm512_loadu_ps(from), _mm512_loadu_ps(from.add(rows * 16)));
                    store(to.add((group * PARTS * ROWS + row) * 16), ROWS * 16, first, second);
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
        fn the_parts_of_a_float_add_up_to_it_exactly_and_shrink(
            bits in prop_oneof![any::<u32>(), 0x7f7f_0000..=0x7fff_ffffu32, 0xff7f_0000..=0xffff_ffffu32],
        ) {
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
