//! One convolution of the network through candle: 3 x 3, border of zeros, bias, ReLU, and where a block ends
//! the 2 x 2 maximum. The way on every device but the CPU, and what the kernels are compared with.

use candle_core::{Device, Result, Tensor};

use crate::weights::ConvWeights;

/// A convolution with its weights on a device.
#[derive(Debug)]
pub(crate) struct CandleLayer {
    /// (n_out, n_in, 3, 3)
    weight: Tensor,
    /// (1, n_out, 1, 1)
    bias: Tensor,
    pooled: bool,
}

impl CandleLayer {
    pub(crate) fn new(weights: &ConvWeights, pooled: bool, device: &Device) -> Result<Self> {
        let (n_out, n_in) = (weights.n_out, weights.n_in);
        Ok(Self {
            weight: Tensor::from_slice(&weights.weight, (n_out, n_in, 3, 3), device)?,
            bias: Tensor::from_slice(&weights.bias, (1, n_out, 1, 1), device)?,
            pooled,
        })
    }

    /// xs (B, n_in, h, w) -> (B, n_out, h, w), or (B, n_out, h/2, w/2) at the end of a block.
    pub(crate) fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        let (padding, stride, dilation, groups) = (1, 1, 1, 1);
        let ys = xs.conv2d(&self.weight, padding, stride, dilation, groups)?; // (B, n_out, h, w)
        // ReLU, but not candle's: that one turns NaN into 0, and an overflow would pass for features.
        let ys = ys.broadcast_add(&self.bias)?.maximum(0f32)?;
        if self.pooled { ys.max_pool2d(2) } else { Ok(ys) } // (B, n_out, h/2, w/2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv3x3::reference::convolve;

    #[test]
    fn a_value_that_is_no_number_is_not_hidden() {
        let weights = ConvWeights { n_in: 1, n_out: 1, weight: vec![1.0; 9], bias: vec![0.0] };
        let layer = CandleLayer::new(&weights, false, &Device::Cpu).unwrap();
        let input = Tensor::full(f32::NAN, (1, 1, 4, 4), &Device::Cpu).unwrap();
        let got: Vec<f32> = layer.apply(&input).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert!(got.iter().all(|x| x.is_nan()), "{got:?}");
    }

    #[test]
    fn a_convolution_is_what_its_definition_says() {
        let mut draws = data::draw::stream(1, "test", "candle layer");
        let mut normals = |n: usize| -> Vec<f32> { (0..n).map(|_| draws.normal() as f32).collect() };
        // 16 channels on 16 x 16: equal numbers of channels, rows and columns once broke candle.
        for (n_in, n_out, side, pooled) in
            [(3, 5, 8, false), (16, 16, 16, true), (7, 4, 2, true), (4, 2, 26, false), (2, 3, 1, false)]
        {
            let weights =
                ConvWeights { n_in, n_out, weight: normals(n_out * n_in * 9), bias: normals(n_out) };
            let xs = normals(2 * n_in * side * side);
            let layer = CandleLayer::new(&weights, pooled, &Device::Cpu).unwrap();
            let input = Tensor::from_slice(&xs, (2, n_in, side, side), &Device::Cpu).unwrap();
            let got: Vec<f32> = layer.apply(&input).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let expected: Vec<f64> = xs
                .chunks(n_in * side * side)
                .flat_map(|picture| {
                    let picture: Vec<f64> = picture.iter().map(|&x| f64::from(x)).collect();
                    convolve(&picture, side, &weights.weight, &weights.bias, pooled)
                })
                .collect();
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.iter().zip(&expected) {
                assert!(
                    (f64::from(*got) - expected).abs() < 1e-4,
                    "{n_in} -> {n_out} on {side}: {got}, not {expected}"
                );
            }
        }
    }
}
