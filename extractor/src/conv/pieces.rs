//! Pieces of some pixels, each of which one thread computes from input to output of a layer.

use std::ops::Range;

use super::memory::spread_pitch;
use super::packed::LINE;

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

/// Floats from 16 channels of a piece of at most `n` pixels to the next 16.
pub(super) fn pitch(n: usize) -> usize {
    spread_pitch(n * LINE)
}
