//! ResNet-50: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015.
//!
//! candle-transformers computes it.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Func, Module};
use candle_transformers::models::resnet;
use data::recipe::Pool;
use data::weights::Weights;

use super::{Network, ensure_pooled};
use crate::loading;

/// The network with its weights on a device.
#[derive(Debug)]
pub struct ResNet50(Func<'static>);

impl ResNet50 {
    /// Puts `weights` onto `device`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn new(weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        Ok(Self(loading::load(weights, device, resnet::resnet50_no_final_layer)?))
    }
}

impl Network for ResNet50 {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        ensure_pooled(pool)?;
        self.0.forward(xs) // (B, 2048)
    }
}
