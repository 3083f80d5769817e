//! The training step by candle: `candle_nn::Linear` layers, autograd, and an optimizer of its own.
//!
//! It runs on a GPU (`--device cuda` or `metal`), and on the processor it is what the tests compare [`crate::mlp`]
//! with. Initial weights and dropout masks are given, never drawn here: candle's CPU generator cannot be seeded.
//! The sums of a GPU are in no fixed order, so that the last bits of the weights may differ from run to run.
//!
//! Letters: B rows in a batch, D features, H units of a layer, K classes. Weights are (out, in).

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer};
use data::head::Dense;

use crate::batches::Batch;
use crate::loss::{Loss, Objective, weighted_targets};
use crate::sgd::Sgd;
use crate::start_penalty::StartPenalty;

/// SGD with momentum and weight decay as in PyTorch (`torch.optim.SGD`, dampening 0, no Nesterov): the weight decay is
/// added to the gradient, v <- momentum * v + g, w <- w - rate * v. Vectors (biases) have no weight decay.
#[derive(Debug)]
struct MomentumSgd {
    vars: Vec<Var>,
    /// One momentum buffer for each variable; none without momentum.
    velocity: Vec<Tensor>,
    config: Sgd,
}

impl Optimizer for MomentumSgd {
    type Config = Sgd;

    fn new(vars: Vec<Var>, config: Sgd) -> candle_core::Result<Self> {
        let has_momentum = config.momentum > 0.0;
        let velocity = vars.iter().filter(|_| has_momentum).map(|var| var.as_tensor().zeros_like());
        Ok(Self { velocity: velocity.collect::<candle_core::Result<_>>()?, vars, config })
    }

    fn step(&mut self, gradients: &GradStore) -> candle_core::Result<()> {
        let Sgd { learning_rate, momentum, weight_decay } = self.config;
        for (i, var) in self.vars.iter().enumerate() {
            let Some(gradient) = gradients.get(var) else { continue };
            let value = var.as_detached_tensor();
            let mut step = gradient.clone();
            if weight_decay > 0.0 && var.rank() > 1 {
                step = (step + (&value * weight_decay)?)?;
            }
            if let Some(velocity) = self.velocity.get_mut(i) {
                step = ((&*velocity * momentum)? + step)?;
                *velocity = step.clone();
            }
            var.set(&(value - (step * learning_rate)?)?)?;
        }
        Ok(())
    }

    fn learning_rate(&self) -> f64 {
        self.config.learning_rate
    }

    fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }
}

/// A multilayer perceptron on any device of candle: ReLU between two layers; in training, dropout after the first
/// ReLU.
#[derive(Debug)]
pub(super) struct CandleNetwork {
    layers: Vec<Linear>,
    /// Its variables are the layers' weights and biases: weight, bias, weight, bias, ...
    optimizer: MomentumSgd,
    device: Device,
}

impl CandleNetwork {
    /// A network with these weights and, for momentum, these momentum buffers (no layers without momentum).
    ///
    /// # Errors
    /// If candle refuses a shape, or the GPU fails.
    pub(super) fn new(
        layers: Vec<Dense>,
        velocity: Vec<Dense>,
        sgd: Sgd,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let to_vars = |tensors: Vec<Tensor>| {
            tensors.iter().map(Var::from_tensor).collect::<candle_core::Result<Vec<_>>>()
        };
        let vars = to_vars(to_tensors(layers, device)?)?;
        let linear =
            |pair: &[Var]| Linear::new(pair[0].as_tensor().clone(), Some(pair[1].as_tensor().clone()));
        let layers = vars.chunks_exact(2).map(linear).collect();
        let mut optimizer = MomentumSgd::new(vars, sgd)?;
        if !velocity.is_empty() {
            optimizer.velocity = to_tensors(velocity, device)?;
        }
        Ok(Self { layers, optimizer, device: device.clone() })
    }

    /// Trains on one batch, as [`crate::mlp::Mlp::step`] does.
    ///
    /// # Errors
    /// If candle refuses a shape, or the GPU fails.
    pub(super) fn step(
        &mut self,
        batch: &Batch,
        mask: Option<Vec<f32>>,
        objective: &Objective,
    ) -> anyhow::Result<Loss> {
        let n_rows = batch.labels.len();
        let mask = mask.map(|mask| {
            let n_units = mask.len() / n_rows;
            Tensor::from_vec(mask, (n_rows, n_units), &self.device) // (B,H)
        });
        let logits = self.forward(&batch.features, mask.transpose()?.as_ref())?; // (B,D) -> (B,K)
        let values: Vec<f32> = logits.flatten_all()?.to_vec1()?;
        let mut loss = Loss::default();
        loss.add(&values, &batch.labels);
        if loss.cross_entropy.is_finite() {
            let targets = weighted_targets(&batch.labels, objective);
            let targets = Tensor::from_vec(targets, logits.shape(), &self.device)?; // (B,K)
            let log_p = candle_nn::ops::log_softmax(&logits, 1)?; // (B,K)
            let objective = (log_p.mul(&targets)?.sum_all()? * (-1.0 / n_rows as f64))?; // (B,K) -> ()
            self.optimizer.backward_step(&objective)?;
        }
        Ok(loss)
    }

    /// Computes the logits (B,K), row-major, of features (B,D), without dropout.
    ///
    /// # Errors
    /// As [`CandleNetwork::step`].
    pub(super) fn logits(&self, features: &Tensor) -> anyhow::Result<Vec<f32>> {
        Ok(self.forward(features, None)?.flatten_all()?.to_vec1()?)
    }

    fn forward(&self, features: &Tensor, mask: Option<&Tensor>) -> candle_core::Result<Tensor> {
        let mut x = features.to_device(&self.device)?; // (B,D)
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x)?; // (B,H_in) -> (B,H_out)
            if i + 1 < self.layers.len() {
                x = x.relu()?;
                if let (0, Some(mask)) = (i, mask) {
                    x = x.mul(mask)?;
                }
            }
        }
        Ok(x)
    }

    /// The device that computes.
    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    /// Pulls the weights towards their start, as `penalty` says.
    ///
    /// # Errors
    /// If candle refuses a shape, or the GPU fails.
    pub(super) fn pull_to_start(&mut self, penalty: &StartPenalty) -> anyhow::Result<()> {
        for (i, pair) in self.optimizer.vars.chunks_exact(2).enumerate() {
            let (weight, bias) =
                penalty.pulled(i, &pair[0].as_detached_tensor(), &pair[1].as_detached_tensor())?;
            pair[0].set(&weight)?;
            pair[1].set(&bias)?;
        }
        Ok(())
    }

    /// Copies the weights.
    ///
    /// # Errors
    /// If the GPU fails.
    pub(super) fn layers(&self) -> anyhow::Result<Vec<Dense>> {
        let tensors: Vec<Tensor> = self.optimizer.vars.iter().map(Var::as_detached_tensor).collect();
        to_dense(&tensors)
    }

    /// Copies the momentum buffers; no layers without momentum.
    ///
    /// # Errors
    /// If the GPU fails.
    pub(super) fn velocity(&self) -> anyhow::Result<Vec<Dense>> {
        to_dense(&self.optimizer.velocity)
    }
}

/// Weight (out, in), bias (out), weight, bias, ... of the layers.
fn to_tensors(layers: Vec<Dense>, device: &Device) -> candle_core::Result<Vec<Tensor>> {
    let mut tensors = Vec::with_capacity(2 * layers.len());
    for Dense { n_out, n_in, weight, bias } in layers {
        tensors.push(Tensor::from_vec(weight, (n_out, n_in), device)?);
        tensors.push(Tensor::from_vec(bias, n_out, device)?);
    }
    Ok(tensors)
}

fn to_dense(tensors: &[Tensor]) -> anyhow::Result<Vec<Dense>> {
    let layer = |pair: &[Tensor]| {
        let (n_out, n_in) = pair[0].dims2()?;
        Ok(Dense { n_out, n_in, weight: pair[0].flatten_all()?.to_vec1()?, bias: pair[1].to_vec1()? })
    };
    tensors.chunks_exact(2).map(layer).collect()
}

#[cfg(test)]
mod tests;
