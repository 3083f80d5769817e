//! The memory that is written during a call.

use super::super::flat_map::FlatMap;
use super::super::memory::{Buffer, spread_pitch};
use super::super::packed::LINE;
use super::shape::BlockShape;
use super::stem::Stem;

/// Floats of the filtered rows that a piece of a block should have: with the piece of the expanded map and the
/// weights it stays in a second cache of 512 KB.
const PIECE: usize = 60_000;
/// Up to so many floats a filtered map is not cut into pieces: the rows that neighbouring pieces share, which are
/// expanded twice, would cost more.
const WHOLE: usize = 200_000;

/// How a block is computed for maps of one side.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) shape: BlockShape,
    /// Side of the depthwise input.
    pub(super) side: usize,
    /// Rows of the filtered map in a piece, which one thread computes from input to output; all rows if the threads share
    /// the channels.
    pub(super) piece_rows: usize,
    /// Where the expansion writes the pixels of a piece, from the first pixel of its first row.
    pub(super) offsets: Vec<u32>,
}

impl Layout {
    fn new(shape: BlockShape, side: usize, n_threads: usize) -> Self {
        let after = side / shape.stride;
        let filtered = shape.n_mid * after * after;
        let piece_rows = if shape.expanded && filtered <= WHOLE {
            after
        } else {
            let n_pieces = filtered.div_ceil(PIECE).next_multiple_of(n_threads);
            after.div_ceil(n_pieces)
        };
        let wide = shape.wide(side);
        let n_pixels = shape.rows_for(piece_rows).min(side) * side;
        let offset = |pixel: usize| (pixel / side * wide + pixel % side) * LINE;
        let offsets =
            if shape.expanded { (0..n_pixels).map(|p| offset(p) as u32).collect() } else { Vec::new() };
        Self { shape, side, piece_rows, offsets }
    }

    /// Side of the filtered map.
    pub(super) fn side_after(&self) -> usize {
        self.side / self.shape.stride
    }

    /// Pieces of the filtered map.
    pub(super) fn n_pieces(&self) -> usize {
        self.side_after().div_ceil(self.piece_rows)
    }

    /// Pixels of a filtered piece.
    pub(super) fn piece_pixels(&self) -> usize {
        self.piece_rows * self.side_after()
    }

    /// Floats from a row of the expanded piece to the next.
    pub(super) fn row_pitch(&self) -> usize {
        self.shape.wide(self.side) * LINE
    }

    /// Floats from 16 channels of the expanded piece to the next 16.
    pub(super) fn expanded_pitch(&self) -> usize {
        spread_pitch(self.shape.rows_for(self.piece_rows) * self.row_pitch())
    }
}

/// The layouts of all blocks for pictures of `side` that `n_threads` threads compute together.
#[derive(Debug)]
pub(super) struct Layouts {
    pub(super) blocks: Vec<Layout>,
}

impl Layouts {
    pub(super) fn new(shapes: &[BlockShape], side: usize, n_threads: usize) -> Self {
        let mut side = side / 2;
        let mut layout = |shape: &BlockShape| {
            let layout = Layout::new(*shape, side, n_threads);
            side = layout.side_after();
            layout
        };
        Self { blocks: shapes.iter().map(&mut layout).collect() }
    }
}

/// What one thread writes; of threads that compute a picture together, the maps and the filtered map are the first one's.
#[derive(Debug)]
pub(super) struct Workspace {
    /// Input and output of the blocks, in turns.
    pub(super) maps: [Buffer; 2],
    /// The filtered map or a piece of it.
    pub(super) filtered: Buffer,
    /// A piece of the expanded map, 16 channels or, from the stem, 32: `[rows][columns][16]` with a border.
    pub(super) expanded: Buffer,
    /// Rows of a picture.
    pub(super) rows: Buffer,
}

impl Workspace {
    /// Allocates enough for each of `layouts`, whose pictures have `side`.
    pub(super) fn new(layouts: &[&Layouts], side: usize) -> Self {
        let (mut map, mut filtered, mut expanded, mut rows) = (0, 0, 0, 0);
        for layout in layouts.iter().flat_map(|layouts| &layouts.blocks) {
            let (shape, after) = (&layout.shape, layout.side_after());
            map = map.max(FlatMap::len(shape.n_out, after * after));
            filtered = filtered.max(FlatMap::len(shape.n_mid, layout.piece_pixels()));
            expanded = expanded.max(layout.expanded_pitch() * if shape.expanded { 1 } else { 2 });
            expanded = expanded.max(after * after * LINE); // for the head
            if !shape.expanded {
                rows = rows.max(Stem::rows_len(shape.rows_for(layout.piece_rows), side));
            }
        }
        Self {
            maps: [Buffer::zeroed(map), Buffer::zeroed(map)],
            filtered: Buffer::zeroed(filtered),
            expanded: Buffer::zeroed(expanded),
            rows: Buffer::zeroed(rows),
        }
    }
}
