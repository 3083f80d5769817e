//! The head: forward, backward and update, written out.
//!
//! This is the whole of training as arithmetic; `fit` decides what is trained on and when to stop.
//! candle multiplies the matrices. Its autograd serves the tests alone: it would compute a gradient for
//! the features, and keep a gradient of the size of the weights, which we do not need.
//!
//! Letters: B rows in a batch, D features, H units of a layer, K classes. Weights are (out, in).

use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Tensor};
use data::head::Dense;
use rayon::prelude::*;

use crate::batches::Batch;
use crate::loss::{Loss, Objective, gradient};

/// How weights move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sgd {
    /// Step length.
    pub(crate) learning_rate: f64,
    /// Share of the last step that is taken again, 0 to 1.
    pub(crate) momentum: f64,
    /// L2 penalty on weights, not on biases, as PyTorch has it: it is a part of the gradient.
    pub(crate) weight_decay: f64,
}

/// A multilayer perceptron: a ReLU between two layers; after the first ReLU, in training, dropout.
#[derive(Debug)]
pub(crate) struct Mlp {
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    weight: Tensor, // (H_out,H_in)
    bias: Tensor,   // (H_out)
    /// Of weight and bias, where there is momentum.
    velocity: Option<(Tensor, Tensor)>,
}

/// What the forward pass leaves for the backward pass.
struct Trace {
    /// What went into each layer: (B,D), (B,H), ...
    inputs: Vec<Tensor>,
    logits: Tensor, // (B,K)
}

/// The gradient of one layer as the product that it is: of the weight, `delta`ᵀ `input` (H_out,H_in); of
/// the bias, the sum of `delta` over the rows (H_out). The product is formed piece by piece in the update.
struct LayerGradient {
    input: Tensor, // (B,H_in)
    delta: Tensor, // (B,H_out)
}

impl Mlp {
    /// A head of these layers, and, for momentum, of these velocities (no layers: there is none).
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

    /// Units of the first hidden layer: the width of a dropout mask; 0 without a hidden layer.
    pub(crate) fn dropout_width(&self) -> usize {
        if self.layers.len() > 1 { self.layers[0].bias.elem_count() } else { 0 }
    }

    /// (B,D) -> logits (B,K), row-major, without dropout.
    ///
    /// # Errors
    /// If candle refuses the shape.
    pub(crate) fn logits(&self, features: &Tensor) -> anyhow::Result<Vec<f32>> {
        Ok(self.forward(features, None)?.logits.flatten_all()?.to_vec1()?)
    }

    /// One step of training on `batch`: forward, backward, update. `mask` (B * H of the first hidden
    /// layer) are dropout's factors. Returns the loss before the step; where that is not finite, no
    /// weight has moved.
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
        let mask = mask.map(|mask| Tensor::from_vec(mask, (n_rows, self.dropout_width()), &Device::Cpu));
        let mask = mask.transpose()?; // (B,H)
        let trace = self.forward(&batch.features, mask.as_ref())?;
        let logits: Vec<f32> = trace.logits.flatten_all()?.to_vec1()?;
        let mut loss = Loss::default();
        loss.add(&logits, &batch.labels);
        if loss.cross_entropy.is_finite() {
            let d_logits = gradient(&logits, &batch.labels, objective);
            let d_logits = Tensor::from_vec(d_logits, trace.logits.shape(), &Device::Cpu)?; // (B,K)
            let gradients = self.backward(trace, mask.as_ref(), d_logits)?;
            self.update(gradients, sgd)?;
        }
        Ok(loss)
    }

    fn forward(&self, features: &Tensor, mask: Option<&Tensor>) -> anyhow::Result<Trace> {
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
        Ok(Trace { inputs, logits: x })
    }

    /// From the gradient of the logits (B,K) back to that of every layer. There is none for the features.
    fn backward(
        &self,
        trace: Trace,
        mask: Option<&Tensor>,
        d_logits: Tensor,
    ) -> anyhow::Result<Vec<LayerGradient>> {
        let mut delta = d_logits;
        let mut gradients = Vec::with_capacity(self.layers.len());
        for (i, input) in trace.inputs.into_iter().enumerate().rev() {
            let next = match i {
                0 => None,
                _ => {
                    let d_input = delta.matmul(&self.layers[i].weight)?; // (B,H_out) -> (B,H_in)
                    // What is 0 after ReLU and dropout was cut by the one or the other.
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
                descend(&layer.weight.narrow(0, start, n)?, velocity, &d_weight, sgd)?;
            }
            let d_bias = gradient.delta.sum(0)?; // (B,H_out) -> (H_out)
            let without_decay = Sgd { weight_decay: 0.0, ..*sgd };
            descend(&layer.bias, bias_velocity.cloned(), &d_bias, &without_decay)?;
        }
        Ok(())
    }

    /// The layers as they are.
    ///
    /// # Errors
    /// If candle refuses to give its values.
    pub(crate) fn layers(&self) -> anyhow::Result<Vec<Dense>> {
        self.layers.iter().map(|layer| to_dense(&layer.weight, &layer.bias)).collect()
    }

    /// The velocities as they are; none without momentum.
    ///
    /// # Errors
    /// If candle refuses to give its values.
    pub(crate) fn velocity(&self) -> anyhow::Result<Vec<Dense>> {
        self.layers.iter().filter_map(|l| l.velocity.as_ref()).map(|(w, b)| to_dense(w, b)).collect()
    }
}

/// A gradient is formed in pieces of 8 MiB: they stay in the cache until they are added, and memory of
/// their size is used again and again instead of being taken from the system, cleared, at each step.
const VALUES_PER_PIECE: usize = 2 << 20;

/// Moves `weight` in place: v <- momentum * v + g + decay * w, w <- w - rate * v.
fn descend(weight: &Tensor, velocity: Option<Tensor>, gradient: &Tensor, sgd: &Sgd) -> anyhow::Result<()> {
    let Sgd { learning_rate, momentum, weight_decay } = *sgd;
    match velocity {
        None => {
            weight.inplace_op2(gradient, &Combine(1.0 - learning_rate * weight_decay, -learning_rate))?;
        }
        Some(velocity) => {
            velocity.inplace_op2(gradient, &Combine(momentum, 1.0))?;
            if weight_decay > 0.0 {
                velocity.inplace_op2(weight, &Combine(1.0, weight_decay))?;
            }
            weight.inplace_op2(&velocity, &Combine(1.0, -learning_rate))?;
        }
    }
    Ok(())
}

/// a <- .0 * a + .1 * b, in place.
struct Combine(f64, f64);

impl InplaceOp2 for Combine {
    fn name(&self) -> &'static str {
        "combine"
    }

    fn cpu_fwd(
        &self,
        a: &mut CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> candle_core::Result<()> {
        let (Some((a_start, a_end)), Some((b_start, b_end)), CpuStorage::F32(a)) =
            (a_layout.contiguous_offsets(), b_layout.contiguous_offsets(), a)
        else {
            candle_core::bail!("combine takes contiguous f32")
        };
        let (a, b) = (&mut a[a_start..a_end], &b.as_slice::<f32>()?[b_start..b_end]);
        let (p, q) = (self.0 as f32, self.1 as f32);
        // Elements do not meet, so the split between threads can not change a bit.
        const PER_TASK: usize = 1 << 16;
        a.par_chunks_mut(PER_TASK).zip(b.par_chunks(PER_TASK)).for_each(|(a, b)| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = p * *a + q * b);
        });
        Ok(())
    }
}

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
