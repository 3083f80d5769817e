//! Between two stages: normalise each pixel, then a 2x2 convolution with stride 2.

use super::super::layer_norm::NormRun;
use super::super::packed::{LINE, PackedPointwise, by_tap};
use super::super::pieces::pitch;
use super::super::pointwise::Pointwise;
use super::super::runs::{Run, runs};
use super::map::BORDER;
use super::pass::Pass;
use super::shape::DOWNSAMPLE;
use super::weights::{Folded, NormWeights};
use crate::conv::winograd3x3::LayerWeights;

/// Taps of an output.
const AREA: usize = DOWNSAMPLE * DOWNSAMPLE;

/// The layer as a 1x1 convolution of the four pixels below an output, tap by tap.
#[derive(Debug)]
pub(super) struct Downsample(PackedPointwise);

impl Downsample {
    /// Packs the scale and shift of the normalisation, and weight (n_out, n_in, 2, 2) and bias (n_out).
    pub(super) fn new(norm: NormWeights<'_>, conv: LayerWeights<'_>) -> Self {
        let folded = Folded::after_norm(conv, norm, AREA);
        let n_in = norm.0.len();
        Self(PackedPointwise::new((&by_tap(&folded.weight, n_in, AREA), &folded.bias)))
    }

    /// Computes this thread's share of the layer.
    pub(super) fn run(&self, pass: &Pass<'_>) {
        let (from_map, to_map) = (pass.from_map, pass.to_map);
        let n_lines = from_map.n_lines();
        pass.for_each_piece(|pixels| {
            let pitch = pitch(pixels.len());
            let x = pass.scratch.x.at(0, AREA * n_lines * pitch);
            for run in runs(pixels.start, pixels.start, pixels.end, to_map.side, usize::MAX) {
                let Run { picture, y, x: column, first, n } = run;
                let from = pass.from.at(picture * from_map.len(), from_map.len());
                for tap in 0..AREA {
                    let (dy, dx) = (tap / DOWNSAMPLE, tap % DOWNSAMPLE);
                    let pixel =
                        from_map.pixel(DOWNSAMPLE * y + dy + BORDER, DOWNSAMPLE * column + dx + BORDER);
                    // SAFETY: pixels of the map, which is complete, and of the scratch, which belongs to this thread.
                    // The kernels are of a table that this machine can run.
                    unsafe {
                        (pass.kernels.norm)(&NormRun {
                            from: from.add(pixel),
                            step: DOWNSAMPLE * LINE,
                            pitch: from_map.line_pitch(),
                            to: x.add(tap * n_lines * pitch + first * LINE),
                            to_pitch: pitch,
                            n_lines,
                            n,
                            scale: std::ptr::null(),
                            shift: std::ptr::null(),
                        });
                    }
                }
            }
            for line in 0..to_map.n_lines() {
                let to = Pass::line(&to_map, pass.to, line);
                // SAFETY: the offsets are those of pixels of the map, which this task alone writes. The kernels are of a
                // table that this machine can run.
                unsafe {
                    (pass.kernels.pointwise)(&Pointwise {
                        offsets: pass.offsets[pixels.clone()].as_ptr(),
                        ..self.0.product(line, x, pitch, pixels.len(), to)
                    });
                }
            }
        });
    }
}
