//! Filling of the area outside the source.

/// The filling of points outside the source; names and meaning are those of `scipy.ndimage`, which Keras uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// `aaaa|abcd|dddd`.
    Nearest,
    /// `kkkk|abcd|kkkk`, with a hard edge at the centres of the outermost pixels.
    Constant([u8; 3]),
    /// `dcba|abcd|dcba`.
    Reflect,
    /// `bcdb|abcd|bcab`: scipy's `wrap`, in which the last and the first pixel are the same point, so that
    /// the period is one less than the size. (scipy's `grid-wrap`, which Keras does not have, differs.)
    Wrap,
}

/// Number of fractional bits of source coordinates, which are fixed-point numbers.
pub(super) const FRACTION_BITS: u32 = 32;
/// One pixel.
pub(super) const ONE: i64 = 1 << FRACTION_BITS;

/// Returns the coordinate of the last of `n` pixels.
#[inline(always)]
pub(super) fn last(n: u32) -> i64 {
    i64::from(n - 1) * ONE
}

/// Maps `at` into [0, n - 1] by [`Fill::Nearest`].
#[inline(always)]
pub(super) fn nearest(at: i64, n: u32) -> i64 {
    at.clamp(0, last(n))
}

/// Maps `at` into [0, n - 1] by [`Fill::Reflect`].
#[inline(always)]
pub(super) fn reflect(at: i64, n: u32) -> i64 {
    if (0..=last(n)).contains(&at) {
        return at;
    }
    // The picture is mirrored at -0.5 and n - 0.5; between a pixel and its mirror image the value is constant.
    let period = 2 * i64::from(n) * ONE;
    let phase = (at + ONE / 2).rem_euclid(period);
    (phase.min(period - phase) - ONE / 2).clamp(0, last(n))
}

/// Maps `at` into [0, n - 1] by [`Fill::Wrap`].
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
