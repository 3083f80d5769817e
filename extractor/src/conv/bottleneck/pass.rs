//! What threads are given to compute their share of a layer.

use super::super::flat_map::FlatMap;
use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise};
use super::super::pointwise::{Activation, Pointwise};
use super::super::threads::ThreadGroup;
use super::super::winograd3x3::map::Map;
use super::super::winograd3x3::schedule;

/// What one thread writes while it computes its share.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) winograd: schedule::Scratch,
    /// The input of 1x1 convolutions that was gathered: `[channels/16][pixels][16]`.
    pub(super) x: Buffer,
    /// Rows of the stem's convolution.
    pub(super) rows: Buffer,
}

/// What all layers are given.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) kernels: &'static Kernels,
    pub(super) threads: &'a ThreadGroup<'a>,
    pub(super) n_pictures: usize,
    /// The memory of this thread.
    pub(super) scratch: &'a Scratch,
}

/// The input of a 3x3 convolution, and the 1x1 convolution before it.
#[derive(Clone, Copy)]
pub(super) struct Reduced<'a> {
    pub(super) layer: &'a PackedPointwise,
    pub(super) input: &'a Conv3x3Input,
}

/// The maps that a 3x3 convolution reads.
#[derive(Debug)]
pub(super) struct Conv3x3Input {
    /// With a border.
    pub(super) map: Map,
    /// Some pictures.
    pub(super) buffer: Buffer,
    /// Where the pixels of the pictures are, in the first 16 channels.
    offsets: Vec<u32>,
}

impl Conv3x3Input {
    /// Allocates maps of `n_pictures` pictures.
    pub(super) fn new(channels: usize, side: usize, n_pictures: usize) -> Self {
        let map = Map::bordered(channels, side);
        let area = side * side;
        let offset = |pixel: usize| {
            let (picture, y, x) = (pixel / area, pixel % area / side, pixel % side);
            (picture * map.picture_pitch() + map.pixel(y + 1, x + 1)) as u32
        };
        let offsets = (0..n_pictures * area).map(offset).collect();
        Self { map, buffer: Buffer::zeroed(n_pictures * map.len()), offsets }
    }
}

impl Reduced<'_> {
    /// Computes max(0, y) of `n` pixels of `from` from pixel `first`.
    ///
    /// # Safety
    /// This thread wrote the pixels, or a barrier lies between; it alone writes them in the input of the 3x3 convolution. The
    /// kernels are of a table that this machine can run.
    pub(super) unsafe fn run(&self, kernels: &Kernels, from: FlatMap, first: usize, n: usize) {
        let Conv3x3Input { map, buffer, offsets } = self.input;
        for line in 0..map.channels / LINE {
            let start = line * map.block_pitch();
            let to = buffer.at(start, buffer.len() - start);
            // SAFETY: the pixels are inside the maps; else as the caller.
            unsafe {
                (kernels.pointwise)(&Pointwise {
                    offsets: offsets[first..first + n].as_ptr(),
                    activation: Activation::Relu,
                    ..self.layer.product(line, from.pixel(0, first), from.pitch, n, to)
                });
            }
        }
    }
}
