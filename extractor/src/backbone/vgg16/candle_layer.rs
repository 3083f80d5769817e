//! One convolution of the network through candle: 3 x 3, border of zeros, bias, ReLU, and where a block ends
//! the 2 x 2 maximum. Used on every device but the CPU, and as the reference for the kernels.

use candle_core::{Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig, Module, VarBuilder};

use super::Layer;

/// A border of one pixel; stride, dilation and groups are 1.
const SAME_SIZE: Conv2dConfig =
    Conv2dConfig { padding: 1, stride: 1, dilation: 1, groups: 1, cudnn_fwd_algo: None };

/// A convolution with its weights on a device.
#[derive(Debug)]
pub(crate) struct CandleLayer {
    convolution: Conv2d,
    pooled: bool,
}

impl CandleLayer {
    /// Takes the tensors `weight` (n_out, n_in, 3, 3) and `bias` (n_out).
    pub(super) fn load(layer: &Layer, tensors: VarBuilder<'_>) -> Result<Self> {
        let convolution = candle_nn::conv2d(layer.n_in, layer.n_out, 3, SAME_SIZE, tensors)?;
        Ok(Self { convolution, pooled: layer.pooled })
    }

    /// Computes xs (B, n_in, h, w) -> (B, n_out, h, w), or (B, n_out, h/2, w/2) at the end of a block.
    pub(crate) fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        let ys = self.convolution.forward(xs)?; // (B, n_out, h, w)
        // ReLU, but not candle's: that one turns NaN into 0, and an overflow would pass for features.
        let ys = ys.maximum(0f32)?;
        if self.pooled { ys.max_pool2d(2) } else { Ok(ys) } // (B, n_out, h/2, w/2)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::conv::winograd3x3::reference::convolve;

    fn layer((n_in, n_out): (usize, usize), weight: &[f32], bias: &[f32], pooled: bool) -> CandleLayer {
        let weight = Tensor::from_slice(weight, (n_out, n_in, 3, 3), &Device::Cpu).unwrap();
        let bias = Tensor::from_slice(bias, n_out, &Device::Cpu).unwrap();
        CandleLayer { convolution: Conv2d::new(weight, Some(bias), SAME_SIZE), pooled }
    }

    #[test]
    fn a_value_that_is_no_number_is_not_hidden() {
        let layer = layer((1, 1), &[1.0; 9], &[0.0], false);
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
            let (weight, bias) = (normals(n_out * n_in * 9), normals(n_out));
            let xs = normals(2 * n_in * side * side);
            let layer = layer((n_in, n_out), &weight, &bias, pooled);
            let input = Tensor::from_slice(&xs, (2, n_in, side, side), &Device::Cpu).unwrap();
            let got: Vec<f32> = layer.apply(&input).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            let expected: Vec<f64> = xs
                .chunks(n_in * side * side)
                .flat_map(|picture| {
                    let picture: Vec<f64> = picture.iter().map(|&x| f64::from(x)).collect();
                    convolve(&picture, side, &weight, &bias, pooled)
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
