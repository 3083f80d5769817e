//! ConvNeXt: Liu et al., "A ConvNet for the 2020s", 2022.
//!
//! On a CPU our kernels compute it (module `conv::convnext`), elsewhere candle-transformers; but for the norm before the
//! classifier, which that leaves out together with the classifier.

use anyhow::Context;
use candle_core::{Device, Result, Tensor};
use candle_nn::{Func, LayerNorm, Module, layer_norm};
use candle_transformers::models::convnext::{self, Config};
use data::backbone::{Backbone, CONVNEXT_NANO, CONVNEXT_TINY};
use data::recipe::Pool;
use data::weights::Weights;

use super::{Engine, Network, ensure_pooled, means_by};
use crate::conv::Kernels;
use crate::conv::convnext::{BlockWeights, PackedConvNext, Shape, StageWeights, StemWeights};
use crate::conv::winograd3x3::LayerWeights;
use crate::loading;

/// timm's constant, as the norms before it have.
const NORM_EPSILON: f64 = 1e-6;

/// The network with its weights on a device.
#[derive(Debug)]
pub struct ConvNext {
    backbone: &'static Backbone,
    means: Means,
    norm: LayerNorm,
}

/// What computes the mean of each channel of the last map.
#[derive(Debug)]
enum Means {
    Candle(Func<'static>),
    Kernels(PackedConvNext),
}

impl ConvNext {
    /// Puts `weights` of the size tiny onto `device`. Devices other than the CPU ignore `engine`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn tiny(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Self> {
        Self::new(&CONVNEXT_TINY, &Config::tiny(), &Shape::TINY, weights, device, engine)
    }

    /// Does the same as [`ConvNext::tiny`] for the size nano.
    ///
    /// # Errors
    /// As [`ConvNext::tiny`].
    pub fn nano(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Self> {
        Self::new(&CONVNEXT_NANO, &Config::nano(), &Shape::NANO, weights, device, engine)
    }

    fn new(
        backbone: &'static Backbone,
        config: &Config,
        shape: &Shape,
        weights: &Weights,
        device: &Device,
        engine: Engine,
    ) -> anyhow::Result<Self> {
        // It checks the weights for the kernels, too.
        let (candle, norm) = loading::load(weights, device, |tensors| {
            let norm = layer_norm(backbone.n_channels, NORM_EPSILON, tensors.pp("head.norm"))?;
            Ok((convnext::convnext_no_final_layer(config, tensors)?, norm))
        })?;
        let means = match engine.kernels().filter(|_| device.is_cpu()) {
            Some(kernels) => Means::Kernels(pack(weights, shape, kernels)?),
            None => Means::Candle(candle),
        };
        Ok(Self { backbone, means, norm })
    }
}

/// Packs `weights` for `kernels`.
fn pack(weights: &Weights, shape: &Shape, kernels: &'static Kernels) -> anyhow::Result<PackedConvNext> {
    let values = |name: &str| -> anyhow::Result<&[f32]> {
        Ok(&weights.get(name).with_context(|| format!("{name} is missing"))?.values)
    };
    let layer = |name: &str| -> anyhow::Result<LayerWeights<'_>> {
        Ok((values(&format!("{name}.weight"))?, values(&format!("{name}.bias"))?))
    };
    let block = |name: String| -> anyhow::Result<BlockWeights<'_>> {
        Ok(BlockWeights {
            depthwise: layer(&format!("{name}.conv_dw"))?,
            norm: layer(&format!("{name}.norm"))?,
            expand: layer(&format!("{name}.mlp.fc1"))?,
            project: layer(&format!("{name}.mlp.fc2"))?,
            gamma: values(&format!("{name}.gamma"))?,
        })
    };
    let stage = |(i, &n_blocks): (usize, &usize)| -> anyhow::Result<StageWeights<'_>> {
        let downsample = match i {
            0 => None,
            _ => {
                let layer = |j: usize| layer(&format!("stages.{i}.downsample.{j}"));
                Some((layer(0)?, layer(1)?))
            }
        };
        let blocks = (0..n_blocks).map(|j| block(format!("stages.{i}.blocks.{j}")));
        Ok(StageWeights { downsample, blocks: blocks.collect::<anyhow::Result<_>>()? })
    };
    let stem = StemWeights { conv: layer("stem.0")?, norm: layer("stem.1")? };
    let stages: Vec<_> = shape.blocks.iter().enumerate().map(stage).collect::<anyhow::Result<_>>()?;
    Ok(PackedConvNext::new(kernels, shape, &stem, &stages)?)
}

impl Network for ConvNext {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        ensure_pooled(pool)?;
        let means = match &self.means {
            Means::Candle(network) => network.forward(xs)?, // (B, C)
            Means::Kernels(packed) => means_by(xs, self.backbone, |xs, n, side, n_threads| {
                packed.forward_means(xs, n, side, n_threads)
            })?, // (B, C)
        };
        self.norm.forward(&means) // (B, C)
    }
}
