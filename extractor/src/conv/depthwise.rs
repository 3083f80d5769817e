//! Depthwise convolutions: every channel has weights of its own, so lanes are channels in and out.
//!
//! A row of outputs is computed some at a time, by parts of a line that fit one register each: the sums, the
//! weights of a row and one input are then in registers, and each input is read once for all the outputs in
//! this row that it reaches.

use super::simd::Simd;

/// Most outputs that are computed together.
const MAX_OUTPUTS: usize = 8;

/// Writes `$body` out for each value of `$x`: the compiler does not unroll a loop of this length, and indices of registers
/// have to be constants.
macro_rules! for_each_literal {
    ($x:ident in $($value:literal)+ => $body:block) => {
        $({
            let $x: usize = $value;
            $body
        })+
    };
}

/// The arguments of one call: a row of outputs of 16 channels.
#[derive(Clone, Copy)]
pub(super) struct DepthwiseRow {
    /// `[kernel][..][16]`: the first input of the first output, the border included.
    pub(super) from: *const f32,
    /// Floats from one row of inputs to the next.
    pub(super) row_pitch: usize,
    /// Rows of the kernel.
    pub(super) kernel: usize,
    /// `[kernel * kernel][16]`
    pub(super) weights: *const f32,
    /// `[16]`
    pub(super) bias: *const f32,
    /// `[n][16]`
    pub(super) to: *mut f32,
    /// Outputs in the row.
    pub(super) n: usize,
}

/// Computes bias + sum of taps for a kernel of `K` x `K` and a stride of `D`, of that ReLU6 if `RELU6`.
///
/// # Safety
/// The pointers of `row` are valid for what it describes; and as [`Simd`].
#[inline(always)]
pub(super) unsafe fn convolve<S: Simd, const K: usize, const D: usize, const RELU6: bool>(
    row: &DepthwiseRow,
) {
    for part in (0..16).step_by(S::LANES) {
        // SAFETY: a part of each line of the row, which the caller vouches for.
        unsafe {
            let row = DepthwiseRow {
                from: row.from.add(part),
                weights: row.weights.add(part),
                bias: row.bias.add(part),
                to: row.to.add(part),
                ..*row
            };
            let mut first = 0;
            if row.n.is_multiple_of(7) && !row.n.is_multiple_of(MAX_OUTPUTS) {
                first = outputs::<S, K, D, 7, RELU6>(&row, first);
            }
            first = outputs::<S, K, D, MAX_OUTPUTS, RELU6>(&row, first);
            first = outputs::<S, K, D, 4, RELU6>(&row, first);
            outputs::<S, K, D, 1, RELU6>(&row, first);
        }
    }
}

/// Computes outputs from `first`, `R` at a time, as long as so many are left; gives the first that is not computed.
///
/// # Safety
/// As [`convolve`], for one part of the lines.
#[inline(always)]
unsafe fn outputs<S: Simd, const K: usize, const D: usize, const R: usize, const RELU6: bool>(
    row: &DepthwiseRow,
    mut first: usize,
) -> usize {
    while first + R <= row.n {
        // SAFETY: outputs of the row and the inputs that reach them, which the caller vouches for.
        unsafe {
            let mut sums = [S::load(row.bias); R];
            let mut from = row.from.add(first * D * 16);
            let mut weights = row.weights;
            // Not a constant: written out, the rows would be mixed and the sums would leave the registers.
            for _ in 0..row.kernel {
                add_row::<S, K, D, R>(from, weights, &mut sums);
                from = from.wrapping_add(row.row_pitch);
                weights = weights.add(K * 16);
            }
            for r in 0..R {
                let y = if RELU6 { S::relu6(sums[r]) } else { sums[r] };
                S::store(row.to.add((first + r) * 16), y);
            }
        }
        first += R;
    }
    first
}

/// Adds one row of taps to `R` outputs.
///
/// # Safety
/// As [`outputs`].
#[inline(always)]
unsafe fn add_row<S: Simd, const K: usize, const D: usize, const R: usize>(
    from: *const f32,
    weights: *const f32,
    sums: &mut [S::V; R],
) {
    // SAFETY: as the caller.
    unsafe {
        let mut taps = [S::zero(); K];
        for dx in 0..K {
            taps[dx] = S::load(weights.add(dx * 16));
        }
        for_each_literal!(x in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 => {
            if x < (R - 1) * D + K {
                let input = S::load(from.add(x * 16));
                for dx in 0..K {
                    // Output r is reached by inputs r D .. r D + K, in this order.
                    if x >= dx && (x - dx).is_multiple_of(D) && (x - dx) / D < R {
                        sums[(x - dx) / D] = S::fma(input, taps[dx], sums[(x - dx) / D]);
                    }
                }
            }
        });
    }
}
