//! Weights in the order in which the kernels read them.

use std::ops::Range;

use super::memory::Buffer;
use super::pointwise::{Activation, Pointwise, channel_blocks};
use super::unsupported::Unsupported;
use super::winograd3x3::LayerWeights;

/// Channels of a line.
pub(super) const LINE: usize = 16;

/// Checks that a layer has `n_out` channels out, at least one, of `n` weights each.
pub(super) fn check_layer(
    name: &str,
    (weight, bias): LayerWeights<'_>,
    n_out: usize,
    n: usize,
) -> Result<(), Unsupported> {
    if n_out == 0 || n == 0 || bias.len() != n_out || weight.len() != n_out * n {
        return Err(Unsupported::new(format!(
            "{name}: {} weights and {} biases, expected {n_out} times {n} weights and {n_out} biases",
            weight.len(),
            bias.len()
        )));
    }
    Ok(())
}

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

/// Puts weight (n_out, n_in, area) into the order of a 1x1 convolution whose inputs are all channels of the first tap, then
/// of the second and so on: (n_out, area, n_in).
pub(super) fn by_tap(weight: &[f32], n_in: usize, area: usize) -> Vec<f32> {
    let tap_major =
        |row: &[f32]| -> Vec<f32> { (0..area * n_in).map(|i| row[i % n_in * area + i / n_in]).collect() };
    weight.chunks_exact(area * n_in).flat_map(tap_major).collect()
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

    /// Packs the same in parts of some channels in each, one after the other; the first has the bias.
    pub(super) fn in_parts((weight, bias): LayerWeights<'_>) -> Vec<Self> {
        let n_in = weight.len() / bias.len();
        let part = |channels: Range<usize>| {
            let rows = weight.chunks_exact(n_in);
            let weight: Vec<f32> = rows.flat_map(|row| &row[channels.clone()]).copied().collect();
            Self::new((&weight, bias))
        };
        channel_blocks(n_in).map(part).collect()
    }

    /// Channels in.
    pub(super) fn n_in(&self) -> usize {
        self.n_in
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
    /// activation.
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
            activation: Activation::None,
            continued: false,
            narrow: self.n_out - line * LINE <= LINE / 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::available;
    use super::*;

    /// Even numbers between -1 and 1.
    fn numbers(seed: u64, n: usize) -> Vec<f32> {
        let mut draws = data::draw::stream(seed, "test", "pointwise");
        (0..n).map(|_| draws.uniform(-1.0, 1.0) as f32).collect()
    }

    /// Checks `n` pixels, written one after the other with a residual or at offsets with ReLU6.
    fn check(n_in: usize, n_out: usize, n: usize) {
        let (weight, bias) = (numbers(1, n_out * n_in), numbers(2, n_out));
        let packed = PackedPointwise::new((&weight, &bias));
        let x = Buffer::from_slice(&numbers(3, n_in.div_ceil(LINE) * n * LINE));
        let residual = Buffer::from_slice(&numbers(4, n * LINE));
        let offsets: Vec<u32> = (0..n as u32).rev().map(|pixel| pixel * 3 * LINE as u32).collect();
        // SAFETY: nothing writes to these buffers.
        let value = |buffer: &Buffer, at: usize| f64::from(unsafe { *buffer.at(at, 1) });
        for kernels in available() {
            let (mut difference, mut norm) = (0.0, 0.0);
            for (line, at_offsets) in (0..packed.n_lines()).flat_map(|line| [(line, false), (line, true)]) {
                let to = Buffer::zeroed(n * 3 * LINE);
                let mut product = packed.product(line, x.at(0, x.len()), n * LINE, n, to.at(0, to.len()));
                if at_offsets {
                    (product.offsets, product.activation) = (offsets.as_ptr(), Activation::Relu6);
                } else {
                    product.residual = residual.at(0, n * LINE);
                }
                // SAFETY: the buffers are as the product states them; the kernels are of this machine's tables.
                unsafe { (kernels.pointwise)(&product) };
                for (pixel, o) in
                    (0..n).flat_map(|p| (line * LINE..n_out.min(line * LINE + LINE)).map(move |o| (p, o)))
                {
                    let channel = |c: usize| value(&x, (c / LINE * n + pixel) * LINE + c % LINE);
                    let sum: f64 = (0..n_in).map(|c| f64::from(weight[o * n_in + c]) * channel(c)).sum();
                    let mut expected = sum + f64::from(bias[o]);
                    let mut at = pixel * LINE + o % LINE;
                    if at_offsets {
                        expected = expected.clamp(0.0, 6.0);
                        at = offsets[pixel] as usize + o % LINE;
                    } else {
                        expected += value(&residual, at);
                    }
                    difference += (value(&to, at) - expected).powi(2);
                    norm += expected * expected;
                }
            }
            let error = (difference / norm).sqrt();
            assert!(error <= 2e-6, "{}: {n_in} to {n_out}, {n} pixels: {error:e}", kernels.name);
        }
    }

    #[test]
    fn a_pointwise_layer_is_what_its_definition_says() {
        for n_in in [3, 16, 24, 255, 257, 672, 1152] {
            for (n_out, n) in [(8, 1), (16, 13), (24, 49), (40, 5)] {
                check(n_in, n_out, n);
            }
        }
    }
}
