//! The definition of the convolution, in f64 and slow: the reference for the kernels.

use rayon::prelude::*;

/// Computes max(0, bias + 3x3 convolution with a border of zeros), and the maximum of each 2x2 if `pooled`:
/// xs (n_in, side, side), weight (n_out, n_in, 3, 3) -> (n_out, side, side) or half of it aside.
pub(crate) fn convolve(xs: &[f64], side: usize, weight: &[f32], bias: &[f32], pooled: bool) -> Vec<f64> {
    let (n_out, n_in) = (bias.len(), xs.len() / (side * side));
    let wide = side + 2;
    let mut padded = vec![0.0; n_in * wide * wide];
    for (row, pixels) in xs.chunks(side).enumerate() {
        let start = (row / side * wide + row % side + 1) * wide + 1;
        padded[start..start + side].copy_from_slice(pixels);
    }
    let one_map = |o: usize| {
        let mut map = vec![f64::from(bias[o]); side * side];
        for tap in 0..n_in * 9 {
            let (c, dy, dx) = (tap / 9, tap / 3 % 3, tap % 3);
            let w = f64::from(weight[o * n_in * 9 + tap]);
            for y in 0..side {
                let from = &padded[(c * wide + y + dy) * wide + dx..][..side];
                for (sum, x) in map[y * side..][..side].iter_mut().zip(from) {
                    *sum += w * x;
                }
            }
        }
        map.iter_mut().for_each(|y| *y = y.max(0.0));
        if !pooled {
            return map;
        }
        let greatest = |i: usize| {
            let corner = i / (side / 2) * 2 * side + i % (side / 2) * 2;
            [0, 1, side, side + 1].into_iter().map(|d| map[corner + d]).fold(0.0, f64::max)
        };
        (0..side * side / 4).map(greatest).collect()
    };
    (0..n_out).into_par_iter().flat_map(one_map).collect()
}
