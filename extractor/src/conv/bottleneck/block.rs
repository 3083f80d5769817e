//! One block, but for its first layer, which the block before or the stem computes.

use super::super::flat_map::FlatMap;
use super::super::kernels::Operands;
use super::super::packed::{LINE, PackedPointwise};
use super::super::pieces::{Pieces, pitch};
use super::super::pointwise::{Activation, Pointwise};
use super::super::runs::runs;
use super::conv3x3::{Conv3x3, gather};
use super::pass::{Pass, Reduced};
use super::shape::BlockShape;
use super::weights::BlockWeights;

/// A block with its weights packed.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) shape: BlockShape,
    pub(super) reduce: PackedPointwise,
    pub(super) conv: Conv3x3,
    /// With the bias of the shortcut.
    expand: PackedPointwise,
    shortcut: Option<PackedPointwise>,
}

/// The maps that a block is expanded from and to.
#[derive(Clone, Copy)]
pub(super) struct Expansion<'a> {
    /// The output of the 3x3 convolution.
    pub(super) from: FlatMap,
    /// The input of the block.
    pub(super) input: FlatMap,
    /// The output of the block.
    pub(super) to: FlatMap,
    /// Side of the output.
    pub(super) side: usize,
    /// What the block that follows begins with; none after the last.
    pub(super) next: Option<Reduced<'a>>,
}

impl Block {
    /// Packs the weights for `operands`, on `n_threads` threads.
    pub(super) fn new(
        shape: BlockShape,
        weights: &BlockWeights<'_>,
        operands: Operands,
        n_threads: usize,
    ) -> Self {
        let (expand, mut bias) = (weights.expand.0, weights.expand.1.to_vec());
        if let Some((_, more)) = weights.shortcut {
            bias.iter_mut()
                .zip(more)
                .for_each(|(bias, more)| *bias = (f64::from(*bias) + f64::from(*more)) as f32);
        }
        Self {
            shape,
            reduce: PackedPointwise::new(weights.reduce),
            conv: Conv3x3::new(&shape, weights.conv, operands, n_threads),
            expand: PackedPointwise::new((expand, &bias)),
            shortcut: weights.shortcut.map(PackedPointwise::new),
        }
    }

    /// Pieces of the output of `n_pixels` pixels: with it, half as many floats of others stay near.
    fn pieces(&self, n_pixels: usize, n_threads: usize) -> Pieces {
        Pieces::new(n_pixels, self.shape.n_out() / 2, n_threads)
    }

    /// Floats of the scratch that the block needs for a gathered input.
    pub(super) fn x_len(&self) -> usize {
        let n = Pieces::max_pixels(self.shape.n_out() / 2);
        let direct = 16 * pitch(Pieces::max_pixels(self.shape.n_mid));
        direct.max(self.shape.n_in / LINE * pitch(n))
    }

    /// Computes this thread's share of the output, and of the first layer of the block that follows.
    pub(super) fn expand(&self, pass: &Pass<'_>, maps: &Expansion<'_>) {
        let n_pixels = pass.n_pictures * maps.side * maps.side;
        let pieces = self.pieces(n_pixels, pass.threads.n_threads());
        while let Some(piece) = pass.threads.claim(pieces.n) {
            let pixels = pieces.range(piece);
            let (first, n) = (pixels.start, pixels.len());
            let gathered = if self.shape.stride > 1 { self.gather(pass, maps, first, n) } else { maps.input };
            let input = if self.shape.stride > 1 { 0 } else { first };
            for line in 0..self.expand.n_lines() {
                // SAFETY: the pixels are inside the maps, whose inputs are complete, and those of the output are written by this
                // task alone. The kernels are of a table that this machine can run.
                unsafe {
                    let to = maps.to.pixel(line, first);
                    let expand = self.expand.product(line, maps.from.pixel(0, first), maps.from.pitch, n, to);
                    if let Some(shortcut) = &self.shortcut {
                        (pass.kernels.pointwise)(&expand);
                        let x = gathered.pixel(0, input);
                        (pass.kernels.pointwise)(&Pointwise {
                            continued: true,
                            activation: Activation::Relu,
                            ..shortcut.product(line, x, gathered.pitch, n, to)
                        });
                    } else {
                        (pass.kernels.pointwise)(&Pointwise {
                            residual: maps.input.pixel(line, first),
                            activation: Activation::Relu,
                            ..expand
                        });
                    }
                }
            }
            if let Some(next) = &maps.next {
                // SAFETY: this thread has written the pixels, and writes their reduced ones alone.
                unsafe { next.run(pass.kernels, maps.to, first, n) };
            }
        }
        pass.threads.end_stage();
    }

    /// Copies the pixels of the input below `n` pixels of the output from `first` next to each other.
    fn gather(&self, pass: &Pass<'_>, maps: &Expansion<'_>, first: usize, n: usize) -> FlatMap {
        let (stride, side) = (self.shape.stride, maps.side);
        let n_lines = self.shape.n_in / LINE;
        let pitch = pitch(n);
        let x = pass.scratch.x.at(0, n_lines * pitch);
        for line in 0..n_lines {
            for run in runs(first, first, first + n, side, usize::MAX) {
                let row = (run.picture * side + run.y) * stride * side * stride;
                // SAFETY: pixels of the input, which is complete, and of the scratch, which belongs to this thread.
                unsafe {
                    let from = maps.input.pixel(line, row + run.x * stride);
                    gather(from, stride, run.n, x.add(line * pitch + run.first * LINE));
                }
            }
        }
        FlatMap { at: x, pitch }
    }
}
