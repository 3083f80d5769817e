//! The first layer of the stack.

use super::super::memory::Buffer;
use super::super::pictures::COLOURS;
use super::direct::{self, DirectRow, N_TAPS};
use super::schedule::{CHUNK, Pass, Scratch};

/// Rows of outputs that make a task.
const BAND: usize = 4;

/// The first layer, computed directly.
#[derive(Debug)]
pub(super) struct First {
    /// `[n_out/32][27][32]`
    weights: Buffer,
    bias: Buffer,
}

impl First {
    /// Packs weight (n_out, 3, 3, 3) and bias (n_out), n_out a multiple of 32.
    pub(super) fn new(weight: &[f32], bias: &[f32]) -> Self {
        Self { weights: direct::pack(weight), bias: Buffer::from_slice(bias) }
    }

    /// The number of floats of [`Scratch::rows`] for pictures of `side` pixels.
    pub(super) fn scratch_len(side: usize) -> usize {
        COLOURS * (BAND + 2) * (side + 2)
    }

    /// Computes this thread's share of xs (pictures, 3, side, side), of which `pass.n_pictures`. `pass.from`
    /// is not used.
    pub(super) fn run(&self, pass: &Pass, xs: &[f32], scratch: &Scratch) {
        let side = pass.to_map.side;
        let n_bands = side / BAND;
        while let Some(task) = pass.threads.claim(pass.n_pictures * n_bands) {
            let (picture, y0) = (task / n_bands, task % n_bands * BAND);
            let xs = &xs[(pass.from_picture + picture) * COLOURS * side * side..][..COLOURS * side * side];
            let wide = side + 2;
            let rows = scratch.rows.at(0, COLOURS * (BAND + 2) * wide);
            for row in 0..COLOURS * (BAND + 2) {
                let (channel, y) = (row / (BAND + 2), y0 + row % (BAND + 2));
                // SAFETY: row `row` of the scratch rows, which belong to this thread; the last column
                // and the first stay zero as they were made.
                unsafe {
                    let to = rows.add(row * wide + 1);
                    if (1..=side).contains(&y) {
                        let from = &xs[(channel * side + y - 1) * side..][..side];
                        to.copy_from_nonoverlapping(from.as_ptr(), side);
                    } else {
                        to.write_bytes(0, side);
                    }
                }
            }
            let to = pass.to.at((pass.to_picture + picture) * pass.to_map.len(), pass.to_map.len());
            for chunk in 0..pass.to_map.channels / CHUNK {
                for y in 0..BAND {
                    let pixel = 2 * chunk * pass.to_map.block_pitch() + pass.to_map.pixel(y0 + y + 1, 1);
                    // SAFETY: the rows and weights are as `DirectRow` wants them; row y0 + y of these
                    // channels of this picture is written by this task alone. The kernels are of a table
                    // that this machine can run.
                    unsafe {
                        (pass.kernels.direct)(&DirectRow {
                            from: rows.add(y * wide),
                            row_pitch: wide,
                            channel_pitch: (BAND + 2) * wide,
                            weights: self.weights.at(chunk * N_TAPS * CHUNK, N_TAPS * CHUNK),
                            bias: self.bias.at(chunk * CHUNK, CHUNK),
                            to: to.add(pixel),
                            block_pitch: pass.to_map.block_pitch(),
                            n: side,
                        });
                    }
                }
            }
        }
        pass.threads.end_stage();
    }
}
