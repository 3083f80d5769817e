//! 1x1 convolutions: a matrix product of pixels and weights, with bias, residual and activation.
//!
//! Lanes are output channels; the values of some pixels, which are neighbours in memory, are broadcast. The
//! channels are summed in registers, in a fixed order: the sum of a pixel does not depend on the pixels that are
//! computed with it.
//!
//! Many channels are summed in blocks whose weights stay in the first cache for all pixels; between two blocks
//! the sums wait in the output. Each block has sums of its own that begin at 0: the rounding error of a long sum is smaller
//! that way.

use std::ops::Range;

use super::simd::Simd;

/// Most channels of a block: their weights take 16 KB.
pub(super) const MAX_CHANNELS: usize = 256;
/// Lines of weights that a panel prefetches for each 16 lines that it reads.
const AHEAD: usize = 2;

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
    /// Added to the outputs: where `to` has them, from the same pixel on; or null.
    pub(super) residual: *const f32,
    /// Applied last.
    pub(super) activation: Activation,
    /// Whether the outputs hold sums already, to which these channels are added, instead of the bias.
    pub(super) continued: bool,
    /// Whether only the first 8 of the 16 output channels are wanted.
    pub(super) narrow: bool,
}

/// What a layer does with its sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Activation {
    /// y
    None,
    /// max(0, y)
    Relu,
    /// min(6, max(0, y))
    Relu6,
}

/// Neighbouring panels of equal size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panels {
    /// Number of the first panel.
    pub(super) index: usize,
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
        Panels { index: 0, first: 0, n: n_larger, rows: rows + 1 },
        Panels {
            index: n_larger,
            first: n_larger * (rows + 1),
            n: if rows == 0 { 0 } else { n_panels - n_larger },
            rows,
        },
    ]
}

/// Divides channels into blocks of about equal size, multiples of 16 but the last.
#[inline]
pub(super) fn channel_blocks(n_in: usize) -> impl Iterator<Item = Range<usize>> {
    let size = n_in.div_ceil(n_in.div_ceil(MAX_CHANNELS)).next_multiple_of(16);
    (0..n_in).step_by(size).map(move |first| first..(first + size).min(n_in))
}

/// Adds a block of channels to some panels of `R` pixels.
///
/// # Safety
/// The pointers of `product` are valid for what it states, the channels and the panels are of the product, the panels have
/// `R` pixels, and the blocks of channels before were added; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd, const R: usize>(
    product: &Pointwise,
    channels: &Range<usize>,
    panels: Panels,
) {
    // SAFETY: pixels and channels of the product, within the shapes that the caller vouches for.
    unsafe {
        let (n_blocks, n_left) = (channels.len() / 16, channels.len() % 16);
        let block = product.x.add(channels.start / 16 * product.x_pitch);
        let weights = product.weights.add(channels.start * 16);
        let is_first = channels.start == 0 && !product.continued;
        for panel in 0..panels.n {
            let first = panels.first + panel * R;
            let mut sums = [if is_first { S::load(product.bias) } else { S::zero() }; R];
            let (mut x, mut weights) = (block.add(first * 16), weights);
            // The first panels bring the weights that follow these into the second cache.
            let part = (panels.index + panel) * AHEAD;
            let ahead = if part + AHEAD <= 16 { (channels.len() + part) * 16 } else { 0 };
            for _ in 0..n_blocks {
                for line in 0..AHEAD {
                    S::prefetch(weights.wrapping_add(ahead + line * 16));
                }
                for quarter in 0..4 {
                    four_steps::<S, R>(x.add(quarter * 4), weights.add(quarter * 64), &mut sums);
                }
                x = x.wrapping_add(product.x_pitch);
                weights = weights.add(256);
            }
            for quarter in 0..n_left / 4 {
                four_steps::<S, R>(x.add(quarter * 4), weights.add(quarter * 64), &mut sums);
            }
            for channel in n_left / 4 * 4..n_left {
                step::<S, R>(x.add(channel), weights.add(channel * 16), &mut sums);
            }
            if !is_first {
                for r in 0..R {
                    sums[r] = S::add(S::load(product.to.add(offset(product, first + r))), sums[r]);
                }
            }
            if channels.end == product.n_in {
                finish::<S, R>(product, first, &mut sums);
            } else {
                store::<S, R>(product, first, &sums);
            }
        }
    }
}

/// The offset of the output of a pixel, and of its residual.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn offset(product: &Pointwise, pixel: usize) -> usize {
    if product.offsets.is_null() {
        pixel * 16
    } else {
        // SAFETY: as the caller.
        unsafe { *product.offsets.add(pixel) as usize }
    }
}

/// Adds four channels; written out, the branch of the loop around them is free.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn four_steps<S: Simd, const R: usize>(x: *const f32, weights: *const f32, sums: &mut [S::V; R]) {
    // SAFETY: as the caller.
    unsafe {
        step::<S, R>(x, weights, sums);
        step::<S, R>(x.add(1), weights.add(16), sums);
        step::<S, R>(x.add(2), weights.add(32), sums);
        step::<S, R>(x.add(3), weights.add(48), sums);
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
                sums[r] = S::add(sums[r], S::load(product.residual.add(offset(product, first + r))));
            }
        }
        match product.activation {
            Activation::None => {}
            Activation::Relu => {
                for r in 0..R {
                    sums[r] = S::relu(sums[r]);
                }
            }
            Activation::Relu6 => {
                for r in 0..R {
                    sums[r] = S::relu6(sums[r]);
                }
            }
        }
        store::<S, R>(product, first, sums);
    }
}

/// Writes vectors to the outputs of the `R` pixels from `first`.
///
/// # Safety
/// As [`multiply`].
#[inline(always)]
unsafe fn store<S: Simd, const R: usize>(product: &Pointwise, first: usize, sums: &[S::V; R]) {
    // SAFETY: as the caller.
    unsafe {
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
