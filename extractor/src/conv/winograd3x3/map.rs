//! The memory layout of pixels and tiles.

use super::super::memory::spread_pitch;
use super::winograd::TILE;

/// Activations of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conv) struct Map {
    /// Channels, a multiple of 16.
    pub(in crate::conv) channels: usize,
    /// Rows, and columns, of pixels.
    pub(in crate::conv) side: usize,
    layout: Layout,
}

/// How activations lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `[pictures][channels / 16][rows][columns][16]`, with a border of zeros around the pixels and up to whole tiles on the
    /// right and below, so that no tile is a special case. Border cells are zero when the buffer is made and no kernel
    /// writes them.
    Bordered,
    /// `[channels / 16][pictures][rows][columns][16]` for so many pictures, which no 3x3 convolution reads.
    Flat(usize),
}

impl Map {
    /// A map that is the input of a 3x3 convolution.
    pub(in crate::conv) fn bordered(channels: usize, side: usize) -> Self {
        Self { channels, side, layout: Layout::Bordered }
    }

    /// A map of `n_pictures` pictures, laid out as [`FlatMap`](crate::conv::flat_map::FlatMap) has it.
    pub(in crate::conv) fn flat(channels: usize, side: usize, n_pictures: usize) -> Self {
        Self { channels, side, layout: Layout::Flat(n_pictures) }
    }

    /// Tiles along a side.
    pub(super) fn tiles_aside(&self) -> usize {
        self.side.div_ceil(TILE)
    }

    /// Tiles of one picture.
    pub(in crate::conv) fn n_tiles(&self) -> usize {
        self.tiles_aside() * self.tiles_aside()
    }

    /// Rows, and columns, with the border.
    fn padded(&self) -> usize {
        self.tiles_aside() * TILE + 2
    }

    /// Floats from a row to the next.
    pub(in crate::conv) fn row_pitch(&self) -> usize {
        match self.layout {
            Layout::Bordered => self.padded() * 16,
            Layout::Flat(_) => self.side * 16,
        }
    }

    /// Floats from 16 channels to the next 16.
    pub(in crate::conv) fn block_pitch(&self) -> usize {
        match self.layout {
            Layout::Bordered => self.padded() * self.row_pitch(),
            Layout::Flat(n_pictures) => spread_pitch(n_pictures * self.picture_pitch()),
        }
    }

    /// Floats from a picture to the next.
    pub(in crate::conv) fn picture_pitch(&self) -> usize {
        match self.layout {
            Layout::Bordered => self.len(),
            Layout::Flat(_) => self.side * self.row_pitch(),
        }
    }

    /// Floats from the first of a picture to its last.
    pub(in crate::conv) fn len(&self) -> usize {
        match self.layout {
            Layout::Bordered => self.channels / 16 * self.block_pitch(),
            Layout::Flat(_) => (self.channels / 16 - 1) * self.block_pitch() + self.picture_pitch(),
        }
    }

    /// Offset of a pixel in the first 16 channels, rows and columns counted with the border.
    pub(in crate::conv) fn pixel(&self, y: usize, x: usize) -> usize {
        match self.layout {
            Layout::Bordered => y * self.row_pitch() + x * 16,
            Layout::Flat(_) => (y - 1) * self.row_pitch() + (x - 1) * 16,
        }
    }
}

/// Tiles cut into equal blocks of whole panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::conv) struct Blocks {
    /// Tiles in all.
    pub(super) n_tiles: usize,
    /// Tiles in a panel.
    pub(super) rows: usize,
    /// Panels in a block.
    pub(super) panels: usize,
}

impl Blocks {
    /// Divides the tiles into blocks of about `wanted` tiles at most, of panels of at most `max_rows`.
    pub(super) fn new(n_tiles: usize, wanted: usize, max_rows: usize) -> Self {
        let n_blocks = n_tiles.div_ceil(wanted);
        let block = n_tiles.div_ceil(n_blocks);
        let panels = block.div_ceil(max_rows);
        Self { n_tiles, rows: block.div_ceil(panels), panels }
    }

    /// Does the same as [`Blocks::new`], with an even number of panels or one.
    pub(super) fn in_pairs(n_tiles: usize, wanted: usize, max_rows: usize) -> Self {
        let n_blocks = n_tiles.div_ceil(wanted);
        let block = n_tiles.div_ceil(n_blocks);
        let panels = if block <= max_rows { 1 } else { 2 * block.div_ceil(2 * max_rows) };
        Self { n_tiles, rows: block.div_ceil(panels), panels }
    }

    /// Tiles in a block, the last of which may be partly empty.
    pub(super) fn tiles(&self) -> usize {
        self.rows * self.panels
    }

    /// Number of blocks.
    pub(super) fn n(&self) -> usize {
        self.n_tiles.div_ceil(self.tiles())
    }

    /// Gives the first tile of a block and the one after its last.
    pub(super) fn range(&self, block: usize) -> (usize, usize) {
        (block * self.tiles(), ((block + 1) * self.tiles()).min(self.n_tiles))
    }
}
