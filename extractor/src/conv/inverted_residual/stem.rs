//! The first convolution, 3x3 with stride 2, computed where the first block needs its rows.

use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::pictures::COLOURS;
use super::super::winograd3x3::direct::{self, DirectRow, N_LANES, N_TAPS};
use super::shape::InputRows;
use crate::conv::winograd3x3::LayerWeights;

/// Where rows of two lines of channels are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct StemRows {
    /// The first pixel.
    pub(super) at: *mut f32,
    /// Floats from one row to the next.
    pub(super) row_pitch: usize,
    /// Floats from 16 channels to the next 16.
    pub(super) line_pitch: usize,
}

/// 3x3 weights for three channels, with stride 2: the border is one row below and one column on the right.
#[derive(Debug)]
pub(super) struct Stem {
    /// `[n_out/32][27][32]`
    weights: Buffer,
    bias: Buffer,
}

impl Stem {
    /// Packs weight (n_out, 3, 3, 3) and bias (n_out), n_out a multiple of 32.
    pub(super) fn new((weight, bias): LayerWeights<'_>) -> Self {
        Self { weights: direct::pack(weight), bias: Buffer::from_slice(bias) }
    }

    /// Floats of a picture's rows with their border that `n` rows of outputs need, for pictures of `side`.
    pub(super) fn rows_len(n: usize, side: usize) -> usize {
        COLOURS * (2 * n + 1) * (side + 1)
    }

    /// Computes rows `rows` of 32 channels of picture (3, side, side).
    ///
    /// # Safety
    /// `to` is valid for these rows of side / 2 pixels, and they and `scratch` belong to this thread. The kernels are of a table
    /// that this machine can run.
    pub(super) unsafe fn run(
        &self,
        kernels: &Kernels,
        picture: &[f32],
        chunk: usize,
        rows: &InputRows,
        scratch: &Buffer,
        to: StemRows,
    ) {
        let side = (picture.len() / COLOURS).isqrt();
        let (wide, n_rows) = (side + 1, 2 * rows.n + 1);
        let inputs = scratch.at(0, COLOURS * n_rows * wide);
        for row in 0..COLOURS * n_rows {
            let (channel, y) = (row / n_rows, 2 * rows.first + row % n_rows);
            // SAFETY: row `row` of the scratch, which belongs to this thread.
            unsafe {
                let to = inputs.add(row * wide);
                if y < side {
                    let from = &picture[(channel * side + y) * side..][..side];
                    to.copy_from_nonoverlapping(from.as_ptr(), side);
                    *to.add(side) = 0.0;
                } else {
                    to.write_bytes(0, wide);
                }
            }
        }
        for y in 0..rows.n {
            // SAFETY: the inputs and weights are as `DirectRow` wants them, and the outputs are the caller's.
            unsafe {
                (kernels.direct_strided)(&DirectRow {
                    from: inputs.add(2 * y * wide),
                    row_pitch: wide,
                    channel_pitch: n_rows * wide,
                    weights: self.weights.at(chunk * N_TAPS * N_LANES, N_TAPS * N_LANES),
                    bias: self.bias.at(chunk * N_LANES, N_LANES),
                    to: to.at.add(y * to.row_pitch),
                    block_pitch: to.line_pitch,
                    n: side / 2,
                });
            }
        }
    }
}
