//! Weights in the order in which the kernels read them.

use super::super::memory::Buffer;
use super::super::pointwise::Pointwise;
use crate::conv::winograd3x3::LayerWeights;

/// Channels of a line.
pub(super) const LINE: usize = 16;

/// Copies `values`, `n` for each channel, into `[channels/16][n][16]`, with zeros for channels that fill the last line.
pub(super) fn in_lines(values: &[f32], n: usize) -> Buffer {
    let n_channels = values.len() / n;
    let mut packed = vec![0.0; n_channels.next_multiple_of(LINE) * n];
    for (channel, values) in values.chunks_exact(n).enumerate() {
        for (i, value) in values.iter().enumerate() {
            packed[(channel / LINE * n + i) * LINE + channel % LINE] = *value;
        }
    }
    Buffer::from_slice(&packed)
}

/// A 1x1 convolution.
#[derive(Debug)]
pub(super) struct PackedPointwise {
    n_in: usize,
    n_out: usize,
    /// `[n_out/16][n_in][16]`
    weights: Buffer,
    /// `[n_out/16][16]`
    bias: Buffer,
}

impl PackedPointwise {
    /// Packs weight (n_out, n_in, 1, 1) and bias (n_out).
    pub(super) fn new((weight, bias): LayerWeights<'_>) -> Self {
        let n_out = bias.len();
        let n_in = weight.len() / n_out;
        Self { n_in, n_out, weights: in_lines(weight, n_in), bias: in_lines(bias, 1) }
    }

    /// Channels out.
    pub(super) fn n_out(&self) -> usize {
        self.n_out
    }

    /// Lines of 16 channels out.
    pub(super) fn n_lines(&self) -> usize {
        self.n_out.div_ceil(LINE)
    }

    /// The arguments for one line of channels out of `n` pixels, next to each other in `x` and in `to`, without residual or
    /// ReLU6.
    pub(super) fn product(
        &self,
        line: usize,
        x: *const f32,
        x_pitch: usize,
        n: usize,
        to: *mut f32,
    ) -> Pointwise {
        Pointwise {
            x,
            x_pitch,
            n_in: self.n_in,
            weights: self.weights.at(line * self.n_in * LINE, self.n_in * LINE),
            bias: self.bias.at(line * LINE, LINE),
            n,
            to,
            offsets: std::ptr::null(),
            residual: std::ptr::null(),
            relu6: false,
            narrow: self.n_out - line * LINE <= LINE / 2,
        }
    }
}
