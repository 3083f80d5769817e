//! The 3x3 convolution of a block, with a border of one and ReLU.

use super::super::flat_map::FlatMap;
use super::super::kernels::Operands;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise, by_tap};
use super::super::pieces::{Pieces, pitch};
use super::super::pointwise::{Activation, Pointwise};
use super::super::runs::runs;
use super::super::winograd3x3::layer::Winograd;
use super::super::winograd3x3::map::Map;
use super::super::winograd3x3::schedule::{self, BlockBuffers, Schedule};
use super::pass::{Conv3x3Input, Pass};
use super::shape::BlockShape;
use crate::conv::winograd3x3::LayerWeights;

/// Taps of an output.
const AREA: usize = 9;

/// A 3x3 convolution with its weights packed.
#[derive(Debug)]
pub(super) enum Conv3x3 {
    Winograd(Winograd),
    Direct(Direct),
}

/// The convolution as a 1x1 convolution of the nine pixels that reach an output, tap by tap.
#[derive(Debug)]
pub(super) struct Direct {
    stride: usize,
    parts: Vec<PackedPointwise>,
}

impl Conv3x3 {
    /// Packs weight (n, n, 3, 3) and bias (n) for `operands`, on `n_threads` threads.
    pub(super) fn new(
        shape: &BlockShape,
        (weight, bias): LayerWeights<'_>,
        operands: Operands,
        n_threads: usize,
    ) -> Self {
        if shape.winograd {
            Self::Winograd(Winograd::new(weight, bias, false, operands, n_threads))
        } else {
            let parts = PackedPointwise::in_parts((&by_tap(weight, shape.n_mid, AREA), bias));
            Self::Direct(Direct { stride: shape.stride, parts })
        }
    }

    /// Computes this thread's share of a map, flat in `to`, from a map with a border.
    pub(super) fn run(&self, pass: &Pass<'_>, from: &Conv3x3Input, to: &Buffer, shared: &BlockBuffers) {
        match self {
            Self::Winograd(layer) => {
                let map = from.map;
                let n_tiles = pass.n_pictures * map.n_tiles();
                let schedule = Schedule::new(map.channels, n_tiles, pass.kernels);
                let pass_of_layer = schedule::Pass {
                    kernels: pass.kernels,
                    threads: pass.threads,
                    n_pictures: pass.n_pictures,
                    from: &from.buffer,
                    from_map: map,
                    from_picture: 0,
                    to,
                    to_map: Map::flat(map.channels, map.side, pass.n_pictures),
                    to_picture: 0,
                };
                layer.run(&pass_of_layer, &schedule, shared, &pass.scratch.winograd);
            }
            Self::Direct(layer) => layer.run(pass, from, to),
        }
    }
}

impl Direct {
    fn run(&self, pass: &Pass<'_>, from: &Conv3x3Input, to: &Buffer) {
        let side = from.map.side / self.stride;
        let n_pixels = pass.n_pictures * side * side;
        let channels = from.map.channels;
        let to = FlatMap::new(to, channels, n_pixels);
        let pieces = Pieces::new(n_pixels, channels, pass.threads.n_threads());
        while let Some(piece) = pass.threads.claim(pieces.n) {
            let pixels = pieces.range(piece);
            let (n, pitch) = (pixels.len(), pitch(pixels.len()));
            let mut n_done = 0; // lines of the channels of all taps
            for (i, part) in self.parts.iter().enumerate() {
                let n_lines = part.n_in() / LINE;
                let x = pass.scratch.x.at(0, n_lines * pitch);
                for line in 0..n_lines {
                    let tap = (n_done + line) / (channels / LINE);
                    for run in runs(pixels.start, pixels.start, pixels.end, side, usize::MAX) {
                        let start = run.picture * from.map.picture_pitch();
                        let block = (n_done + line) % (channels / LINE) * from.map.block_pitch();
                        let (y, column) = (run.y * self.stride + tap / 3, run.x * self.stride + tap % 3);
                        let inputs = from.buffer.at(start, from.map.len());
                        // SAFETY: the pixels, border included, are inside the map, which is complete, and the scratch
                        // belongs to this thread.
                        unsafe {
                            let inputs = inputs.add(block + from.map.pixel(y, column));
                            gather(inputs, self.stride, run.n, x.add(line * pitch + run.first * LINE));
                        }
                    }
                }
                n_done += n_lines;
                let is_last = i + 1 == self.parts.len();
                for line in 0..channels / LINE {
                    // SAFETY: the pixels are inside the map and written by this task alone. The kernels are of a table that
                    // this machine can run.
                    unsafe {
                        (pass.kernels.pointwise)(&Pointwise {
                            continued: i > 0,
                            activation: if is_last { Activation::Relu } else { Activation::None },
                            ..part.product(line, x, pitch, n, to.pixel(line, pixels.start))
                        });
                    }
                }
            }
        }
        pass.threads.end_stage();
    }
}

/// Copies every `stride`-th of some pixels, `n` of them, to neighbouring ones.
///
/// # Safety
/// Both are valid for them.
pub(super) unsafe fn gather(from: *const f32, stride: usize, n: usize, to: *mut f32) {
    for pixel in 0..n {
        // SAFETY: as the caller.
        unsafe { to.add(pixel * LINE).copy_from_nonoverlapping(from.add(pixel * stride * LINE), LINE) };
    }
}
