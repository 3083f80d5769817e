//! What threads are given to compute their pieces of a layer.

use std::ops::Range;

use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::LINE;
use super::super::pieces::{Pieces, pitch};
use super::super::pointwise::MAX_CHANNELS;
use super::super::threads::ThreadGroup;
use super::map::Map;

/// What one thread writes while it computes a piece.
#[derive(Debug)]
pub(super) struct Scratch {
    /// The input of 1x1 convolutions: `[channels/16][pixels][16]`.
    pub(super) x: Buffer,
    /// The same for channels that are computed from it.
    pub(super) hidden: Buffer,
}

impl Scratch {
    /// Allocates enough for pieces of `maps`; 1x1 convolutions have up to `inputs` channels in for each of their channels out.
    pub(super) fn new(maps: &[Map], inputs: usize) -> Self {
        let most = |channels: &dyn Fn(&Map) -> usize| {
            let len = |map: &Map| channels(map).div_ceil(LINE) * pitch(Pieces::max_pixels(map.channels));
            maps.iter().map(len).max().unwrap_or(0)
        };
        Self {
            x: Buffer::zeroed(most(&|map| inputs * map.channels)),
            hidden: Buffer::zeroed(most(&|map| map.channels.max(MAX_CHANNELS))),
        }
    }
}

/// What a layer is computed from and to.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) kernels: &'static Kernels,
    pub(super) threads: &'a ThreadGroup<'a>,
    pub(super) n_pictures: usize,
    pub(super) from: &'a Buffer,
    pub(super) from_map: Map,
    pub(super) to: &'a Buffer,
    pub(super) to_map: Map,
    /// Of the pixels of `to`.
    pub(super) offsets: &'a [u32],
    /// The memory of this thread.
    pub(super) scratch: &'a Scratch,
}

impl Pass<'_> {
    /// Computes this thread's share of the pieces of the output.
    pub(super) fn for_each_piece(&self, compute: impl Fn(Range<usize>)) {
        let n_pixels = self.n_pictures * self.to_map.area();
        let pieces = Pieces::new(n_pixels, self.to_map.channels, self.threads.n_threads());
        while let Some(piece) = self.threads.claim(pieces.n) {
            compute(pieces.range(piece));
        }
        self.threads.end_stage();
    }

    /// Gives the address of line `line` of the channels of the first picture, from which the offsets of pixels are counted.
    pub(super) fn line(map: &Map, buffer: &Buffer, line: usize) -> *mut f32 {
        buffer.at(line * map.line_pitch(), map.line_pitch())
    }
}
