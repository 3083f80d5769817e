//! What lies outside the source.

/// How points outside the source are filled; the names and the meaning are those of
/// `scipy.ndimage`, on which Keras builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// `aaaa|abcd|dddd`.
    Nearest,
    /// `kkkk|abcd|kkkk`, cut hard at the centres of the outermost pixels.
    Constant([u8; 3]),
    /// `dcba|abcd|dcba`.
    Reflect,
    /// `bcdb|abcd|bcab`: scipy's `wrap`, where the last pixel and the first are the same point, so that
    /// the period is one less than the size. (Its `grid-wrap`, which Keras has not, differs.)
    Wrap,
}

/// Source coordinates are fixed-point numbers with this many fractional bits.
pub(super) const FRACTION_BITS: u32 = 32;
/// One pixel.
pub(super) const ONE: i64 = 1 << FRACTION_BITS;

/// The coordinate of the last of `n` pixels.
#[inline(always)]
pub(super) fn last(n: u32) -> i64 {
    i64::from(n - 1) * ONE
}

/// [`Fill::Nearest`]: the coordinate in [0, n - 1] that stands for `at`.
#[inline(always)]
pub(super) fn nearest(at: i64, n: u32) -> i64 {
    at.clamp(0, last(n))
}

/// [`Fill::Reflect`]: the coordinate in [0, n - 1] that stands for `at`.
#[inline(always)]
pub(super) fn reflect(at: i64, n: u32) -> i64 {
    if (0..=last(n)).contains(&at) {
        return at;
    }
    // The mirrors stand at -0.5 and n - 0.5; between a pixel and its own image nothing changes.
    let period = 2 * i64::from(n) * ONE;
    let phase = (at + ONE / 2).rem_euclid(period);
    (phase.min(period - phase) - ONE / 2).clamp(0, last(n))
}

/// [`Fill::Wrap`]: the coordinate in [0, n - 1] that stands for `at`.
#[inline(always)]
pub(super) fn wrap(at: i64, n: u32) -> i64 {
    let period = last(n);
    if (0..=period).contains(&at) {
        at
    } else if period == 0 {
        0
    } else if at < 0 {
        at + period * (-at / period + 1)
    } else {
        at % period
    }
}
