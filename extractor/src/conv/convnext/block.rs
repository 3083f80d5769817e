//! One block: filter each channel, normalise each pixel, mix the channels.

use std::ops::Range;

use super::super::depthwise::DepthwiseRow;
use super::super::layer_norm::NormRun;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise, in_lines};
use super::super::pieces::pitch;
use super::super::pointwise::Pointwise;
use super::super::runs::{Run, runs};
use super::pass::Pass;
use super::shape::KERNEL;
use super::weights::{BlockWeights, Folded};

/// Taps of a depthwise output.
const AREA: usize = KERNEL * KERNEL;

/// A block with its weights packed.
#[derive(Debug)]
pub(super) struct Block {
    /// `[channels/16][49][16]`
    depthwise: Buffer,
    /// `[channels/16][16]`
    depthwise_bias: Buffer,
    expand: PackedPointwise,
    /// The second 1x1 convolution in parts of some hidden channels each.
    project: Vec<PackedPointwise>,
}

impl Block {
    /// Packs the weights. The scale and shift of the normalisation become part of the first 1x1 convolution, gamma of the
    /// second.
    pub(super) fn new(weights: &BlockWeights<'_>) -> Self {
        let expand = Folded::after_norm(weights.expand, weights.norm, 1);
        let project = Folded::times(weights.project, weights.gamma);
        Self {
            depthwise: in_lines(weights.depthwise.0, AREA),
            depthwise_bias: in_lines(weights.depthwise.1, 1),
            expand: PackedPointwise::new((&expand.weight, &expand.bias)),
            project: PackedPointwise::in_parts((&project.weight, &project.bias)),
        }
    }

    /// Computes this thread's share of the block.
    pub(super) fn run(&self, pass: &Pass<'_>) {
        pass.for_each_piece(|pixels| {
            self.filter(pass, &pixels);
            self.mix(pass, &pixels);
        });
    }

    /// Filters and normalises pixels `pixels` into the scratch.
    fn filter(&self, pass: &Pass<'_>, pixels: &Range<usize>) {
        let (map, n) = (pass.from_map, pixels.len());
        let x = pass.scratch.x.at(0, map.n_lines() * pitch(n));
        for line in 0..map.n_lines() {
            for run in runs(pixels.start, pixels.start, pixels.end, map.side, usize::MAX) {
                let Run { picture, y, x: column, first, n: n_outputs } = run;
                let from = pass.from.at(picture * map.len(), map.len());
                // SAFETY: the inputs, border included, are inside the map, and the outputs inside the scratch, which belongs
                // to this thread. The kernels are of a table that this machine can run.
                unsafe {
                    (pass.kernels.depthwise_7)(&DepthwiseRow {
                        from: from.add(line * map.line_pitch() + map.pixel(y, column)),
                        row_pitch: map.row_pitch(),
                        kernel: KERNEL,
                        weights: self.depthwise.at(line * AREA * LINE, AREA * LINE),
                        bias: self.depthwise_bias.at(line * LINE, LINE),
                        to: x.add(line * pitch(n) + first * LINE),
                        n: n_outputs,
                    });
                }
            }
        }
        // SAFETY: the pixels were just written, by this thread. The kernels are of a table that this machine can run.
        unsafe {
            (pass.kernels.norm)(&NormRun {
                from: x,
                step: LINE,
                pitch: pitch(n),
                to: x,
                to_pitch: pitch(n),
                n_lines: map.n_lines(),
                n,
                scale: std::ptr::null(),
                shift: std::ptr::null(),
            });
        }
    }

    /// Mixes the channels of the filtered pixels, and adds the input.
    fn mix(&self, pass: &Pass<'_>, pixels: &Range<usize>) {
        let (map, n) = (pass.to_map, pixels.len());
        let x = pass.scratch.x.at(0, map.n_lines() * pitch(n));
        let offsets = &pass.offsets[pixels.clone()];
        let mut n_done = 0; // lines of the hidden channels
        for (i, project) in self.project.iter().enumerate() {
            let n_hidden = project.n_in() / LINE;
            let hidden = pass.scratch.hidden.at(0, n_hidden * pitch(n));
            for line in 0..n_hidden {
                // SAFETY: a line of the scratch, which belongs to this thread and has these pixels. The kernels are of a
                // table that this machine can run.
                unsafe {
                    let to = hidden.add(line * pitch(n));
                    (pass.kernels.pointwise)(&self.expand.product(n_done + line, x, pitch(n), n, to));
                    (pass.kernels.gelu)(to, n);
                }
            }
            n_done += n_hidden;
            let is_last = i + 1 == self.project.len();
            for line in 0..map.n_lines() {
                let to = Pass::line(&map, pass.to, line);
                let residual =
                    if is_last { Pass::line(&map, pass.from, line).cast_const() } else { std::ptr::null() };
                // SAFETY: the offsets are those of pixels of the maps, which this task alone writes in the output; the
                // input is complete. The kernels are of a table that this machine can run.
                unsafe {
                    (pass.kernels.pointwise)(&Pointwise {
                        offsets: offsets.as_ptr(),
                        residual,
                        continued: i > 0,
                        ..project.product(line, hidden, pitch(n), n, to)
                    });
                }
            }
        }
    }
}
