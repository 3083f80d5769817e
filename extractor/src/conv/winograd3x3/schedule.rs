//! How the tiles of a layer are divided among threads, and the buffers between its input and its output.

use super::super::kernels::{Kernels, Operands};
use super::super::memory::{Buffer, spread_pitch};
use super::super::threads::ThreadGroup;
use super::map::{Blocks, Map};
use super::split;
use super::winograd::N_XI;

/// Output channels that are computed together.
pub(in crate::conv) const CHUNK: usize = 32;
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
pub(in crate::conv) struct BlockBuffers {
    /// Transformed input, `[36][panels][c/16][rows][16]`.
    pub(in crate::conv) v: Buffer,
    /// Products, `[chunks][36][tiles][32]`.
    pub(in crate::conv) m: Buffer,
}

/// The buffers that one thread has for itself.
#[derive(Debug)]
pub(in crate::conv) struct Scratch {
    /// For blocks that this thread computes from input to output.
    pub(in crate::conv) block: BlockBuffers,
    /// V of one xi, split: `[panels][c/32][3][16][32]` of bfloat16; empty where floats are multiplied.
    pub(in crate::conv) split: Buffer,
    /// Rows of a picture with a border of zeros.
    pub(in crate::conv) rows: Buffer,
}

/// The arguments of one layer for some pictures.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Pass<'a> {
    pub(in crate::conv) kernels: &'static Kernels,
    pub(in crate::conv) threads: &'a ThreadGroup<'a>,
    pub(in crate::conv) n_pictures: usize,
    pub(in crate::conv) from: &'a Buffer,
    pub(in crate::conv) from_map: Map,
    /// The first picture of `from` to compute.
    pub(in crate::conv) from_picture: usize,
    pub(in crate::conv) to: &'a Buffer,
    pub(in crate::conv) to_map: Map,
    /// The picture of `to` where the first result goes.
    pub(in crate::conv) to_picture: usize,
}

/// How the tiles of a layer are divided among threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conv) enum Schedule {
    /// A thread takes a block of tiles from input to output; the weights are read again for each block. For
    /// few channels.
    Private(Blocks),
    /// All threads transform a block together, then each takes products of all its tiles for one xi, then
    /// all transform back: weights, V and M each pass once through the third cache. For many channels.
    Shared(Blocks),
}

impl Schedule {
    /// Chooses a schedule for `n_tiles` tiles of `channels` channels.
    pub(in crate::conv) fn new(channels: usize, n_tiles: usize, kernels: &Kernels) -> Self {
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
    pub(in crate::conv) fn blocks(&self) -> &Blocks {
        match self {
            Self::Private(blocks) | Self::Shared(blocks) => blocks,
        }
    }

    /// Floats of V for a layer of `n_in` channels.
    pub(in crate::conv) fn v_len(&self, n_in: usize) -> usize {
        N_XI * spread_pitch(self.blocks().tiles() * n_in)
    }

    /// Floats of M for a layer of `n_out` channels.
    pub(in crate::conv) fn m_len(&self, n_out: usize) -> usize {
        n_out / CHUNK * N_XI * spread_pitch(self.blocks().tiles() * CHUNK)
    }

    /// Floats of one xi of V, split.
    pub(in crate::conv) fn split_len(&self, n_in: usize, operands: Operands) -> usize {
        match operands {
            Operands::Floats => 0,
            Operands::Split => operands.floats(self.blocks().panels * split::ROWS * n_in),
        }
    }
}

/// The most that some layers need of the buffers.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::conv) struct Room {
    /// Floats of V and M.
    private: (usize, usize),
    shared: (usize, usize),
    split: usize,
}

impl Room {
    /// Makes room for a layer of `n_in` channels in and `n_out` out that is computed by `schedule`.
    pub(in crate::conv) fn add(
        &mut self,
        schedule: &Schedule,
        (n_in, n_out): (usize, usize),
        operands: Operands,
    ) {
        let (v, m) = match schedule {
            Schedule::Private(_) => &mut self.private,
            Schedule::Shared(_) => &mut self.shared,
        };
        *v = schedule.v_len(n_in).max(*v);
        *m = schedule.m_len(n_out).max(*m);
        self.split = schedule.split_len(n_in, operands).max(self.split);
    }

    /// Allocates the buffers of blocks that all threads compute together.
    pub(in crate::conv) fn shared(&self) -> BlockBuffers {
        BlockBuffers { v: Buffer::zeroed(self.shared.0), m: Buffer::zeroed(self.shared.1) }
    }

    /// Allocates the buffers of one thread, with `rows` floats for rows of pictures.
    pub(in crate::conv) fn scratch(&self, rows: usize) -> Scratch {
        let block = BlockBuffers { v: Buffer::zeroed(self.private.0), m: Buffer::zeroed(self.private.1) };
        Scratch { block, split: Buffer::zeroed(self.split), rows: Buffer::zeroed(rows) }
    }
}
