//! How the tiles of a layer are divided among threads, and the buffers between its input and its output.

use super::super::kernels::{Kernels, Operands};
use super::super::memory::{Buffer, spread_pitch};
use super::super::threads::ThreadGroup;
use super::map::{Blocks, Map};
use super::split;
use super::winograd::N_XI;

/// Output channels that are computed together.
pub(super) const CHUNK: usize = 32;
/// Up to so many channels in, a thread computes its tiles from input to output.
const PRIVATE_CHANNELS: usize = 128;
/// Up to so many channels in, the weights of a layer stay in the second cache (885 KB split, 64 to 64).
const NEAR_CHANNELS: usize = 64;
/// Tiles of a private block whose weights are near: V of 64 channels takes 516 KB.
const NEAR_TILES: usize = 56;
/// Tiles where all weights come from the third cache again for each block. Floats are multiplied slowly
/// enough that V and M in the second cache are worth more; a split block should be large.
const FAR_TILES: usize = 28;
const FAR_TILES_SPLIT: usize = 112;
/// Tiles of a shared block: the more, the less often the weights are read; V and M take 14 MB each at 512
/// channels.
const SHARED_TILES: usize = 196;

/// The buffers of a block of tiles between its input and its output.
#[derive(Debug)]
pub(super) struct BlockBuffers {
    /// Transformed input, `[36][panels][c/16][rows][16]`.
    pub(super) v: Buffer,
    /// Products, `[chunks][36][tiles][32]`.
    pub(super) m: Buffer,
}

/// The buffers that one thread has for itself.
#[derive(Debug)]
pub(super) struct Scratch {
    /// For blocks that this thread computes from input to output.
    pub(super) block: BlockBuffers,
    /// V of one xi, split: `[panels][c/32][3][16][32]` of bfloat16; empty where floats are multiplied.
    pub(super) split: Buffer,
    /// Rows of a picture with a border of zeros.
    pub(super) rows: Buffer,
}

/// The arguments of one layer for some pictures.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) kernels: &'static Kernels,
    pub(super) threads: &'a ThreadGroup<'a>,
    pub(super) n_pictures: usize,
    pub(super) from: &'a Buffer,
    pub(super) from_map: Map,
    /// The first picture of `from` to compute.
    pub(super) from_picture: usize,
    pub(super) to: &'a Buffer,
    pub(super) to_map: Map,
    /// The picture of `to` where the first result goes.
    pub(super) to_picture: usize,
}

/// How the tiles of a layer are divided among threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Schedule {
    /// A thread takes a block of tiles from input to output; the weights are read again for each block. For
    /// few channels.
    Private(Blocks),
    /// All threads transform a block together, then each takes products of all its tiles for one xi, then
    /// all transform back: weights, V and M each pass once through the third cache. For many channels.
    Shared(Blocks),
}

impl Schedule {
    /// Chooses a schedule for `n_tiles` tiles of `channels` channels.
    pub(super) fn new(channels: usize, n_tiles: usize, kernels: &Kernels) -> Self {
        let (blocks, far): (fn(usize, usize, usize) -> Blocks, _) = match kernels.operands {
            Operands::Floats => (Blocks::new, FAR_TILES),
            Operands::Split => (Blocks::in_pairs, FAR_TILES_SPLIT),
        };
        let blocks = |wanted| blocks(n_tiles, wanted, kernels.max_rows);
        if channels <= NEAR_CHANNELS {
            Self::Private(blocks(NEAR_TILES))
        } else if channels <= PRIVATE_CHANNELS {
            Self::Private(blocks(far))
        } else {
            Self::Shared(blocks(SHARED_TILES))
        }
    }

    /// The blocks of tiles.
    pub(super) fn blocks(&self) -> &Blocks {
        match self {
            Self::Private(blocks) | Self::Shared(blocks) => blocks,
        }
    }

    /// Floats of V for a layer of `n_in` channels.
    pub(super) fn v_len(&self, n_in: usize) -> usize {
        N_XI * spread_pitch(self.blocks().tiles() * n_in)
    }

    /// Floats of M for a layer of `n_out` channels.
    pub(super) fn m_len(&self, n_out: usize) -> usize {
        n_out / CHUNK * N_XI * spread_pitch(self.blocks().tiles() * CHUNK)
    }

    /// Floats of one xi of V, split.
    pub(super) fn split_len(&self, n_in: usize, operands: Operands) -> usize {
        match operands {
            Operands::Floats => 0,
            Operands::Split => operands.floats(self.blocks().panels * split::ROWS * n_in),
        }
    }
}
