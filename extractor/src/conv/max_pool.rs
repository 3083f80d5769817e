//! The maximum of each 3x3 values with stride 2, of values of at least 0: a border of zeros changes nothing.

use super::simd::Simd;

/// The arguments of one call: a row of outputs of 16 channels.
#[derive(Clone, Copy)]
pub(super) struct PoolRow {
    /// `[3][..][16]`: the first input of the first output, the border included.
    pub(super) from: *const f32,
    /// Floats from one row of inputs to the next.
    pub(super) row_pitch: usize,
    /// `[n][16]`
    pub(super) to: *mut f32,
    /// Outputs in the row.
    pub(super) n: usize,
}

/// Computes the row; an output is NaN if one of its inputs is.
///
/// # Safety
/// The pointers of `row` are valid for what it describes; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn pool<S: Simd>(row: &PoolRow) {
    for part in 0..row.n * 16 / S::LANES {
        let (output, lane) = (part * S::LANES / 16, part * S::LANES % 16);
        // SAFETY: inputs and outputs of the row, which the caller vouches for.
        unsafe {
            let from = row.from.add(output * 32 + lane);
            let mut greatest = S::load(from);
            for input in 1..9 {
                let at = from.add(input / 3 * row.row_pitch + input % 3 * 16);
                greatest = S::max(greatest, S::load(at));
            }
            S::store(row.to.add(output * 16 + lane), greatest);
        }
    }
}
