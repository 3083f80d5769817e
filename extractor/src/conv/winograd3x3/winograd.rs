//! Winograd's F(4x4, 3x3): sixteen outputs of a 3x3 convolution for 36 multiplications a channel pair
//! instead of 144.
//!
//! Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A, with d the 6x6 input, g the 3x3 weights and Y the 4x4 output. The
//! matrices are those of Cook and Toom for the points 0, ±1/√2, ±√2 and infinity: with these the rounding
//! error is about 2.5 times that of a direct convolution, with the usual 0, ±1, ±2 about 6 times.
//! Element `xi = 6 row + column` of the 6x6 products is computed by a matrix product over the channels.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::super::simd::Simd;

/// Outputs along a side of a tile.
pub(in crate::conv) const TILE: usize = 4;
/// Inputs along a side of a tile.
pub(in crate::conv) const SPAN: usize = TILE + 2;
/// Products of a tile, and so the number of matrix products of a layer.
pub(in crate::conv) const N_XI: usize = SPAN * SPAN;

/// G: a point p of the polynomial of the weights, divided by Π (p - q) over the other points q.
const G: [[f64; 3]; SPAN] = [
    [1.0, 0.0, 0.0],
    [-1.0 / 1.5, -FRAC_1_SQRT_2 / 1.5, -0.5 / 1.5],
    [-1.0 / 1.5, FRAC_1_SQRT_2 / 1.5, -0.5 / 1.5],
    [1.0 / 6.0, SQRT_2 / 6.0, 2.0 / 6.0],
    [1.0 / 6.0, -SQRT_2 / 6.0, 2.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// G g Gᵀ of one 3x3 filter, in f64 and rounded once.
pub(in crate::conv) fn transform_filter(filter: &[f32]) -> [f32; N_XI] {
    let mut rows = [[0.0; 3]; SPAN]; // G g
    for (row, point) in rows.iter_mut().zip(&G) {
        for (x, out) in row.iter_mut().enumerate() {
            *out = (0..3).map(|y| point[y] * f64::from(filter[y * 3 + x])).sum();
        }
    }
    let mut out = [0.0; N_XI];
    for (xi, out) in out.iter_mut().enumerate() {
        let (row, point) = (rows[xi / SPAN], G[xi % SPAN]);
        *out = (0..3).map(|x| row[x] * point[x]).sum::<f64>() as f32;
    }
    out
}

/// Bᵀ x for six vectors.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn bt<S: Simd>(x: [S::V; SPAN]) -> [S::V; SPAN] {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe {
        let (root, half_root) = (S::splat(SQRT_2 as f32), S::splat(FRAC_1_SQRT_2 as f32));
        let a = S::fma(x[2], S::splat(-2.0), x[4]);
        let b = S::fma(x[3], half_root, S::mul(x[1], S::splat(-SQRT_2 as f32)));
        let c = S::fma(x[2], S::splat(-0.5), x[4]);
        let d = S::fma(x[3], root, S::mul(x[1], S::splat(-FRAC_1_SQRT_2 as f32)));
        [
            S::fma(x[2], S::splat(-2.5), S::add(x[0], x[4])),
            S::add(a, b),
            S::sub(a, b),
            S::add(c, d),
            S::sub(c, d),
            S::fma(x[3], S::splat(-2.5), S::add(x[1], x[5])),
        ]
    }
}

/// Aᵀ m for six vectors.
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn at<S: Simd>(m: [S::V; SPAN]) -> [S::V; TILE] {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe {
        let (near_sum, near) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (far_sum, far) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        let (root, half_root) = (S::splat(SQRT_2 as f32), S::splat(FRAC_1_SQRT_2 as f32));
        let (near_cubed, far_cubed) =
            (S::splat((0.5 * FRAC_1_SQRT_2) as f32), S::splat((2.0 * SQRT_2) as f32));
        [
            S::add(m[0], S::add(near_sum, far_sum)),
            S::fma(far, root, S::mul(near, half_root)),
            S::fma(far_sum, S::splat(2.0), S::mul(near_sum, S::splat(0.5))),
            S::fma(far, far_cubed, S::fma(near, near_cubed, m[5])),
        ]
    }
}

/// Neighbouring tiles of one row of tiles, 16 channels: where to read pixels, where to put Bᵀ d B.
#[derive(Clone, Copy)]
pub(in crate::conv) struct InputRun {
    /// Top left pixel of the first tile, halo included; the next tile is 4 pixels to the right.
    pub(in crate::conv) from: *const f32,
    /// Floats from one row of pixels to the next.
    pub(in crate::conv) row_pitch: usize,
    /// Product 0 of the first tile; the next tile's is 16 floats on.
    pub(in crate::conv) to: *mut f32,
    /// Floats from one product to the next.
    pub(in crate::conv) xi_pitch: usize,
    /// Number of tiles.
    pub(in crate::conv) n: usize,
}

/// Bᵀ of the six pixels in column `x` of the run.
///
/// # Safety
/// As [`input`].
#[inline(always)]
unsafe fn column<S: Simd>(run: &InputRun, x: usize) -> [S::V; SPAN] {
    // SAFETY: inside the run, which the caller vouches for.
    unsafe {
        let mut pixels = [S::zero(); SPAN];
        for y in 0..SPAN {
            pixels[y] = S::load(run.from.add(y * run.row_pitch + x * 16));
        }
        bt::<S>(pixels)
    }
}

/// Transforms the tiles of `run`. Neighbours share two columns of pixels, whose first half is kept.
///
/// # Safety
/// The pointers of `run` are valid for what it describes; and as [`Simd`].
#[inline(always)]
pub(in crate::conv) unsafe fn input<S: Simd>(run: &InputRun) {
    // SAFETY: inside the run, which the caller vouches for.
    unsafe {
        let mut columns = [[S::zero(); SPAN]; SPAN]; // Bᵀ d, column by column
        columns[4] = column::<S>(run, 0);
        columns[5] = column::<S>(run, 1);
        for tile in 0..run.n {
            columns[0] = columns[4];
            columns[1] = columns[5];
            for x in 2..SPAN {
                columns[x] = column::<S>(run, tile * TILE + x);
            }
            let to = run.to.add(tile * 16);
            for y in 0..SPAN {
                let row = [
                    columns[0][y],
                    columns[1][y],
                    columns[2][y],
                    columns[3][y],
                    columns[4][y],
                    columns[5][y],
                ];
                let row = bt::<S>(row);
                for x in 0..SPAN {
                    S::store(to.add((y * SPAN + x) * run.xi_pitch), row[x]);
                }
            }
        }
    }
}

/// Neighbouring tiles of one row of tiles, 32 channels: where the products are, where the pixels go.
#[derive(Clone, Copy)]
pub(in crate::conv) struct OutputRun {
    /// Product 0 of the first tile; the next tile's is 32 floats on.
    pub(in crate::conv) from: *const f32,
    /// Floats from one product to the next.
    pub(in crate::conv) xi_pitch: usize,
    /// 32 biases.
    pub(in crate::conv) bias: *const f32,
    /// Top left pixel of the first tile.
    pub(in crate::conv) to: *mut f32,
    /// Floats from one row of pixels to the next.
    pub(in crate::conv) row_pitch: usize,
    /// Floats from the first 16 channels to the second.
    pub(in crate::conv) block_pitch: usize,
    /// Number of tiles.
    pub(in crate::conv) n: usize,
    /// Rows of pixels from the top of the tiles to the end of the map before pooling.
    pub(in crate::conv) n_rows: usize,
    /// Columns of pixels from the left of the first tile to the end of the map before pooling.
    pub(in crate::conv) n_columns: usize,
    /// Keep the maximum of each 2x2.
    pub(in crate::conv) pooled: bool,
}

/// max(0, v + bias).
///
/// # Safety
/// As [`Simd`].
#[inline(always)]
unsafe fn finish<S: Simd>(v: S::V, bias: S::V) -> S::V {
    // SAFETY: arithmetic of `S`, which the caller may use.
    unsafe { S::relu(S::add(v, bias)) }
}

/// max(0, Aᵀ m A + bias), pooled or not. Pixels outside the map are not written.
///
/// # Safety
/// The pointers of `run` are valid for what it describes; and as [`Simd`].
#[inline(always)]
pub(in crate::conv) unsafe fn output<S: Simd>(run: &OutputRun) {
    // SAFETY: inside the run, which the caller vouches for.
    unsafe {
        for tile in 0..run.n {
            let n_columns = run.n_columns - tile * TILE;
            let clipped = run.n_rows < TILE || n_columns < TILE;
            for block in 0..2 {
                let from = run.from.add(tile * 32 + block * 16);
                let bias = S::load(run.bias.add(block * 16));
                let mut half = [[S::zero(); SPAN]; TILE]; // Aᵀ m
                for x in 0..SPAN {
                    let mut products = [S::zero(); SPAN];
                    for y in 0..SPAN {
                        products[y] = S::load(from.add((y * SPAN + x) * run.xi_pitch));
                    }
                    let column = at::<S>(products);
                    for y in 0..TILE {
                        half[y][x] = column[y];
                    }
                }
                let to = run.to.add(block * run.block_pitch);
                if run.pooled {
                    for y in 0..TILE / 2 {
                        let (upper, lower) = (at::<S>(half[2 * y]), at::<S>(half[2 * y + 1]));
                        for x in 0..TILE / 2 {
                            let v = S::max(
                                S::max(upper[2 * x], upper[2 * x + 1]),
                                S::max(lower[2 * x], lower[2 * x + 1]),
                            );
                            if !clipped || (2 * y < run.n_rows && 2 * x < n_columns) {
                                let pixel = tile * TILE / 2 + x;
                                S::store(to.add(y * run.row_pitch + pixel * 16), finish::<S>(v, bias));
                            }
                        }
                    }
                } else {
                    for y in 0..TILE {
                        let row = at::<S>(half[y]);
                        for x in 0..TILE {
                            if !clipped || (y < run.n_rows && x < n_columns) {
                                let pixel = tile * TILE + x;
                                S::store(to.add(y * run.row_pitch + pixel * 16), finish::<S>(row[x], bias));
                            }
                        }
                    }
                }
            }
        }
    }
}
