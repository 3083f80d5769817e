//! The network in training, on the device that `--device` names.

use anyhow::Context;
use candle_core::Tensor;
use data::device::Device;
use data::head::{Dense, Hyperparameters};

use super::candle_step::CandleNetwork;
use crate::batches::Batch;
use crate::loss::{Loss, Objective};
use crate::mlp::Mlp;
use crate::sgd::Sgd;
use crate::start_penalty::StartPenalty;

/// The network in training.
#[derive(Debug)]
pub(super) struct Network {
    layers: Layers,
    /// `None` where no penalty draws the weights to their start.
    penalty: Option<StartPenalty>,
}

#[derive(Debug)]
enum Layers {
    /// The training step of [`crate::mlp`], on the processor.
    Cpu(Mlp, Sgd),
    /// The training step by candle's autograd, on a GPU.
    Gpu(CandleNetwork),
}

impl Network {
    /// A network with these weights and, for momentum, these momentum buffers (no layers without momentum).
    ///
    /// # Errors
    /// If the device cannot be opened, or candle refuses a shape.
    pub(super) fn new(
        layers: Vec<Dense>,
        velocity: Vec<Dense>,
        hyperparameters: &Hyperparameters,
    ) -> anyhow::Result<Self> {
        let Hyperparameters { learning_rate, momentum, weight_decay, device, .. } = *hyperparameters;
        let sgd = Sgd { learning_rate, momentum, weight_decay };
        let layers = match device {
            Device::Cpu => Layers::Cpu(Mlp::new(layers, velocity)?, sgd),
            Device::Cuda | Device::Metal => {
                Layers::Gpu(CandleNetwork::new(layers, velocity, sgd, &open(device)?)?)
            }
        };
        Ok(Self { layers, penalty: None })
    }

    /// Adds the penalty of strength `strength` / (2 `n_train`) on the distance from `start`; `is_free(layer, row)` says
    /// which rows have none.
    ///
    /// # Errors
    /// If candle refuses a shape, or the GPU fails.
    pub(super) fn set_penalty(
        &mut self,
        start: &[Dense],
        hyperparameters: &Hyperparameters,
        n_train: usize,
        is_free: impl Fn(usize, usize) -> bool,
    ) -> anyhow::Result<()> {
        let Hyperparameters { start_penalty, learning_rate, .. } = *hyperparameters;
        let factor = 1.0 / (1.0 + learning_rate * start_penalty / n_train as f64);
        let device = match &self.layers {
            Layers::Cpu(..) => &candle_core::Device::Cpu,
            Layers::Gpu(network) => network.device(),
        };
        self.penalty = Some(StartPenalty::new(start, factor, is_free, device)?);
        Ok(())
    }

    /// Trains on one batch: forward, backward, update. `mask` has the dropout factors of the first hidden layer,
    /// (B * H). Returns the loss before the update; where it is not finite, no weight has changed.
    ///
    /// # Errors
    /// If candle refuses a shape, or the GPU fails.
    pub(super) fn step(
        &mut self,
        batch: &Batch,
        mask: Option<Vec<f32>>,
        objective: &Objective,
    ) -> anyhow::Result<Loss> {
        let penalty = self.penalty.as_ref();
        match &mut self.layers {
            Layers::Cpu(mlp, sgd) => {
                let loss = mlp.step(batch, mask, objective, sgd)?;
                if let Some(penalty) = penalty.filter(|_| loss.cross_entropy.is_finite()) {
                    mlp.pull_to_start(penalty)?;
                }
                Ok(loss)
            }
            Layers::Gpu(network) => {
                let loss = network.step(batch, mask, objective)?;
                if let Some(penalty) = penalty.filter(|_| loss.cross_entropy.is_finite()) {
                    network.pull_to_start(penalty)?;
                }
                Ok(loss)
            }
        }
    }

    /// Computes the logits (B,K), row-major, of features (B,D), without dropout.
    ///
    /// # Errors
    /// As [`Network::step`].
    pub(super) fn logits(&self, features: &Tensor) -> anyhow::Result<Vec<f32>> {
        match &self.layers {
            Layers::Cpu(mlp, _) => mlp.logits(features),
            Layers::Gpu(network) => network.logits(features),
        }
    }

    /// Copies the weights.
    ///
    /// # Errors
    /// As [`Network::step`].
    pub(super) fn layers(&self) -> anyhow::Result<Vec<Dense>> {
        match &self.layers {
            Layers::Cpu(mlp, _) => mlp.layers(),
            Layers::Gpu(network) => network.layers(),
        }
    }

    /// Copies the momentum buffers; no layers without momentum.
    ///
    /// # Errors
    /// As [`Network::step`].
    pub(super) fn velocity(&self) -> anyhow::Result<Vec<Dense>> {
        match &self.layers {
            Layers::Cpu(mlp, _) => mlp.velocity(),
            Layers::Gpu(network) => network.velocity(),
        }
    }
}

/// Opens the device.
///
/// # Errors
/// If this program was built without it, or the machine does not have it.
fn open(device: Device) -> anyhow::Result<candle_core::Device> {
    match device {
        Device::Cpu => Ok(candle_core::Device::Cpu),
        Device::Cuda => {
            candle_core::Device::new_cuda(0).context("--device cuda: cannot open the first CUDA device")
        }
        Device::Metal => {
            candle_core::Device::new_metal(0).context("--device metal: cannot open the first Metal device")
        }
    }
}
