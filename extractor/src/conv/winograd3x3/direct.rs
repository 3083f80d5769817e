//! 3x3 convolutions of three channels, the first layer of a network: three channels are too few for Winograd, whose transforms would cost more than they save.
//!
//! Lanes are output channels; every input value is broadcast. The 27 taps of 64 channels are 7 KB, so the
//! weights stay in the first cache.

use super::super::memory::Buffer;
use super::super::simd::Simd;

/// Taps of one output: 3 channels x 3 rows x 3 columns.
pub(in crate::conv) const N_TAPS: usize = 27;

/// Channels out that are computed together.
pub(in crate::conv) const N_LANES: usize = 32;

/// Copies weight (n_out, 3, 3, 3), n_out a multiple of 32, into `[n_out/32][27][32]`.
pub(in crate::conv) fn pack(weight: &[f32]) -> Buffer {
    let mut packed = vec![0.0; weight.len()];
    for (at, value) in packed.iter_mut().enumerate() {
        let (chunk, tap, lane) = (at / N_LANES / N_TAPS, at / N_LANES % N_TAPS, at % N_LANES);
        *value = weight[(chunk * N_LANES + lane) * N_TAPS + tap];
    }
    Buffer::from_slice(&packed)
}

/// One row of outputs of 32 channels.
#[derive(Clone, Copy)]
pub(in crate::conv) struct DirectRow {
    /// The first pixel of the first output, border included.
    pub(in crate::conv) from: *const f32,
    /// Floats from one row of pixels to the next.
    pub(in crate::conv) row_pitch: usize,
    /// Floats from one channel to the next.
    pub(in crate::conv) channel_pitch: usize,
    /// `[27][32]`
    pub(in crate::conv) weights: *const f32,
    /// `[32]`
    pub(in crate::conv) bias: *const f32,
    /// First output of the first 16 channels.
    pub(in crate::conv) to: *mut f32,
    /// Floats from the first 16 channels to the second.
    pub(in crate::conv) block_pitch: usize,
    /// Outputs in the row; a multiple of 8.
    pub(in crate::conv) n: usize,
}

/// Computes ReLU, or ReLU6, of bias + sum of taps, `R` pixels and `N` vectors of 16 channels at a time; inputs of neighbouring
/// outputs are `D` pixels apart.
///
/// # Safety
/// The pointers of `row` are valid for what it describes, `R` divides its length; and as [`Simd`].
#[inline(always)]
pub(in crate::conv) unsafe fn convolve<
    S: Simd,
    const R: usize,
    const N: usize,
    const D: usize,
    const RELU6: bool,
>(
    row: &DirectRow,
) {
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
                        let pixels =
                            row.from.add(channel * row.channel_pitch + dy * row.row_pitch + first * D);
                        for dx in 0..3 {
                            let tap = weights.add(((channel * 3 + dy) * 3 + dx) * 32);
                            let mut weights = [S::zero(); N];
                            for j in 0..N {
                                weights[j] = S::load(tap.add(j * 16));
                            }
                            for r in 0..R {
                                let value = S::splat(*pixels.add(r * D + dx));
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
                        let y = if RELU6 { S::relu6(sums[r][j]) } else { S::relu(sums[r][j]) };
                        S::store(to, y);
                    }
                }
            }
        }
    }
}
