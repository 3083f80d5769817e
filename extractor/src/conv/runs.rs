//! Ranges of tiles or of pixels, cut where a row ends.

/// Neighbouring tiles, or pixels, in one row of one picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run {
    /// Picture.
    pub(super) picture: usize,
    /// Row of tiles.
    pub(super) y: usize,
    /// Column of the first tile.
    pub(super) x: usize,
    /// Number of the first tile, counted from the beginning of the range that was cut up.
    pub(super) first: usize,
    /// Number of tiles.
    pub(super) n: usize,
}

/// Divides the tiles (or pixels) `start..end` of pictures of `aside` x `aside` tiles, counted row by row and picture by
/// picture, where a row of tiles ends and where a panel of `panel` tiles, counted from `origin`, ends.
pub(super) fn runs(
    origin: usize,
    start: usize,
    end: usize,
    aside: usize,
    panel: usize,
) -> impl Iterator<Item = Run> {
    let mut next = start;
    std::iter::from_fn(move || {
        if next >= end {
            return None;
        }
        let (row, x) = (next / aside, next % aside);
        let first = next - origin;
        let n = (aside - x).min(panel - first % panel).min(end - next);
        next += n;
        Some(Run { picture: row / aside, y: row % aside, x, first, n })
    })
}
