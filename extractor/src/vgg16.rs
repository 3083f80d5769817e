//! The convolutions of VGG-16: configuration D of Simonyan and Zisserman, "Very deep convolutional
//! networks for large-scale image recognition", 2014, without its three dense layers.
//!
//! On a CPU the thirteen are one operation (module `conv3x3`); elsewhere candle computes them one by one.

mod candle_layer;
mod engine;
mod fused;

use std::path::Path;
use std::time::{Duration, Instant};

use candle_core::{Device, Result, Tensor};

use crate::weights::Weights;
use candle_layer::CandleLayer;
pub use engine::{Engine, VARIABLE as ENGINE_VARIABLE};
use fused::Fused;

/// Name of the network in a recipe.
pub const NAME: &str = "vgg16";
/// Channels of the last map.
pub const N_CHANNELS: usize = 512;
/// How many pixels of the input, along a side, become one of the last map: five halvings.
pub const STRIDE: u32 = 32;

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

    /// `features.0.weight` and `features.0.bias`.
    pub fn tensor_names(&self) -> (String, String) {
        (format!("features.{}.weight", self.position), format!("features.{}.bias", self.position))
    }

    /// Names and shapes of its weight, `[n_out, n_in, 3, 3]`, and its bias, `[n_out]`.
    pub fn tensors(&self) -> [(String, Vec<usize>); 2] {
        let (weight, bias) = self.tensor_names();
        [(weight, vec![self.n_out, self.n_in, 3, 3]), (bias, vec![self.n_out])]
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
    /// Whatever [`Fused::takes`] goes this way.
    fused: Option<Fused>,
}

impl Vgg16 {
    /// Reads a weights file onto `device`.
    ///
    /// # Errors
    /// As [`Weights::read`], or if the device has no room.
    pub fn load(path: &Path, device: &Device) -> anyhow::Result<Self> {
        Ok(Self::new(&Weights::read(path)?, device)?)
    }

    /// Puts `weights` onto `device`, with the best engine if it is the CPU.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn new(weights: &Weights, device: &Device) -> Result<Self> {
        Self::with_engine(weights, device, Engine::best())
    }

    /// Puts `weights` onto `device`; other devices than the CPU do not look at `engine`.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn with_engine(weights: &Weights, device: &Device, engine: Engine) -> Result<Self> {
        let layers = LAYERS
            .iter()
            .zip(&weights.convolutions)
            .map(|(layer, weights)| CandleLayer::new(weights, layer.pooled, device))
            .collect::<Result<_>>()?;
        let kernels = engine.kernels().filter(|_| device.is_cpu());
        let fused = kernels.map(|kernels| Fused::new(weights, kernels)).transpose()?;
        Ok(Self { layers, fused })
    }

    /// The last map: xs (B, 3, S, S) -> (B, 512, S/32, S/32), after ReLU and pooling.
    ///
    /// # Errors
    /// If the shape is another one or the device fails.
    pub fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        if let Some(fused) = self.fused.as_ref().filter(|_| Fused::takes(xs)) {
            return fused.apply(xs); // (B, 512, S/32, S/32)
        }
        let mut xs = xs.clone();
        for layer in &self.layers {
            xs = layer.apply(&xs)?; // (B, n_out, h, w), halved where a block ends
        }
        Ok(xs)
    }

    /// How long each layer takes for xs (B, 3, S, S), in order.
    ///
    /// # Errors
    /// As [`Vgg16::forward`].
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
}
