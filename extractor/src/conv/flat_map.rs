//! Maps whose next reader is a 1x1 convolution.

use super::memory::{Buffer, spread_pitch};
use super::packed::LINE;

/// A map without a border: `[channels/16][pixels][16]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlatMap {
    /// The first pixel.
    pub(super) at: *mut f32,
    /// Floats from 16 channels to the next 16.
    pub(super) pitch: usize,
}

impl FlatMap {
    /// Floats of a map of `channels`, any number, and `n` pixels.
    pub(super) fn len(channels: usize, n: usize) -> usize {
        channels.div_ceil(LINE) * spread_pitch(n * LINE)
    }

    /// The map of `channels` and `n` pixels at the beginning of `buffer`.
    pub(super) fn new(buffer: &Buffer, channels: usize, n: usize) -> Self {
        Self { at: buffer.at(0, Self::len(channels, n)), pitch: spread_pitch(n * LINE) }
    }

    /// The address of pixel `pixel` in line `line` of the channels.
    ///
    /// # Safety
    /// They are inside the map.
    pub(super) unsafe fn pixel(&self, line: usize, pixel: usize) -> *mut f32 {
        // SAFETY: the contract is the caller's.
        unsafe { self.at.add(line * self.pitch + pixel * LINE) }
    }
}
