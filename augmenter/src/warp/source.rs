//! The source picture, prepared for sampling.

use std::borrow::Cow;

use image::RgbImage;

use crate::transform::Size;

/// Bytes per pixel.
pub(super) const CHANNELS: usize = 3;

/// A picture to make copies of.
#[derive(Debug, Clone)]
pub struct Source {
    /// R G B, row by row.
    pixels: Vec<u8>,
    size: Size,
}

impl From<RgbImage> for Source {
    fn from(picture: RgbImage) -> Self {
        let size = Size::new(picture.width(), picture.height());
        Self { pixels: picture.into_raw(), size }
    }
}

impl Source {
    /// Returns the size of the picture.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Returns the picture with half of the width, half of the height, or both: every pixel is the mean of the two
    /// or four that it covers. An odd last column or row counts twice.
    pub(super) fn halved(&self, across: bool, down: bool) -> Self {
        let Size { width, height } = self.size;
        let size = Size::new(
            if across { width.div_ceil(2) } else { width },
            if down { height.div_ceil(2) } else { height },
        );
        let stride = width as usize * CHANNELS;
        let line = |row: u32| &self.pixels[row as usize * stride..][..stride];
        let mut pixels = Vec::with_capacity(padded_len(size));
        // Means of a row and the one below it, then of a pixel and the one to its right. Only every second of these
        // means is needed, but computing all of them is faster.
        let mut sums = vec![0u16; stride + CHANNELS];
        let mut means = vec![0u8; size.width as usize * 2 * CHANNELS];
        for row in 0..size.height {
            let upper = if down { 2 * row } else { row };
            let lower = if down { (upper + 1).min(height - 1) } else { row };
            for ((sum, a), b) in sums.iter_mut().zip(line(upper)).zip(line(lower)) {
                *sum = u16::from(*a) + u16::from(*b);
            }
            // Wrapping operations, because overflow checks prevent vectorisation.
            if across {
                sums.copy_within(stride - CHANNELS..stride, stride);
                for ((mean, left), right) in means.iter_mut().zip(&sums).zip(&sums[CHANNELS..]) {
                    *mean = (left.wrapping_add(*right).wrapping_add(2) >> 2) as u8;
                }
                let (pairs, _) = means.as_chunks::<{ 2 * CHANNELS }>();
                pixels.extend(pairs.iter().flat_map(|pair| [pair[0], pair[1], pair[2]]));
            } else {
                pixels.extend(sums[..stride].iter().map(|sum| (sum.wrapping_add(1) >> 1) as u8));
            }
        }
        Self { pixels, size }
    }
}

/// A picture with padding after its last row, so that the right and the lower neighbour of every pixel can be
/// loaded as eight bytes.
#[derive(Debug)]
pub(super) struct Padded {
    /// R G B, row by row, then zeros.
    pub(super) pixels: Vec<u8>,
    /// Size without the padding.
    pub(super) size: Size,
}

impl Padded {
    pub(super) fn new(source: Cow<Source>) -> Self {
        let size = source.size;
        let mut pixels = match source {
            Cow::Owned(source) => source.pixels,
            Cow::Borrowed(source) => {
                let mut pixels = Vec::with_capacity(padded_len(size));
                pixels.extend_from_slice(&source.pixels);
                pixels
            }
        };
        pixels.resize(padded_len(size), 0);
        Self { pixels, size }
    }
}

fn padded_len(size: Size) -> usize {
    let stride = size.width as usize * CHANNELS;
    stride * (size.height as usize + 1) + size_of::<u64>()
}
