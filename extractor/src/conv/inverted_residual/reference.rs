//! The definition of the layers, in f64 and slow: the reference for the kernels.

use rayon::prelude::*;

/// A convolution as frameworks describe it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution<'a> {
    /// (n_out, n_in / groups, kernel, kernel)
    pub(super) weight: &'a [f32],
    /// (n_out)
    pub(super) bias: &'a [f32],
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// 1, or the number of channels.
    pub(super) groups: usize,
    pub(super) relu6: bool,
}

impl Convolution<'_> {
    /// Computes xs (n_in, side, side) -> (n_out, side / stride, side / stride), with TensorFlow's SAME padding.
    pub(super) fn apply(&self, xs: &[f64], side: usize) -> Vec<f64> {
        let (n_out, after) = (self.bias.len(), side.div_ceil(self.stride));
        let padding = ((after - 1) * self.stride + self.kernel).saturating_sub(side);
        let before = padding / 2;
        let n_in = xs.len() / (side * side) / self.groups;
        let one_map = |o: usize| {
            let first = o / (n_out / self.groups) * n_in;
            let mut map = vec![f64::from(self.bias[o]); after * after];
            for c in 0..n_in {
                let x = &xs[(first + c) * side * side..][..side * side];
                for (dy, dx) in (0..self.kernel).flat_map(|dy| (0..self.kernel).map(move |dx| (dy, dx))) {
                    let w = f64::from(self.weight[((o * n_in + c) * self.kernel + dy) * self.kernel + dx]);
                    for (i, sum) in map.iter_mut().enumerate() {
                        let (y, x0) = (i / after * self.stride + dy, i % after * self.stride + dx);
                        if (before..before + side).contains(&y) && (before..before + side).contains(&x0) {
                            *sum += w * x[(y - before) * side + x0 - before];
                        }
                    }
                }
            }
            if self.relu6 {
                map.iter_mut().for_each(|y| *y = if y.is_nan() { *y } else { y.clamp(0.0, 6.0) });
            }
            map
        };
        (0..n_out).into_par_iter().flat_map_iter(one_map).collect()
    }
}
