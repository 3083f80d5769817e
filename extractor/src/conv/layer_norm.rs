//! Layer normalisation over the channels of a pixel: (x - mean) / sqrt(variance + epsilon), as Ba, Kiros and Hinton
//! define it (arXiv 1607.06450).
//!
//! The mean is subtracted before the squares are summed, so that nothing cancels out. Each lane has a sum of its own;
//! the 16 are added in a fixed order.

use super::simd::Simd;

/// ConvNeXt's epsilon.
pub(super) const EPSILON: f32 = 1e-6;
/// Pixels that are normalised together, so that one need not wait for the sums of another.
const TOGETHER: usize = 4;

/// The arguments of one call: some pixels with all of their channels.
#[derive(Clone, Copy)]
pub(super) struct NormRun {
    /// `[n_lines][..][16]`: the first pixel.
    pub(super) from: *const f32,
    /// Floats from a pixel to the next.
    pub(super) step: usize,
    /// Floats from 16 channels of `from` to the next 16.
    pub(super) pitch: usize,
    /// `[n_lines][..][16]`: the outputs, next to each other. May be `from`.
    pub(super) to: *mut f32,
    /// Floats from 16 channels of `to` to the next 16.
    pub(super) to_pitch: usize,
    /// Number of 16 channels.
    pub(super) n_lines: usize,
    /// Number of pixels.
    pub(super) n: usize,
    /// `[n_lines][16]`: what the normalised values are multiplied by, and what is added then; null for 1 and 0.
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
}

/// Normalises the pixels of `run`.
///
/// # Safety
/// The pointers of `run` are valid for what it describes; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn normalise<S: Simd>(run: &NormRun) {
    const { assert!(S::LANES == 16, "a vector is a line") };
    // SAFETY: pixels of the run, which the caller vouches for.
    unsafe {
        let n = run.n / TOGETHER * TOGETHER;
        for first in (0..n).step_by(TOGETHER) {
            pixels::<S, TOGETHER>(run, first);
        }
        for pixel in n..run.n {
            pixels::<S, 1>(run, pixel);
        }
    }
}

/// Normalises `P` pixels from `first`.
///
/// # Safety
/// As [`normalise`].
#[inline(always)]
unsafe fn pixels<S: Simd, const P: usize>(run: &NormRun, first: usize) {
    // SAFETY: lines of these pixels, which the caller vouches for.
    unsafe {
        let n_channels = (run.n_lines * 16) as f32;
        let from = |line: usize, p: usize| run.from.add(line * run.pitch + (first + p) * run.step);
        let mut sums = [S::zero(); P];
        for line in 0..run.n_lines {
            for p in 0..P {
                sums[p] = S::add(sums[p], S::load(from(line, p)));
            }
        }
        let mut means = [S::zero(); P];
        for p in 0..P {
            means[p] = S::splat(sum_of_lanes::<S>(sums[p]) / n_channels);
        }
        let mut squares = [S::zero(); P];
        for line in 0..run.n_lines {
            for p in 0..P {
                let x = S::sub(S::load(from(line, p)), means[p]);
                squares[p] = S::fma(x, x, squares[p]);
            }
        }
        let mut factors = [S::zero(); P];
        for p in 0..P {
            factors[p] = S::splat(1.0 / (sum_of_lanes::<S>(squares[p]) / n_channels + EPSILON).sqrt());
        }
        for line in 0..run.n_lines {
            for p in 0..P {
                let mut y = S::mul(S::sub(S::load(from(line, p)), means[p]), factors[p]);
                if !run.scale.is_null() {
                    y = S::fma(y, S::load(run.scale.add(line * 16)), S::load(run.shift.add(line * 16)));
                }
                S::store(run.to.add(line * run.to_pitch + (first + p) * 16), y);
            }
        }
    }
}

/// The sum of the lanes, halves first.
///
/// # Safety
/// As [`Simd`], with 16 lanes.
#[inline(always)]
unsafe fn sum_of_lanes<S: Simd>(v: S::V) -> f32 {
    let mut lanes = [0.0; 16];
    // SAFETY: 16 floats.
    unsafe { S::store(lanes.as_mut_ptr(), v) };
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}
