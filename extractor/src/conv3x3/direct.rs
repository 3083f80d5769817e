//! The first layer: three channels are too few for Winograd, whose transforms would cost more than they save.
//!
//! Lanes are output channels; every input value is broadcast. The 27 taps of 64 channels are 7 KB, so the
//! weights stay in the first cache.

use super::simd::Simd;

/// Taps of one output: 3 channels x 3 rows x 3 columns.
pub(super) const N_TAPS: usize = 27;

/// One row of outputs of 32 channels.
#[derive(Clone, Copy)]
pub(super) struct DirectRow {
    /// Pixel above and left of the first output, halo included.
    pub(super) from: *const f32,
    /// Floats from one row of pixels to the next.
    pub(super) row_pitch: usize,
    /// Floats from one channel to the next.
    pub(super) channel_pitch: usize,
    /// `[27][32]`
    pub(super) weights: *const f32,
    /// `[32]`
    pub(super) bias: *const f32,
    /// First output of the first 16 channels.
    pub(super) to: *mut f32,
    /// Floats from the first 16 channels to the second.
    pub(super) block_pitch: usize,
    /// Outputs in the row; a multiple of 8.
    pub(super) n: usize,
}

/// Computes max(0, bias + sum of taps), `R` pixels and `N` vectors of 16 channels at a time.
///
/// # Safety
/// The pointers of `row` are valid for what it describes, `R` divides its length; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn convolve<S: Simd, const R: usize, const N: usize>(row: &DirectRow) {
    // SAFETY: inside the row, which the caller vouches for.
    unsafe {
        for part in 0..2 / N {
            let mut bias = [S::zero(); N];
            for j in 0..N {
                bias[j] = S::load(row.bias.add((part * N + j) * 16));
            }
            let weights = row.weights.add(part * N * 16);
            for first in (0..row.n).step_by(R) {
                let mut sums = [bias; R];
                for channel in 0..3 {
                    for dy in 0..3 {
                        let pixels = row.from.add(channel * row.channel_pitch + dy * row.row_pitch + first);
                        for dx in 0..3 {
                            let tap = weights.add(((channel * 3 + dy) * 3 + dx) * 32);
                            let mut weights = [S::zero(); N];
                            for j in 0..N {
                                weights[j] = S::load(tap.add(j * 16));
                            }
                            for r in 0..R {
                                let value = S::splat(*pixels.add(r + dx));
                                for j in 0..N {
                                    sums[r][j] = S::fma(value, weights[j], sums[r][j]);
                                }
                            }
                        }
                    }
                }
                for r in 0..R {
                    for j in 0..N {
                        let to = row.to.add((part * N + j) * row.block_pitch + (first + r) * 16);
                        S::store(to, S::relu(sums[r][j]));
                    }
                }
            }
        }
    }
}
