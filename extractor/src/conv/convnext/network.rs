//! The whole network in one call.

use std::sync::{Mutex, PoisonError};

use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::LINE;
use super::super::pictures::{COLOURS, check_pictures};
use super::super::threads::ThreadGroup;
use super::super::unsupported::Unsupported;
use super::block::Block;
use super::downsample::Downsample;
use super::map::{BORDER, Map};
use super::pass::{Pass, Scratch};
use super::shape::{DOWNSAMPLE, STEM, STRIDE, Shape};
use super::stem::Stem;
use super::weights::{StageWeights, StemWeights, check};

/// Most pictures that are computed together: the last stage of a picture has few pixels for as many weights.
const GROUP: usize = 8;

/// A ConvNeXt with its weights packed.
#[derive(Debug)]
pub(crate) struct PackedConvNext {
    kernels: &'static Kernels,
    stem: Stem,
    stages: Vec<Stage>,
    /// Kept from call to call: allocating and zeroing them takes longer than a block.
    kept_buffers: Mutex<Vec<Buffers>>,
}

#[derive(Debug)]
struct Stage {
    channels: usize,
    downsample: Option<Downsample>,
    blocks: Vec<Block>,
}

/// Everything that is written during a call.
#[derive(Debug)]
struct Buffers {
    side: usize,
    /// Most pictures of a group.
    group: usize,
    /// One for each stage.
    maps: Vec<StageMaps>,
    /// One for each thread.
    scratch: Vec<Scratch>,
}

/// Input and output of the blocks of a stage, in turns.
#[derive(Debug)]
struct StageMaps {
    map: Map,
    buffers: [Buffer; 2],
    /// Of the pixels of a group.
    offsets: Vec<u32>,
}

impl PackedConvNext {
    /// Packs the weights of a network of `shape` for `kernels`, one of [`available`](crate::conv::available).
    ///
    /// # Errors
    /// Unless channels are multiples of 16 and all weights have the shapes that `shape` states.
    pub(crate) fn new(
        kernels: &'static Kernels,
        shape: &Shape,
        stem: &StemWeights<'_>,
        stages: &[StageWeights<'_>],
    ) -> Result<Self, Unsupported> {
        check(shape, stem, stages)?;
        let stage = |(weights, &channels): (&StageWeights<'_>, &usize)| Stage {
            channels,
            downsample: weights.downsample.map(|(norm, conv)| Downsample::new(norm, conv)),
            blocks: weights.blocks.iter().map(Block::new).collect(),
        };
        Ok(Self {
            kernels,
            stem: Stem::new(stem),
            stages: stages.iter().zip(&shape.channels).map(stage).collect(),
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
        let group = batch.div_ceil(batch.div_ceil(GROUP));
        let buffers = self.buffers(side, group, n_threads.max(1));
        let n_out = self.stages[self.stages.len() - 1].channels;
        let means = Buffer::zeroed(batch * n_out);
        ThreadGroup::run(n_threads.max(1), |threads, thread| {
            for first in (0..batch).step_by(group) {
                let n_pictures = group.min(batch - first);
                let len = COLOURS * side * side;
                let xs = &xs[first * len..][..n_pictures * len];
                let call =
                    Call { network: self, buffers: &buffers, threads, scratch: &buffers.scratch[thread] };
                call.run(xs, n_pictures, &means, first);
            }
        });
        self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        // SAFETY: all threads are done, the buffer is this long and every float was written.
        let means = unsafe { std::slice::from_raw_parts(means.at(0, means.len()), means.len()) };
        Ok(means.to_vec())
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
        let mut side_of_map = side / STEM;
        let mut stage_maps = Vec::new();
        for stage in &self.stages {
            let map = Map { channels: stage.channels, side: side_of_map };
            let buffer = || Buffer::zeroed(group * map.len());
            stage_maps.push(StageMaps { map, buffers: [buffer(), buffer()], offsets: map.offsets(group) });
            side_of_map /= DOWNSAMPLE;
        }
        let maps: Vec<Map> = stage_maps.iter().map(|stage| stage.map).collect();
        let inputs = DOWNSAMPLE * DOWNSAMPLE;
        let scratch = (0..n_threads).map(|_| Scratch::new(&maps, inputs)).collect();
        Buffers { side, group, maps: stage_maps, scratch }
    }
}

/// One thread's part of a call.
struct Call<'a> {
    network: &'a PackedConvNext,
    buffers: &'a Buffers,
    threads: &'a ThreadGroup<'a>,
    scratch: &'a Scratch,
}

impl Call<'_> {
    /// Computes this thread's share of xs (n_pictures, 3, side, side), whose means begin at picture `first`.
    fn run(&self, xs: &[f32], n_pictures: usize, means: &Buffer, first: usize) {
        let mut last: Option<(&Buffer, Map)> = None;
        for (stage, maps) in self.network.stages.iter().zip(&self.buffers.maps) {
            let pass = |from: (_, Map), to| Pass {
                kernels: self.network.kernels,
                threads: self.threads,
                n_pictures,
                from: from.0,
                from_map: from.1,
                to,
                to_map: maps.map,
                offsets: &maps.offsets,
                scratch: self.scratch,
            };
            let [mut input, mut output] = maps.buffers.each_ref();
            match (&stage.downsample, last) {
                (Some(downsample), Some(last)) => downsample.run(&pass(last, input)),
                _ => self.network.stem.run(&pass((output, maps.map), input), xs),
            }
            for block in &stage.blocks {
                block.run(&pass((input, maps.map), output));
                (input, output) = (output, input);
            }
            last = Some((input, maps.map));
        }
        if let Some((buffer, map)) = last {
            self.means(buffer, &map, n_pictures, means, first);
        }
    }

    /// Computes this thread's share of the means of the last maps.
    fn means(&self, buffer: &Buffer, map: &Map, n_pictures: usize, means: &Buffer, first: usize) {
        while let Some(picture) = self.threads.claim(n_pictures) {
            let from = buffer.at(picture * map.len(), map.len());
            let to = means.at((first + picture) * map.channels, map.channels);
            for line in 0..map.n_lines() {
                let mut sums = [0.0; LINE];
                for pixel in 0..map.area() {
                    let (y, x) = (pixel / map.side, pixel % map.side);
                    let at = line * map.line_pitch() + map.pixel(y + BORDER, x + BORDER);
                    for lane in 0..LINE {
                        // SAFETY: a pixel of the map, which is complete.
                        sums[lane] += unsafe { *from.add(at + lane) };
                    }
                }
                for lane in 0..LINE {
                    // SAFETY: this thread alone writes the means of this picture.
                    unsafe { *to.add(line * LINE + lane) = sums[lane] / map.area() as f32 };
                }
            }
        }
        self.threads.end_stage();
    }
}
