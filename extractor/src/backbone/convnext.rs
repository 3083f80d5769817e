//! ConvNeXt: Liu et al., "A ConvNet for the 2020s", 2022.
//!
//! candle-transformers computes it, but for the norm before the classifier, which it leaves out together with the
//! classifier.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Func, LayerNorm, Module, layer_norm};
use candle_transformers::models::convnext::{self, Config};
use data::backbone::{Backbone, CONVNEXT_NANO, CONVNEXT_TINY};
use data::recipe::Pool;
use data::weights::Weights;

use super::{Network, ensure_pooled};
use crate::loading;

/// timm's constant, as the norms before it have.
const NORM_EPSILON: f64 = 1e-6;

/// The network with its weights on a device.
#[derive(Debug)]
pub struct ConvNext {
    maps: Func<'static>,
    norm: LayerNorm,
}

impl ConvNext {
    /// Puts `weights` of the size tiny onto `device`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn tiny(weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        Self::new(&CONVNEXT_TINY, &Config::tiny(), weights, device)
    }

    /// Does the same as [`ConvNext::tiny`] for the size nano.
    ///
    /// # Errors
    /// As [`ConvNext::tiny`].
    pub fn nano(weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        Self::new(&CONVNEXT_NANO, &Config::nano(), weights, device)
    }

    fn new(backbone: &Backbone, config: &Config, weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        loading::load(weights, device, |tensors| {
            let norm = layer_norm(backbone.n_channels, NORM_EPSILON, tensors.pp("head.norm"))?;
            Ok(Self { maps: convnext::convnext_no_final_layer(config, tensors)?, norm })
        })
    }
}

impl Network for ConvNext {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        ensure_pooled(pool)?;
        self.norm.forward(&self.maps.forward(xs)?) // (B, C)
    }
}
