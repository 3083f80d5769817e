//! The whole network in one call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::flat_map::FlatMap;
use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::PackedPointwise;
use super::super::pictures::{COLOURS, check_pictures};
use super::super::threads::ThreadGroup;
use super::super::times::LayerTimes;
use super::super::unsupported::Unsupported;
use super::block::{Block, BlockWeights, Pass};
use super::head::{self, Output};
use super::shape::{BlockShape, STRIDE, Stage};
use super::stem::Stem;
use super::workspace::{Layouts, Workspace};
use crate::conv::winograd3x3::LayerWeights;

/// EfficientNet-Lite0, or another network of its kind, with its weights packed.
#[derive(Debug)]
pub(crate) struct PackedLite0 {
    kernels: &'static Kernels,
    stem: Stem,
    shapes: Vec<BlockShape>,
    blocks: Vec<Block>,
    head: PackedPointwise,
    /// Kept from call to call: allocating and zeroing them takes longer than a block.
    kept_buffers: Mutex<Vec<Buffers>>,
}

/// Everything that is written during a call, and the layouts of it.
#[derive(Debug)]
struct Buffers {
    side: usize,
    /// For pictures that one thread computes.
    alone: Layouts,
    /// For pictures that all threads compute together.
    together: Layouts,
    /// One for each thread.
    workspaces: Vec<Workspace>,
}

impl PackedLite0 {
    /// Packs the weights for `kernels`, one of [`available`](crate::conv::available). Batch norm is part of them: a layer
    /// is a weight, as PyTorch stores it, and a bias. `stem` is (n, 3, 3, 3), `head` (n_out, n_in, 1, 1); there is one of
    /// `blocks` for each repeat of each of `stages`.
    ///
    /// # Errors
    /// Unless the stem has a multiple of 32 channels; the first block alone does not expand; kernels are 3 or 5, strides 1
    /// or 2 and together 16; and all weights have the shapes that the stages state.
    pub(crate) fn new(
        kernels: &'static Kernels,
        stem: LayerWeights<'_>,
        stages: &[Stage],
        blocks: &[BlockWeights<'_>],
        head: LayerWeights<'_>,
    ) -> Result<Self, Unsupported> {
        let shapes = BlockShape::of_stages(stages, stem.1.len());
        super::check::network(stem, &shapes, blocks, head)?;
        Ok(Self {
            kernels,
            stem: Stem::new(stem),
            blocks: shapes.iter().zip(blocks).map(|(shape, weights)| Block::new(*shape, weights)).collect(),
            shapes,
            head: PackedPointwise::new(head),
            kept_buffers: Mutex::new(Vec::new()),
        })
    }

    /// Computes the last map: xs (batch, 3, side, side) -> (batch, channels, side / 32, side / 32). The bits of a picture's
    /// map depend on the picture, the weights and the kernels alone.
    ///
    /// # Errors
    /// Unless the side is a multiple of 32 and xs has the stated shape.
    pub(crate) fn forward(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
    ) -> Result<Vec<f32>, Unsupported> {
        self.compute(xs, batch, side, n_threads, Output::Map, None)
    }

    /// Computes the mean of each channel of the last map: xs (batch, 3, side, side) -> (batch, channels).
    ///
    /// # Errors
    /// As [`PackedLite0::forward`].
    pub(crate) fn forward_means(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
    ) -> Result<Vec<f32>, Unsupported> {
        self.compute(xs, batch, side, n_threads, Output::Means, None)
    }

    /// Measures how long the expansion (of the first block, the stem), the depthwise convolution and the projection of each
    /// block take, and last the head, on one thread.
    ///
    /// # Errors
    /// As [`PackedLite0::forward`].
    #[cfg_attr(not(test), expect(dead_code, reason = "a measurement"))]
    pub(crate) fn time_layers(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
    ) -> Result<Vec<Duration>, Unsupported> {
        let times = LayerTimes::new(3 * self.blocks.len() + 1);
        self.compute(xs, batch, side, 1, Output::Means, Some(&times))?;
        Ok(times.into_inner())
    }

    fn compute(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
        output: Output,
        times: Option<&LayerTimes>,
    ) -> Result<Vec<f32>, Unsupported> {
        check_pictures(xs, batch, side, STRIDE)?;
        let n_threads = n_threads.max(1);
        let buffers = self.buffers(side, n_threads);
        let n_pixels = (side / STRIDE) * (side / STRIDE);
        let features = Buffer::zeroed(batch * self.head.n_out() * output.len(n_pixels));
        let call = Call { network: self, buffers: &buffers, xs, output, features: &features, times };
        let n_alone = batch / n_threads * n_threads;
        ThreadGroup::run(n_threads, |threads, thread| {
            let own = &buffers.workspaces[thread];
            while let Some(picture) = threads.claim(n_alone) {
                ThreadGroup::run(1, |alone, _| call.compute(picture, alone, &buffers.alone, own, own));
            }
            threads.end_stage();
            for picture in n_alone..batch {
                call.compute(picture, threads, &buffers.together, own, &buffers.workspaces[0]);
            }
        });
        self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        // SAFETY: all threads are done, the buffer is this long and every float was written.
        let features = unsafe { std::slice::from_raw_parts(features.at(0, features.len()), features.len()) };
        Ok(features.to_vec())
    }

    /// Takes buffers that an earlier call left and that fit, or makes new ones.
    fn buffers(&self, side: usize, n_threads: usize) -> Buffers {
        let mut kept = self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(old) = kept.pop() {
            if old.side == side && old.workspaces.len() == n_threads {
                return old;
            }
        }
        drop(kept);
        let alone = Layouts::new(&self.shapes, side, 1);
        let together = Layouts::new(&self.shapes, side, n_threads);
        let workspaces = (0..n_threads).map(|_| Workspace::new(&[&alone, &together], side)).collect();
        Buffers { side, alone, together, workspaces }
    }
}

/// One call of the network: what its threads share.
struct Call<'a> {
    network: &'a PackedLite0,
    buffers: &'a Buffers,
    /// (batch, 3, side, side)
    xs: &'a [f32],
    output: Output,
    /// The output of all pictures.
    features: &'a Buffer,
    times: Option<&'a LayerTimes>,
}

impl Call<'_> {
    /// Computes this thread's share of a picture.
    fn compute(
        &self,
        picture: usize,
        threads: &ThreadGroup<'_>,
        layouts: &Layouts,
        own: &Workspace,
        shared: &Workspace,
    ) {
        let (network, side) = (self.network, self.buffers.side);
        let len = COLOURS * side * side;
        let mut from = FlatMap::new(&shared.maps[1], 0, 0); // the first block reads the picture
        let mut n_pixels = 0;
        for (i, (block, layout)) in network.blocks.iter().zip(&layouts.blocks).enumerate() {
            n_pixels = layout.side_after() * layout.side_after();
            let to = FlatMap::new(&shared.maps[i % 2], layout.shape.n_out, n_pixels);
            block.run(&Pass {
                kernels: network.kernels,
                threads,
                layout,
                picture: &self.xs[picture * len..][..len],
                stem: &network.stem,
                from,
                to,
                own,
                shared: &shared.filtered,
                times: self.times.map(|times| (times, 3 * i)),
            });
            from = to;
        }
        let kernels = (network.kernels, threads);
        head::run(&network.head, kernels, (from, n_pixels), own, self.output, self.features, picture);
        if let Some(times) = self.times {
            times.add_to(3 * network.blocks.len());
        }
    }
}
