//! The beginning: a 4x4 convolution of the pictures with stride 4, then normalise each pixel.

use super::super::layer_norm::NormRun;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise};
use super::super::pictures::COLOURS;
use super::super::pieces::pitch;
use super::super::runs::{Run, runs};
use super::map::BORDER;
use super::pass::Pass;
use super::shape::STEM;
use super::weights::StemWeights;

/// The layer as a 1x1 convolution of the 16 pixels below an output, a colour to a line.
#[derive(Debug)]
pub(super) struct Stem {
    conv: PackedPointwise,
    scale: Buffer,
    shift: Buffer,
}

impl Stem {
    /// Packs the weights.
    pub(super) fn new(weights: &StemWeights<'_>) -> Self {
        Self {
            conv: PackedPointwise::new(weights.conv),
            scale: Buffer::from_slice(weights.norm.0),
            shift: Buffer::from_slice(weights.norm.1),
        }
    }

    /// Computes this thread's share of xs (pictures, 3, side, side). `pass.from` is not used.
    pub(super) fn run(&self, pass: &Pass<'_>, xs: &[f32]) {
        let map = pass.to_map;
        pass.for_each_piece(|pixels| {
            let n_pixels = pixels.len();
            let pitch = pitch(n_pixels);
            let x = pass.scratch.x.at(0, COLOURS * pitch);
            for run in runs(pixels.start, pixels.start, pixels.end, map.side, usize::MAX) {
                // SAFETY: the scratch belongs to this thread and has room for the pixels.
                unsafe { copy_patches(xs, map.side, &run, x, pitch) };
            }
            let out = pass.scratch.hidden.at(0, map.n_lines() * pitch);
            for line in 0..map.n_lines() {
                // SAFETY: lines of the scratch, which belongs to this thread. The kernels are of a table that this machine
                // can run.
                unsafe {
                    let to = out.add(line * pitch);
                    (pass.kernels.pointwise)(&self.conv.product(line, x, pitch, n_pixels, to));
                }
            }
            for run in runs(pixels.start, pixels.start, pixels.end, map.side, usize::MAX) {
                let to = pass.to.at(run.picture * map.len(), map.len());
                // SAFETY: the pixels were just written to the scratch, and those of the map are written by this task alone.
                // The kernels are of a table that this machine can run.
                unsafe {
                    (pass.kernels.norm)(&NormRun {
                        from: out.add(run.first * LINE),
                        step: LINE,
                        pitch,
                        to: to.add(map.pixel(run.y + BORDER, run.x + BORDER)),
                        to_pitch: map.line_pitch(),
                        n_lines: map.n_lines(),
                        n: run.n,
                        scale: self.scale.at(0, map.channels),
                        shift: self.shift.at(0, map.channels),
                    });
                }
            }
        });
    }
}

/// Copies the 4x4 pixels below each output of `run`, of maps of `side`, into a line for each colour.
///
/// # Safety
/// `x` has three lines, `pitch` floats apart, with room for the run.
unsafe fn copy_patches(xs: &[f32], side: usize, run: &Run, x: *mut f32, pitch: usize) {
    let wide = STEM * side;
    for row in 0..COLOURS * STEM {
        let (colour, dy) = (row / STEM, row % STEM);
        let start = ((run.picture * COLOURS + colour) * wide + STEM * run.y + dy) * wide + STEM * run.x;
        for (i, pixels) in xs[start..][..STEM * run.n].chunks_exact(STEM).enumerate() {
            // SAFETY: a row of a patch within the line of its colour.
            unsafe {
                let to = x.add(colour * pitch + (run.first + i) * LINE + dy * STEM);
                to.copy_from_nonoverlapping(pixels.as_ptr(), STEM);
            }
        }
    }
}
