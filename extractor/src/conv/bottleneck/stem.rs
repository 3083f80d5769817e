//! The beginning: a 7x7 convolution of the pictures with stride 2, ReLU, and the maximum of each 3x3 with stride 2.

use super::super::flat_map::FlatMap;
use super::super::max_pool::PoolRow;
use super::super::packed::{LINE, PackedPointwise};
use super::super::pictures::COLOURS;
use super::super::pieces::pitch;
use super::super::pointwise::{Activation, Pointwise};
use super::pass::{Pass, Reduced};
use crate::conv::winograd3x3::LayerWeights;

/// Rows, and columns, of the kernel.
const KERNEL: usize = 7;
/// Its border above and on the left.
const BORDER: usize = 3;
/// The stride of the convolution, and that of the pooling.
const STRIDE: usize = 2;
/// Weights of a channel out.
pub(super) const N_INPUTS: usize = COLOURS * KERNEL * KERNEL;
/// A row of the kernel with a zero, so that two rows fill a line.
const ROW: usize = 8;
/// Pooled rows that make a task; one of the convolution's rows is computed for two tasks.
const BAND: usize = 4;

/// The convolution as a 1x1 convolution of the 21 rows of seven pixels below an output.
#[derive(Debug)]
pub(super) struct Stem(PackedPointwise);

impl Stem {
    /// Packs weight (n_out, 3, 7, 7) and bias (n_out).
    pub(super) fn new((weight, bias): LayerWeights<'_>) -> Self {
        let padded = |row: &[f32]| [row, &[0.0]].concat();
        let weight: Vec<f32> = weight.chunks_exact(KERNEL).flat_map(padded).collect();
        Self(PackedPointwise::new((&weight, bias)))
    }

    /// Floats of a thread's scratch for pictures of `side`: gathered pixels, and rows of the convolution.
    pub(super) fn scratch_len(&self, side: usize) -> (usize, usize) {
        let wide = side / STRIDE;
        let n_lines = self.0.n_in().div_ceil(LINE);
        (n_lines * pitch(wide), self.0.n_lines() * Rows::new(wide).line_pitch)
    }

    /// Computes this thread's share of xs (pictures, 3, side, side) and the first layer of the first block.
    pub(super) fn run(&self, pass: &Pass<'_>, xs: &[f32], side: usize, to: FlatMap, next: &Reduced<'_>) {
        let wide = side / STRIDE;
        let pooled = wide / STRIDE;
        let n_bands = pooled / BAND;
        let rows = Rows::new(wide);
        let scratch = pass.scratch.rows.at(0, self.0.n_lines() * rows.line_pitch);
        while let Some(task) = pass.threads.claim(pass.n_pictures * n_bands) {
            let (picture, band) = (task / n_bands, task % n_bands);
            let xs = &xs[picture * COLOURS * side * side..][..COLOURS * side * side];
            for row in 0..Rows::N {
                let y = (band * BAND * STRIDE + row).checked_sub(1);
                // SAFETY: a row of the scratch, which belongs to this thread.
                unsafe { self.convolve_row(pass, xs, side, y, scratch.add(row * rows.row_pitch), &rows) };
            }
            let first = (picture * pooled + band * BAND) * pooled;
            for line in 0..self.0.n_lines() {
                for row in 0..BAND {
                    // SAFETY: the rows were just written, and this task alone writes these of the output. The kernels are
                    // of a table that this machine can run.
                    unsafe {
                        (pass.kernels.max_pool)(&PoolRow {
                            from: scratch.add(line * rows.line_pitch + row * STRIDE * rows.row_pitch),
                            row_pitch: rows.row_pitch,
                            to: to.pixel(line, first + row * pooled),
                            n: pooled,
                        });
                    }
                }
            }
            // SAFETY: this thread has written the pixels, and writes their reduced ones alone.
            unsafe { next.run(pass.kernels, to, first, BAND * pooled) };
        }
        pass.threads.end_stage();
    }

    /// Computes row `y` of the convolution, or a row of zeros above the first, behind a column of zeros.
    ///
    /// # Safety
    /// `to` is the row in the first line of `rows`, which belong to this thread.
    unsafe fn convolve_row(
        &self,
        pass: &Pass<'_>,
        xs: &[f32],
        side: usize,
        y: Option<usize>,
        to: *mut f32,
        rows: &Rows,
    ) {
        let (n, n_lines) = (side / STRIDE, self.0.n_lines());
        let pitch = pitch(n);
        let x = pass.scratch.x.at(0, self.0.n_in().div_ceil(LINE) * pitch);
        if let Some(y) = y {
            // SAFETY: the scratch belongs to this thread and has room for the lines of the row.
            unsafe { gather_row(xs, side, y, x, pitch) };
        }
        for line in 0..n_lines {
            // SAFETY: the caller's row; the kernels are of a table that this machine can run.
            unsafe {
                let to = to.add(line * rows.line_pitch);
                to.write_bytes(0, LINE);
                let to = to.add(LINE);
                if y.is_some() {
                    (pass.kernels.pointwise)(&Pointwise {
                        activation: Activation::Relu,
                        ..self.0.product(line, x, pitch, n, to)
                    });
                } else {
                    to.write_bytes(0, n * LINE);
                }
            }
        }
    }
}

/// The rows of the convolution that are pooled to a band, with a row and a column more: `[lines][rows][columns][16]`.
struct Rows {
    row_pitch: usize,
    line_pitch: usize,
}

impl Rows {
    /// How many.
    const N: usize = STRIDE * BAND + 1;

    fn new(wide: usize) -> Self {
        let row_pitch = (wide + 1) * LINE;
        Self { row_pitch, line_pitch: Self::N * row_pitch }
    }
}

/// Copies the pixels that reach row `y` of the convolution, with zeros for those outside the picture.
///
/// # Safety
/// `x` has 11 lines, `pitch` floats apart, with room for side / 2 pixels.
unsafe fn gather_row(xs: &[f32], side: usize, y: usize, x: *mut f32, pitch: usize) {
    let n = side / STRIDE;
    for row in 0..COLOURS * KERNEL {
        let (colour, dy) = (row / KERNEL, row % KERNEL);
        // SAFETY: the half line of this row of the kernel.
        let to = unsafe { x.add(row / 2 * pitch + row % 2 * ROW) };
        let from = (y * STRIDE + dy).checked_sub(BORDER).filter(|&y| y < side);
        let pixels = from.map(|y| &xs[(colour * side + y) * side..][..side]);
        for output in 0..n {
            let mut taps = [0.0; ROW];
            if let Some(pixels) = pixels {
                let start = output * STRIDE;
                if start >= BORDER && start + KERNEL - BORDER <= side {
                    taps[..KERNEL].copy_from_slice(&pixels[start - BORDER..][..KERNEL]);
                } else {
                    for (dx, tap) in taps[..KERNEL].iter_mut().enumerate() {
                        let column = (start + dx).checked_sub(BORDER).filter(|&x| x < side);
                        *tap = column.map_or(0.0, |x| pixels[x]);
                    }
                }
            }
            // SAFETY: as the caller.
            unsafe { to.add(output * LINE).copy_from_nonoverlapping(taps.as_ptr(), ROW) };
        }
    }
}
