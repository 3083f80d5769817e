//! A picture made ready to be read at any point.

use image::RgbImage;

use crate::transform::Size;

/// Bytes of a pixel.
pub(super) const CHANNELS: usize = 3;

/// A picture's pixels, padded so that the right and the lower neighbour of every pixel can be loaded
/// as eight bytes.
#[derive(Debug, Clone)]
pub struct Source {
    /// R G B, row by row, then the padding.
    pub(super) pixels: Vec<u8>,
    /// Without the padding.
    pub(super) size: Size,
}

impl From<RgbImage> for Source {
    fn from(picture: RgbImage) -> Self {
        let size = Size::new(picture.width(), picture.height());
        let mut pixels = picture.into_raw();
        pixels.resize(padded_len(size), 0);
        Self { pixels, size }
    }
}

impl Source {
    /// Pixels across and down.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Half as wide, half as high, or both: every pixel is the mean of the two or four that it covers.
    /// An odd last column or row counts twice.
    pub(super) fn halved(&self, across: bool, down: bool) -> Self {
        let Size { width, height } = self.size;
        let size = Size::new(
            if across { width.div_ceil(2) } else { width },
            if down { height.div_ceil(2) } else { height },
        );
        let stride = width as usize * CHANNELS;
        let line = |row: u32| &self.pixels[row as usize * stride..][..stride];
        let mut pixels = Vec::with_capacity(padded_len(size));
        let mut sums = vec![0u16; stride + CHANNELS];
        for row in 0..size.height {
            let upper = if down { 2 * row } else { row };
            let lower = if down { (upper + 1).min(height - 1) } else { row };
            for ((sum, a), b) in sums.iter_mut().zip(line(upper)).zip(line(lower)) {
                *sum = u16::from(*a) + u16::from(*b);
            }
            if across {
                sums.copy_within(stride - CHANNELS..stride, stride);
                let (pairs, _) = sums.as_chunks::<{ 2 * CHANNELS }>();
                // Wrapping, because the checks of the others keep this from being vectorised.
                let mean = |pair: &[u16; 2 * CHANNELS], c: usize| {
                    (pair[c].wrapping_add(pair[c + CHANNELS]).wrapping_add(2) >> 2) as u8
                };
                pixels.extend(pairs.iter().flat_map(|pair| [mean(pair, 0), mean(pair, 1), mean(pair, 2)]));
            } else {
                pixels.extend(sums[..stride].iter().map(|sum| (sum.wrapping_add(1) >> 1) as u8));
            }
        }
        pixels.resize(padded_len(size), 0);
        Self { pixels, size }
    }
}

fn padding(size: Size) -> usize {
    size.width as usize * CHANNELS + size_of::<u64>()
}

fn padded_len(size: Size) -> usize {
    size.width as usize * size.height as usize * CHANNELS + padding(size)
}
