//! The memory layout of the maps.

use super::super::memory::spread_pitch;
use super::super::packed::LINE;
use super::shape::KERNEL;

/// Rows, and columns, of zeros on each side of a map.
pub(super) const BORDER: usize = KERNEL / 2;

/// Activations of one picture: `[channels/16][rows][columns][16]` with a border. Its cells are zero when the buffer is made
/// and no kernel writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Map {
    /// Channels, a multiple of 16.
    pub(super) channels: usize,
    /// Rows, and columns, of pixels.
    pub(super) side: usize,
}

impl Map {
    /// Pixels of a picture.
    pub(super) fn area(&self) -> usize {
        self.side * self.side
    }

    /// Lines of 16 channels.
    pub(super) fn n_lines(&self) -> usize {
        self.channels / LINE
    }

    /// Floats from a row to the next.
    pub(super) fn row_pitch(&self) -> usize {
        (self.side + 2 * BORDER) * LINE
    }

    /// Floats from 16 channels to the next 16.
    pub(super) fn line_pitch(&self) -> usize {
        spread_pitch((self.side + 2 * BORDER) * self.row_pitch())
    }

    /// Floats of one picture.
    pub(super) fn len(&self) -> usize {
        self.n_lines() * self.line_pitch()
    }

    /// Offset of a pixel in the first 16 channels, rows and columns counted with the border.
    pub(super) fn pixel(&self, y: usize, x: usize) -> usize {
        y * self.row_pitch() + x * LINE
    }

    /// Offsets of the pixels of `n_pictures` pictures, one after the other, in their first 16 channels.
    pub(super) fn offsets(&self, n_pictures: usize) -> Vec<u32> {
        let offset = |pixel: usize| {
            let (picture, y, x) = (pixel / self.area(), pixel % self.area() / self.side, pixel % self.side);
            (picture * self.len() + self.pixel(y + BORDER, x + BORDER)) as u32
        };
        (0..n_pictures * self.area()).map(offset).collect()
    }
}
