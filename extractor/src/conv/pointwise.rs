//! 1x1 convolutions: a matrix product of pixels and weights, with bias, ReLU6 and residual.
//!
//! Lanes are output channels; the values of some pixels, which are neighbours in memory, are broadcast. All
//! channels are summed in registers, in order, with one accumulator per output: the sum of a pixel does not
//! depend on the pixels that are computed with it.

use super::simd::Simd;

/// The arguments of one call: 16 output channels of some pixels.
#[derive(Clone, Copy)]
pub(super) struct Pointwise {
    /// `[n_in/16][..][16]`: the first pixel, with the others next to it.
    pub(super) x: *const f32,
    /// Floats from 16 channels of `x` to the next 16.
    pub(super) x_pitch: usize,
    /// Channels in.
    pub(super) n_in: usize,
    /// `[n_in][16]`
    pub(super) weights: *const f32,
    /// `[16]`
    pub(super) bias: *const f32,
    /// Number of pixels.
    pub(super) n: usize,
    /// Where the outputs are written, 16 floats for each pixel.
    pub(super) to: *mut f32,
    /// The offset in `to` of each pixel; null if they are next to each other.
    pub(super) offsets: *const u32,
    /// Added to the outputs: `[n][16]`, or null.
    pub(super) residual: *const f32,
    /// Whether min(6, max(0, y)) is written instead of y.
    pub(super) relu6: bool,
}

/// Neighbouring panels of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panels {
    /// First pixel of the first panel.
    pub(super) first: usize,
    /// Number of panels.
    pub(super) n: usize,
    /// Pixels of a panel.
    pub(super) rows: usize,
}

/// Divides `n` pixels into the fewest panels of at most `max_rows`, whose sizes differ by one at most.
#[inline]
pub(super) fn balanced(n: usize, max_rows: usize) -> [Panels; 2] {
    let n_panels = n.div_ceil(max_rows).max(1);
    let (rows, n_larger) = (n / n_panels, n % n_panels);
    [
        Panels { first: 0, n: n_larger, rows: rows + 1 },
        Panels { first: n_larger * (rows + 1), n: if rows == 0 { 0 } else { n_panels - n_larger }, rows },
    ]
}

/// Computes some panels of `R` pixels.
///
/// # Safety
/// The pointers of `product` are valid for what it states, the panels are of its pixels and have `R`; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd, const R: usize>(product: &Pointwise, panels: Panels) {
    for panel in 0..panels.n {
        // SAFETY: pixels of the product, within the shapes that the caller vouches for.
        unsafe {
            let first = panels.first + panel * R;
            let mut sums = [S::load(product.bias); R];
            let mut x = product.x.add(first * 16);
            let mut weights = product.weights;
            for _ in 0..product.n_in / 16 {
                // Four steps written out: the branch is then free.
                for quarter in 0..4 {
                    let (x, weights) = (x.add(quarter * 4), weights.add(quarter * 64));
                    step::<S, R>(x, weights, &mut sums);
                    step::<S, R>(x.add(1), weights.add(16), &mut sums);
                    step::<S, R>(x.add(2), weights.add(32), &mut sums);
                    step::<S, R>(x.add(3), weights.add(48), &mut sums);
                }
                x = x.wrapping_add(product.x_pitch);
                weights = weights.add(256);
            }
            for channel in 0..product.n_in % 16 {
                step::<S, R>(x.add(channel), weights.add(channel * 16), &mut sums);
            }
            finish::<S, R>(product, first, &mut sums);
        }
    }
}

/// Adds one channel: its weights times its value in each of the `R` pixels.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn step<S: Simd, const R: usize>(x: *const f32, weights: *const f32, sums: &mut [S::V; R]) {
    // SAFETY: as the caller.
    unsafe {
        let weights = S::load(weights);
        for r in 0..R {
            sums[r] = S::fma(S::splat(*x.add(r * 16)), weights, sums[r]);
        }
    }
}

/// Writes the sums of the `R` pixels from `first`.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn finish<S: Simd, const R: usize>(product: &Pointwise, first: usize, sums: &mut [S::V; R]) {
    // SAFETY: as the caller.
    unsafe {
        if !product.residual.is_null() {
            for r in 0..R {
                sums[r] = S::add(sums[r], S::load(product.residual.add((first + r) * 16)));
            }
        }
        if product.relu6 {
            for r in 0..R {
                sums[r] = S::relu6(sums[r]);
            }
        }
        if product.offsets.is_null() {
            for r in 0..R {
                S::store(product.to.add((first + r) * 16), sums[r]);
            }
        } else {
            for r in 0..R {
                S::store(product.to.add(*product.offsets.add(first + r) as usize), sums[r]);
            }
        }
    }
}
