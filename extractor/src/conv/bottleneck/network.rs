//! The whole network in one call.

use std::sync::{Mutex, PoisonError};

use super::super::flat_map::FlatMap;
use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::LINE;
use super::super::pictures::{COLOURS, check_pictures};
use super::super::threads::ThreadGroup;
use super::super::unsupported::Unsupported;
use super::super::winograd3x3::schedule::{BlockBuffers, Room, Schedule};
use super::block::{Block, Expansion};
use super::pass::{Conv3x3Input, Pass, Reduced, Scratch};
use super::shape::{STRIDE, Shape};
use super::stem::Stem;
use super::weights::{BlockWeights, check};
use crate::conv::winograd3x3::LayerWeights;

/// Most pictures that are computed together: more would fill the third cache with the maps of the first stage, fewer read
/// the weights of the last more often.
const GROUP: usize = 4;
/// What the stem divides sides by.
const STEM: usize = 4;

/// A ResNet of bottleneck blocks with its weights packed.
#[derive(Debug)]
pub(crate) struct PackedResNet {
    kernels: &'static Kernels,
    stem: Stem,
    n_stem: usize,
    blocks: Vec<Block>,
    /// Kept from call to call: allocating and zeroing them takes longer than a block.
    kept_buffers: Mutex<Vec<Buffers>>,
}

/// Everything that is written during a call.
#[derive(Debug)]
struct Buffers {
    side: usize,
    /// Most pictures of a group.
    group: usize,
    /// Inputs of 3x3 convolutions; blocks of equal shape share one.
    inputs: Vec<Conv3x3Input>,
    /// For each block, which of them it reads.
    input_of_block: Vec<usize>,
    /// The output of a 3x3 convolution.
    filtered: Buffer,
    /// Input and output of the blocks, in turns.
    maps: [Buffer; 2],
    /// For tiles that all threads compute together.
    shared: BlockBuffers,
    /// One for each thread.
    scratch: Vec<Scratch>,
}

impl PackedResNet {
    /// Packs the weights of a network of `shape` for `kernels`, one of [`available`](crate::conv::available), on `n_threads`
    /// threads. Batch norm is part of them: a layer is a weight, as PyTorch stores it, and a bias. `stem` is (n, 3, 7, 7).
    ///
    /// # Errors
    /// Unless the width is a multiple of 32 and all weights have the shapes that `shape` states.
    pub(crate) fn new(
        kernels: &'static Kernels,
        shape: &Shape,
        stem: LayerWeights<'_>,
        blocks: &[BlockWeights<'_>],
        n_threads: usize,
    ) -> Result<Self, Unsupported> {
        check(shape, stem, blocks)?;
        let block = |(shape, weights)| Block::new(shape, weights, kernels.operands, n_threads.max(1));
        Ok(Self {
            kernels,
            stem: Stem::new(stem),
            n_stem: shape.width,
            blocks: shape.block_shapes().into_iter().zip(blocks).map(block).collect(),
            kept_buffers: Mutex::new(Vec::new()),
        })
    }

    /// Computes the mean of each channel of the last map: xs (batch, 3, side, side) -> (batch, channels). The bits of a
    /// picture's means depend on the picture, the weights and the kernels alone.
    ///
    /// # Errors
    /// Unless the side is a multiple of 32 and xs has the stated shape.
    pub(crate) fn forward_means(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
    ) -> Result<Vec<f32>, Unsupported> {
        check_pictures(xs, batch, side, STRIDE)?;
        if batch == 0 {
            return Ok(Vec::new());
        }
        let n_threads = n_threads.max(1);
        let group = batch.div_ceil(batch.div_ceil(GROUP));
        let buffers = self.buffers(side, group, n_threads);
        let means = Buffer::zeroed(batch * self.n_out());
        ThreadGroup::run(n_threads, |threads, thread| {
            let len = COLOURS * side * side;
            for first in (0..batch).step_by(group) {
                let n_pictures = group.min(batch - first);
                let scratch = &buffers.scratch[thread];
                let pass = Pass { kernels: self.kernels, threads, n_pictures, scratch };
                self.run(&pass, &buffers, &xs[first * len..][..n_pictures * len], &means, first);
            }
        });
        self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        // SAFETY: all threads are done, the buffer is this long and every float was written.
        let means = unsafe { std::slice::from_raw_parts(means.at(0, means.len()), means.len()) };
        Ok(means.to_vec())
    }

    /// Channels of the last map.
    fn n_out(&self) -> usize {
        self.blocks[self.blocks.len() - 1].shape.n_out()
    }

    /// Computes this thread's share of xs (n_pictures, 3, side, side), whose means begin at picture `first`.
    fn run(&self, pass: &Pass<'_>, buffers: &Buffers, xs: &[f32], means: &Buffer, first: usize) {
        let mut side = buffers.side / STEM;
        let n_pixels = |side: usize| pass.n_pictures * side * side;
        let reduced = |block: usize| {
            let input = &buffers.inputs[*buffers.input_of_block.get(block)?];
            Some(Reduced { layer: &self.blocks[block].reduce, input })
        };
        let mut input = FlatMap::new(&buffers.maps[0], self.n_stem, n_pixels(side));
        if let Some(next) = reduced(0) {
            self.stem.run(pass, xs, buffers.side, input, &next);
        }
        for (i, block) in self.blocks.iter().enumerate() {
            let from = &buffers.inputs[buffers.input_of_block[i]];
            block.conv.run(pass, from, &buffers.filtered, &buffers.shared);
            side /= block.shape.stride;
            let to = FlatMap::new(&buffers.maps[(i + 1) % 2], block.shape.n_out(), n_pixels(side));
            let from = FlatMap::new(&buffers.filtered, block.shape.n_mid, n_pixels(side));
            block.expand(pass, &Expansion { from, input, to, side, next: reduced(i + 1) });
            input = to;
        }
        self.means(pass, input, side * side, means, first);
    }

    /// Computes this thread's share of the means of the last maps of `area` pixels.
    fn means(&self, pass: &Pass<'_>, map: FlatMap, area: usize, means: &Buffer, first: usize) {
        let n_out = self.n_out();
        while let Some(picture) = pass.threads.claim(pass.n_pictures) {
            let to = means.at((first + picture) * n_out, n_out);
            for line in 0..n_out / LINE {
                let mut sums = [0.0; LINE];
                for pixel in picture * area..(picture + 1) * area {
                    for lane in 0..LINE {
                        // SAFETY: a pixel of the map, which is complete.
                        sums[lane] += unsafe { *map.pixel(line, pixel).add(lane) };
                    }
                }
                for lane in 0..LINE {
                    // SAFETY: this thread alone writes the means of this picture.
                    unsafe { *to.add(line * LINE + lane) = sums[lane] / area as f32 };
                }
            }
        }
        pass.threads.end_stage();
    }

    /// Takes buffers that an earlier call left and that fit, or makes new ones.
    fn buffers(&self, side: usize, group: usize, n_threads: usize) -> Buffers {
        let mut kept = self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(old) = kept.pop() {
            if old.side == side && old.group >= group && old.scratch.len() >= n_threads {
                return old;
            }
        }
        drop(kept);
        self.new_buffers(side, group, n_threads)
    }

    fn new_buffers(&self, side: usize, group: usize, n_threads: usize) -> Buffers {
        let mut side_of_map = side / STEM;
        let mut inputs: Vec<Conv3x3Input> = Vec::new();
        let mut input_of_block = Vec::new();
        let mut room = Room::default();
        let mut map = FlatMap::len(self.n_stem, group * side_of_map * side_of_map);
        let mut filtered = 0;
        for block in &self.blocks {
            let n_mid = block.shape.n_mid;
            let same = |input: &Conv3x3Input| (input.map.channels, input.map.side) == (n_mid, side_of_map);
            let input = inputs.iter().position(same).unwrap_or_else(|| {
                inputs.push(Conv3x3Input::new(n_mid, side_of_map, group));
                inputs.len() - 1
            });
            input_of_block.push(input);
            for n_pictures in (1..=group).filter(|_| block.shape.winograd) {
                let n_tiles = n_pictures * inputs[input].map.n_tiles();
                let schedule = Schedule::new(n_mid, n_tiles, self.kernels);
                room.add(&schedule, (n_mid, n_mid), self.kernels.operands);
            }
            side_of_map /= block.shape.stride;
            let n_pixels = group * side_of_map * side_of_map;
            map = map.max(FlatMap::len(block.shape.n_out(), n_pixels));
            filtered = filtered.max(FlatMap::len(n_mid, n_pixels));
        }
        let (x, rows) = self.stem.scratch_len(side);
        let x = self.blocks.iter().map(Block::x_len).fold(x, usize::max);
        let scratch =
            || Scratch { winograd: room.scratch(0), x: Buffer::zeroed(x), rows: Buffer::zeroed(rows) };
        Buffers {
            side,
            group,
            inputs,
            input_of_block,
            filtered: Buffer::zeroed(filtered),
            maps: [Buffer::zeroed(map), Buffer::zeroed(map)],
            shared: room.shared(),
            scratch: (0..n_threads).map(|_| scratch()).collect(),
        }
    }
}
