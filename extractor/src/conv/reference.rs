//! The definition of the layers, in f64 and slow: the reference for the kernels.

use rayon::prelude::*;

use super::pointwise::Activation;

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
    /// Rows, and columns, of zeros above and on the left; as many are taken below and on the right as the weights reach.
    pub(super) before: usize,
    pub(super) activation: Activation,
}

impl Convolution<'_> {
    /// Computes xs (n_in, side, side) -> (n_out, side / stride, side / stride).
    pub(super) fn apply(&self, xs: &[f64], side: usize) -> Vec<f64> {
        let (n_out, after) = (self.bias.len(), side.div_ceil(self.stride));
        let before = self.before;
        let n_in = xs.len() / (side * side) / self.groups;
        let one_map = |o: usize| {
            let first = o / (n_out / self.groups) * n_in;
            let mut map = vec![f64::from(self.bias[o]); after * after];
            for c in 0..n_in {
                let x = &xs[(first + c) * side * side..][..side * side];
                for (dy, dx) in (0..self.kernel).flat_map(|dy| (0..self.kernel).map(move |dx| (dy, dx))) {
                    let w = f64::from(self.weight[((o * n_in + c) * self.kernel + dy) * self.kernel + dx]);
                    // Outputs whose input is inside the map.
                    let inside = |d: usize| {
                        let first = before.saturating_sub(d).div_ceil(self.stride);
                        let end = (side + before).saturating_sub(d).div_ceil(self.stride).min(after);
                        first.min(end)..end
                    };
                    let columns = inside(dx);
                    for y in inside(dy).filter(|_| !columns.is_empty()) {
                        let row = (y * self.stride + dy - before) * side;
                        let from =
                            x[row + columns.start * self.stride + dx - before..].iter().step_by(self.stride);
                        let sums = &mut map[y * after..][..after][columns.clone()];
                        sums.iter_mut().zip(from).for_each(|(sum, x)| *sum += w * x);
                    }
                }
            }
            let greatest = match self.activation {
                Activation::None => return map,
                Activation::Relu => f64::INFINITY,
                Activation::Relu6 => 6.0,
            };
            map.iter_mut().for_each(|y| *y = if y.is_nan() { *y } else { y.clamp(0.0, greatest) });
            map
        };
        (0..n_out).into_par_iter().flat_map_iter(one_map).collect()
    }
}

/// Computes x/2 (1 + erf(x/√2)). The terms of this series of the error function are all positive (Abramowitz and Stegun 7.1.6).
pub(super) fn gelu(x: f64) -> f64 {
    let z = x.abs().min(9.0) / std::f64::consts::SQRT_2;
    let (mut term, mut sum) = (z, 0.0);
    for n in 1.. {
        sum += term;
        if term <= 1e-17 * sum {
            break;
        }
        term *= 2.0 * z * z / f64::from(2 * n + 1);
    }
    let erf = (std::f64::consts::FRAC_2_SQRT_PI * (-z * z).exp() * sum).copysign(x);
    x / 2.0 * (1.0 + erf)
}

/// Normalises the channels of each pixel of xs (n, side, side), then scales and shifts them: (n, side, side).
pub(super) fn layer_norm(xs: &[f64], (scale, shift): (&[f32], &[f32]), epsilon: f64) -> Vec<f64> {
    let n_channels = scale.len();
    let area = xs.len() / n_channels;
    let mut out = vec![0.0; xs.len()];
    for pixel in 0..area {
        let channel = |c: usize| xs[c * area + pixel];
        let mean = (0..n_channels).map(channel).sum::<f64>() / n_channels as f64;
        let variance = (0..n_channels).map(|c| (channel(c) - mean).powi(2)).sum::<f64>() / n_channels as f64;
        for c in 0..n_channels {
            let normalised = (channel(c) - mean) / (variance + epsilon).sqrt();
            out[c * area + pixel] = normalised * f64::from(scale[c]) + f64::from(shift[c]);
        }
    }
    out
}
