//! The networks, behind one interface: pictures in, maps or features out.
//!
//! What is known of a network beforehand is in [`data::backbone`]; here is how it computes. On a CPU our own kernels
//! (module `conv`) do; elsewhere, and as the reference of the kernels, candle does.

mod batch_norm;
mod convnext;
mod efficientnet_lite0;
mod engine;
mod resnet50;
pub mod vgg16;

use std::fmt;

use candle_core::{Device, Error, Result, Tensor};
use data::backbone::Backbone;
use data::recipe::Pool;
use data::weights::Weights;

use crate::conv::Unsupported;

pub use convnext::ConvNext;
pub use efficientnet_lite0::EfficientNetLite0;
pub use engine::{Engine, VARIABLE as ENGINE_VARIABLE};
pub use resnet50::ResNet50;
pub use vgg16::Vgg16;

/// A network with its weights on a device.
pub trait Network: fmt::Debug + Send + Sync {
    /// Computes features: xs (B, 3, S, S) -> (B, D), the last map (C, S/stride, S/stride) channel by channel or, pooled, the
    /// mean of each channel.
    ///
    /// # Errors
    /// If the shape is another one, the network does not give what is asked for ([`Backbone::has_maps`]), or the device
    /// fails.
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor>;
}

/// Pools maps (B, C, h, w) -> (B, D).
fn pooled(maps: &Tensor, pool: Pool) -> Result<Tensor> {
    match pool {
        Pool::None => maps.flatten_from(1),         // (B, C * h * w)
        Pool::Avg => maps.flatten_from(2)?.mean(2), // (B, C)
    }
}

/// Refuses to give maps, for a network without [`Backbone::has_maps`].
fn ensure_pooled(pool: Pool) -> Result<()> {
    match pool {
        Pool::Avg => Ok(()),
        Pool::None => Err(Error::msg("this network gives pooled features alone")),
    }
}

/// Lets kernels compute the mean of each channel of the last map: xs (B, 3, S, S) -> (B, C). `kernels` takes the values of
/// the pictures, their number, their side and the number of threads.
fn means_by(
    xs: &Tensor,
    backbone: &Backbone,
    kernels: impl FnOnce(&[f32], usize, usize, usize) -> std::result::Result<Vec<f32>, Unsupported>,
) -> Result<Tensor> {
    let (n, side) = match *xs.dims() {
        [n, 3, height, width] if height == width => (n, width),
        _ => return Err(Error::msg(format!("pictures of shape {:?}, expected (B, 3, S, S)", xs.dims()))),
    };
    let pictures = xs.flatten_all()?.to_vec1::<f32>()?;
    let means = kernels(&pictures, n, side, rayon::current_num_threads()).map_err(Error::wrap)?;
    Tensor::from_vec(means, (n, backbone.n_channels), xs.device()) // (B, C)
}

/// Puts the network of `weights` onto `device`. Devices other than the CPU ignore `engine`.
///
/// # Errors
/// If there is no such network, or with a list of everything that is wrong with the weights.
pub fn open(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Box<dyn Network>> {
    Ok(match weights.info.backbone.as_str() {
        "vgg16" => Box::new(Vgg16::new(weights, device, engine)?),
        "efficientnet-lite0" => Box::new(EfficientNetLite0::new(weights, device, engine)?),
        "resnet50" => Box::new(ResNet50::new(weights, device, engine)?),
        "convnext-tiny" => Box::new(ConvNext::tiny(weights, device, engine)?),
        "convnext-nano" => Box::new(ConvNext::nano(weights, device, engine)?),
        other => anyhow::bail!("{other:?} is no network of this program"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use data::backbone::{self, CONVNEXT_NANO, EFFICIENTNET_LITE0, RESNET50};

    use super::*;
    use crate::preprocess::Preset;

    #[test]
    fn every_network_opens_and_its_presets_are_known() {
        for backbone in backbone::ALL {
            assert!(backbone.presets.iter().all(|name| Preset::find(name).is_ok()), "{}", backbone.name);
            let weights = Weights::seeded(backbone, 1);
            let network = open(&weights, &Device::Cpu, Engine::best()).unwrap();
            let xs = Tensor::zeros((1, 3, 32, 32), candle_core::DType::F32, &Device::Cpu).unwrap();
            for pool in [Pool::None, Pool::Avg] {
                let features = network.features(&xs, pool);
                if pool == Pool::None && !backbone.has_maps {
                    assert!(features.is_err(), "{}", backbone.name);
                    continue;
                }
                let expected: usize = backbone.feature_shape(32, pool).iter().product();
                assert_eq!(features.unwrap().dims(), [1, expected], "{}", backbone.name);
            }
        }
    }

    #[test]
    fn no_tensor_of_any_network_can_be_left_out() {
        for backbone in [&RESNET50, &CONVNEXT_NANO, &EFFICIENTNET_LITE0] {
            // The last tensor of each kind: of the blocks' scales, say.
            let kind =
                |name: &str| name.split('.').filter(|part| part.parse::<u32>().is_err()).collect::<String>();
            let last: BTreeMap<String, &str> =
                backbone.features.iter().map(|t| (kind(t.name), t.name)).collect();
            let mut weights = Weights::seeded(backbone, 1);
            weights.tensors.retain(|tensor| last[&kind(tensor.name)] != tensor.name);
            let message = open(&weights, &Device::Cpu, Engine::best()).unwrap_err().to_string();
            for name in last.values() {
                assert!(message.contains(&format!("{name} is missing")), "{name}: {message}");
            }
        }
    }
}
