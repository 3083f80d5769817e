//! ResNet-50: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.
//!
//! On a CPU our kernels compute it (module `conv::bottleneck`), elsewhere candle-transformers. candle's ReLU turns NaN into
//! 0, so an overflow is noticed only by the kernels.

use anyhow::Context;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Func, Module};
use candle_transformers::models::resnet;
use data::backbone::RESNET50;
use data::recipe::Pool;
use data::weights::Weights;

use super::batch_norm::BatchNorm;
use super::{Engine, Network, ensure_pooled, means_by};
use crate::conv::Kernels;
use crate::conv::bottleneck::{BlockWeights, PackedResNet, Shape};
use crate::conv::winograd3x3::LayerWeights;
use crate::loading;

/// torchvision's constant, PyTorch's default.
const BATCH_NORM_EPSILON: f64 = 1e-5;

/// The network with its weights on a device.
#[derive(Debug)]
pub struct ResNet50(Means);

/// What computes the mean of each channel of the last map.
#[derive(Debug)]
enum Means {
    Candle(Func<'static>),
    Kernels(PackedResNet),
}

impl ResNet50 {
    /// Puts `weights` onto `device`. Devices other than the CPU ignore `engine`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn new(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Self> {
        // It checks the weights for the kernels, too.
        let candle = loading::load(weights, device, resnet::resnet50_no_final_layer)?;
        Ok(Self(match engine.kernels().filter(|_| device.is_cpu()) {
            Some(kernels) => Means::Kernels(pack(weights, kernels)?),
            None => Means::Candle(candle),
        }))
    }
}

/// A convolution with the batch norm behind it: weight and bias.
type Layer = (Vec<f32>, Vec<f32>);

/// The layers of a block.
struct Block {
    reduce: Layer,
    conv: Layer,
    expand: Layer,
    /// Of the first block of each stage.
    shortcut: Option<Layer>,
}

/// Packs `weights` for `kernels`.
fn pack(weights: &Weights, kernels: &'static Kernels) -> anyhow::Result<PackedResNet> {
    let layer = |convolution: &str, norm: &str| folded(weights, convolution, norm);
    let stem = layer("conv1", "bn1")?;
    let mut blocks = Vec::new();
    for (stage, n_blocks) in Shape::RESNET_50.blocks.into_iter().enumerate() {
        for block in 0..n_blocks {
            let name = |layer: &str| format!("layer{}.{block}.{layer}", stage + 1);
            let layer = |convolution: &str, norm: &str| layer(&name(convolution), &name(norm));
            blocks.push(Block {
                reduce: layer("conv1", "bn1")?,
                conv: layer("conv2", "bn2")?,
                expand: layer("conv3", "bn3")?,
                shortcut: (block == 0).then(|| layer("downsample.0", "downsample.1")).transpose()?,
            });
        }
    }
    let given: Vec<BlockWeights<'_>> = blocks
        .iter()
        .map(|block| BlockWeights {
            reduce: slices(&block.reduce),
            conv: slices(&block.conv),
            expand: slices(&block.expand),
            shortcut: block.shortcut.as_ref().map(slices),
        })
        .collect();
    let n_threads = rayon::current_num_threads();
    Ok(PackedResNet::new(kernels, &Shape::RESNET_50, slices(&stem), &given, n_threads)?)
}

fn slices(layer: &Layer) -> LayerWeights<'_> {
    (&layer.0, &layer.1)
}

/// Takes a convolution and the batch norm behind it.
fn folded(weights: &Weights, convolution: &str, norm: &str) -> anyhow::Result<Layer> {
    let values = |layer: &str, what: &str| -> anyhow::Result<&[f32]> {
        let name = format!("{layer}.{what}");
        Ok(&weights.get(&name).with_context(|| format!("{name} is missing"))?.values)
    };
    let batch_norm = BatchNorm {
        scale: values(norm, "weight")?,
        bias: values(norm, "bias")?,
        mean: values(norm, "running_mean")?,
        variance: values(norm, "running_var")?,
        epsilon: BATCH_NORM_EPSILON,
    };
    Ok(batch_norm.fold_into(values(convolution, "weight")?)?)
}

impl Network for ResNet50 {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        ensure_pooled(pool)?;
        match &self.0 {
            Means::Candle(network) => network.forward(xs), // (B, 2048)
            Means::Kernels(packed) => {
                means_by(xs, &RESNET50, |xs, n, side, n_threads| packed.forward_means(xs, n, side, n_threads))
            } // (B, 2048)
        }
    }
}
