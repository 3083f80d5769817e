//! The convolutions of VGG-16: configuration D of Simonyan and Zisserman, "Very deep convolutional
//! networks for large-scale image recognition", 2014, without its three dense layers.
//!
//! On a CPU the thirteen are one operation (module `conv::winograd3x3`); elsewhere candle computes them one by one.

mod candle_layer;
mod fused;

use std::time::{Duration, Instant};

use candle_core::{Device, Result, Tensor};
use data::backbone::{self, Backbone};
use data::recipe::Pool;
use data::weights::Weights;

use super::{Engine, Network, pooled};
use crate::loading;
use candle_layer::CandleLayer;
use fused::Fused;

/// What is known of the network beforehand.
pub const BACKBONE: &Backbone = &backbone::VGG16;

/// One convolution in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Position among torchvision's and timm's `features`, which also count ReLUs and poolings.
    pub position: usize,
    /// Channels in.
    pub n_in: usize,
    /// Channels out.
    pub n_out: usize,
    /// A block ends here: 2 x 2 maximum.
    pub pooled: bool,
}

impl Layer {
    const fn new(position: usize, n_in: usize, n_out: usize, pooled: bool) -> Self {
        Self { position, n_in, n_out, pooled }
    }

    /// The names of its weight (n_out, n_in, 3, 3) and its bias (n_out): `features.0.weight` and `features.0.bias`.
    fn tensor_names(&self) -> [String; 2] {
        [format!("features.{}.weight", self.position), format!("features.{}.bias", self.position)]
    }
}

/// The thirteen convolutions in the order of the forward pass.
pub const LAYERS: [Layer; 13] = [
    Layer::new(0, 3, 64, false),
    Layer::new(2, 64, 64, true),
    Layer::new(5, 64, 128, false),
    Layer::new(7, 128, 128, true),
    Layer::new(10, 128, 256, false),
    Layer::new(12, 256, 256, false),
    Layer::new(14, 256, 256, true),
    Layer::new(17, 256, 512, false),
    Layer::new(19, 512, 512, false),
    Layer::new(21, 512, 512, true),
    Layer::new(24, 512, 512, false),
    Layer::new(26, 512, 512, false),
    Layer::new(28, 512, 512, true),
];

/// The network with its weights on a device.
#[derive(Debug)]
pub struct Vgg16 {
    layers: Vec<CandleLayer>,
    /// Computes every input that [`Fused::takes`].
    fused: Option<Fused>,
}

impl Vgg16 {
    /// Puts `weights` onto `device`. Devices other than the CPU ignore `engine`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn new(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Self> {
        let layers = loading::load(weights, device, |tensors| {
            let features = tensors.pp("features");
            let layer = |layer: &Layer| CandleLayer::load(layer, features.pp(layer.position));
            LAYERS.iter().map(layer).collect::<Result<_>>()
        })?;
        let kernels = engine.kernels().filter(|_| device.is_cpu());
        let fused = kernels.map(|kernels| Fused::new(weights, kernels)).transpose()?;
        Ok(Self { layers, fused })
    }

    /// Measures how long each layer takes for xs (B, 3, S, S), in order.
    ///
    /// # Errors
    /// As [`Vgg16::maps`].
    pub fn time_layers(&self, xs: &Tensor) -> Result<Vec<Duration>> {
        if let Some(fused) = self.fused.as_ref().filter(|_| Fused::takes(xs)) {
            return fused.time_layers(xs);
        }
        let mut xs = xs.clone();
        let mut times = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let start = Instant::now();
            xs = layer.apply(&xs)?; // (B, n_out, h, w), halved where a block ends
            times.push(start.elapsed());
        }
        Ok(times)
    }

    /// Computes the last map, after ReLU and pooling: xs (B, 3, S, S) -> (B, 512, S/32, S/32).
    ///
    /// # Errors
    /// If the shape is another one or the device fails.
    pub fn maps(&self, xs: &Tensor) -> Result<Tensor> {
        if let Some(fused) = self.fused.as_ref().filter(|_| Fused::takes(xs)) {
            return fused.apply(xs); // (B, 512, S/32, S/32)
        }
        let mut xs = xs.clone();
        for layer in &self.layers {
            xs = layer.apply(&xs)?; // (B, n_out, h, w), halved where a block ends
        }
        Ok(xs)
    }
}

impl Network for Vgg16 {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        pooled(&self.maps(xs)?, pool)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_are_those_of_the_weights_file() {
        let names: Vec<String> = LAYERS.iter().flat_map(Layer::tensor_names).collect();
        let expected: Vec<&str> = BACKBONE.features.iter().map(|tensor| tensor.name).collect();
        assert_eq!(names, expected);
        for (layer, tensors) in LAYERS.iter().zip(BACKBONE.features.chunks(2)) {
            assert_eq!(tensors[0].shape, [layer.n_out, layer.n_in, 3, 3], "{}", tensors[0].name);
        }
    }
}
