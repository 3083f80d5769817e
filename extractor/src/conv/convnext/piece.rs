//! Pieces of some pixels, each of which one thread computes from input to output of a layer.

use std::ops::Range;

use super::super::kernels::Kernels;
use super::super::memory::{Buffer, spread_pitch};
use super::super::packed::LINE;
use super::super::pointwise::MAX_CHANNELS;
use super::super::threads::ThreadGroup;
use super::map::Map;

/// Most pixels of a piece: more would not make better use of the weights that are read for each piece.
const MAX_PIXELS: usize = 112;
/// Most floats of a piece of a map: with as many of its output, and 256 channels between them, it stays in a second cache
/// of 512 KB.
const MAX_FLOATS: usize = 38_400;
/// With fewer pieces for each thread their number is a multiple of that of the threads.
const MANY: usize = 8;

/// Pixels of some pictures, cut into pieces whose sizes differ by one at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    n_pixels: usize,
    /// Number of pieces.
    pub(super) n: usize,
}

impl Pieces {
    /// Most pixels of a piece of a map of `channels`.
    pub(super) fn max_pixels(channels: usize) -> usize {
        (MAX_FLOATS / channels).clamp(1, MAX_PIXELS)
    }

    /// Divides `n_pixels` pixels of `channels` channels among `n_threads` threads.
    pub(super) fn new(n_pixels: usize, channels: usize, n_threads: usize) -> Self {
        let fewest = n_pixels.div_ceil(Self::max_pixels(channels));
        let n = if fewest < MANY * n_threads { fewest.next_multiple_of(n_threads) } else { fewest };
        Self { n_pixels, n: n.min(n_pixels) }
    }

    /// The pixels of a piece.
    pub(super) fn range(&self, piece: usize) -> Range<usize> {
        self.n_pixels * piece / self.n..self.n_pixels * (piece + 1) / self.n
    }
}

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

/// Floats from 16 channels of a piece of at most `n` pixels to the next 16.
pub(super) fn pitch(n: usize) -> usize {
    spread_pitch(n * LINE)
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

    /// The address of the first 16 channels, in line `line` of the channels, of the picture from which offsets are counted.
    pub(super) fn line(map: &Map, buffer: &Buffer, line: usize) -> *mut f32 {
        buffer.at(line * map.line_pitch(), map.line_pitch())
    }
}
