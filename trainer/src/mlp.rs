//! The multilayer perceptron on the processor, with forward, backward and update written out.
//!
//! candle multiplies the matrices. Its autograd is not used here: it would compute the gradient of the features, and
//! store gradients as large as the weights. [`crate::fit`] has the same step by autograd, which the tests compare.
//!
//! Letters: B rows in a batch, D features, H units of a layer, K classes. Weights are (out, in).

use candle_core::{Device, Tensor};
use data::head::Dense;

use crate::batches::Batch;
use crate::loss::{Loss, Objective, gradient};
use crate::sgd::Sgd;
use crate::start_penalty::StartPenalty;

/// A multilayer perceptron: ReLU between two layers; in training, dropout after the first ReLU.
#[derive(Debug)]
pub(crate) struct Mlp {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    weight: Tensor, // (H_out,H_in)
    bias: Tensor,   // (H_out)
    /// Momentum buffers of weight and bias, where there is momentum.
    velocity: Option<(Tensor, Tensor)>,
}

/// The activations that the backward pass needs.
struct Activations {
    /// The input of each layer: (B,D), (B,H), ...
    inputs: Vec<Tensor>,
    logits: Tensor, // (B,K)
}

/// The factors of the gradient of one layer: that of the weight is `delta`ᵀ `input` (H_out,H_in), that of the bias
/// the sum of `delta` over the rows (H_out). The update computes the product piece by piece.
struct LayerGradient {
    input: Tensor, // (B,H_in)
    delta: Tensor, // (B,H_out)
}

impl Mlp {
    /// A network with these weights and, for momentum, these momentum buffers (no layers without momentum).
    ///
    /// # Errors
    /// If candle refuses a shape.
    pub(crate) fn new(layers: Vec<Dense>, velocity: Vec<Dense>) -> anyhow::Result<Self> {
        let mut velocities = velocity.into_iter();
        let layers = layers
            .into_iter()
            .map(|layer| {
                let (weight, bias) = to_tensors(layer)?;
                let velocity = velocities.next().map(to_tensors).transpose()?;
                Ok(Layer { weight, bias, velocity })
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { layers })
    }

    /// Computes the logits (B,K), row-major, of features (B,D), without dropout.
    ///
    /// # Errors
    /// If candle refuses the shape.
    pub(crate) fn logits(&self, features: &Tensor) -> anyhow::Result<Vec<f32>> {
        Ok(self.forward(features, None)?.logits.flatten_all()?.to_vec1()?)
    }

    /// Trains on one batch: forward, backward, update. `mask` has the dropout factors of the first hidden layer,
    /// (B * H). Returns the loss before the update; where it is not finite, no weight has changed.
    ///
    /// # Errors
    /// If candle refuses a shape.
    pub(crate) fn step(
        &mut self,
        batch: &Batch,
        mask: Option<Vec<f32>>,
        objective: &Objective,
        sgd: &Sgd,
    ) -> anyhow::Result<Loss> {
        let n_rows = batch.labels.len();
        let mask = mask.map(|mask| {
            let n_units = mask.len() / n_rows;
            Tensor::from_vec(mask, (n_rows, n_units), &Device::Cpu)
        });
        let mask = mask.transpose()?; // (B,H)
        let activations = self.forward(&batch.features, mask.as_ref())?;
        let logits: Vec<f32> = activations.logits.flatten_all()?.to_vec1()?;
        let mut loss = Loss::default();
        loss.add(&logits, &batch.labels);
        if loss.cross_entropy.is_finite() {
            let d_logits = gradient(&logits, &batch.labels, objective);
            let d_logits = Tensor::from_vec(d_logits, activations.logits.shape(), &Device::Cpu)?; // (B,K)
            let gradients = self.backward(activations, mask.as_ref(), d_logits)?;
            self.update(gradients, sgd)?;
        }
        Ok(loss)
    }

    fn forward(&self, features: &Tensor, mask: Option<&Tensor>) -> anyhow::Result<Activations> {
        let mut inputs = Vec::with_capacity(self.layers.len());
        let mut x = features.clone(); // (B,D)
        for (i, layer) in self.layers.iter().enumerate() {
            let z = x.matmul(&layer.weight.t()?)?.broadcast_add(&layer.bias)?; // (B,H_in) -> (B,H_out)
            inputs.push(x);
            let is_last = i + 1 == self.layers.len();
            x = match mask {
                _ if is_last => z,
                Some(mask) if i == 0 => z.relu()?.mul(mask)?,
                _ => z.relu()?,
            };
        }
        Ok(Activations { inputs, logits: x })
    }

    /// Computes the gradient of every layer from that of the logits (B,K). The features need none.
    fn backward(
        &self,
        activations: Activations,
        mask: Option<&Tensor>,
        d_logits: Tensor,
    ) -> anyhow::Result<Vec<LayerGradient>> {
        let mut delta = d_logits;
        let mut gradients = Vec::with_capacity(self.layers.len());
        for (i, input) in activations.inputs.into_iter().enumerate().rev() {
            let next = match i {
                0 => None,
                _ => {
                    let d_input = delta.matmul(&self.layers[i].weight)?; // (B,H_out) -> (B,H_in)
                    // Where the activation is 0, ReLU or dropout has a gradient of 0.
                    let passed = input.gt(0f32)?.to_dtype(delta.dtype())?; // (B,H_in)
                    let d_input = d_input.mul(&passed)?;
                    Some(match mask {
                        Some(mask) if i == 1 => d_input.mul(mask)?,
                        _ => d_input,
                    })
                }
            };
            gradients.push(LayerGradient { input, delta: delta.clone() });
            delta = next.unwrap_or(delta);
        }
        gradients.reverse();
        Ok(gradients)
    }

    fn update(&mut self, gradients: Vec<LayerGradient>, sgd: &Sgd) -> anyhow::Result<()> {
        for (layer, gradient) in self.layers.iter().zip(gradients) {
            let (n_out, n_in) = layer.weight.dims2()?;
            let (weight_velocity, bias_velocity) =
                layer.velocity.as_ref().map_or((None, None), |(w, b)| (Some(w), Some(b)));
            let n_rows = (VALUES_PER_PIECE / n_in).clamp(1, n_out);
            for start in (0..n_out).step_by(n_rows) {
                let n = n_rows.min(n_out - start);
                let delta = gradient.delta.narrow(1, start, n)?; // (B,n)
                let d_weight = delta.t()?.matmul(&gradient.input)?; // (n,H_in)
                let velocity = weight_velocity.map(|v| v.narrow(0, start, n)).transpose()?;
                sgd.update(&layer.weight.narrow(0, start, n)?, velocity, &d_weight)?;
            }
            let d_bias = gradient.delta.sum(0)?; // (B,H_out) -> (H_out)
            let without_decay = Sgd { weight_decay: 0.0, ..*sgd };
            without_decay.update(&layer.bias, bias_velocity.cloned(), &d_bias)?;
        }
        Ok(())
    }

    /// Pulls the weights towards their start, as `penalty` says.
    ///
    /// # Errors
    /// If candle refuses a shape.
    pub(crate) fn pull_to_start(&self, penalty: &StartPenalty) -> anyhow::Result<()> {
        let mut layers = self.layers.iter().enumerate();
        layers.try_for_each(|(i, layer)| penalty.pull_in_place(i, &layer.weight, &layer.bias))
    }

    /// Copies the weights.
    ///
    /// # Errors
    /// If candle refuses to give its values.
    pub(crate) fn layers(&self) -> anyhow::Result<Vec<Dense>> {
        self.layers.iter().map(|layer| to_dense(&layer.weight, &layer.bias)).collect()
    }

    /// Copies the momentum buffers; no layers without momentum.
    ///
    /// # Errors
    /// If candle refuses to give its values.
    pub(crate) fn velocity(&self) -> anyhow::Result<Vec<Dense>> {
        self.layers.iter().filter_map(|l| l.velocity.as_ref()).map(|(w, b)| to_dense(w, b)).collect()
    }
}

/// The gradient of a weight is computed in pieces of 8 MiB: a piece is still in the cache when it is added, and the
/// allocator reuses memory of this size, where the system would have to clear larger blocks at each step.
const VALUES_PER_PIECE: usize = 2 << 20;

fn to_tensors(layer: Dense) -> anyhow::Result<(Tensor, Tensor)> {
    let weight = Tensor::from_vec(layer.weight, (layer.n_out, layer.n_in), &Device::Cpu)?;
    Ok((weight, Tensor::from_vec(layer.bias, layer.n_out, &Device::Cpu)?))
}

fn to_dense(weight: &Tensor, bias: &Tensor) -> anyhow::Result<Dense> {
    let (n_out, n_in) = weight.dims2()?;
    Ok(Dense { n_out, n_in, weight: weight.flatten_all()?.to_vec1()?, bias: bias.to_vec1()? })
}

#[cfg(test)]
mod tests;
