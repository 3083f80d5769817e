//! The penalty on the distance of the weights from their start: L2-SP of Li, Grandvalet and Davoine, "Explicit
//! inductive bias for transfer learning with convolutional networks", 2018.
//!
//! The mean loss of n train pictures has the additional term strength / (2 n) |w - w0|^2: a normal prior around the
//! start, which counts less the more pictures there are. As in the paper, weights that do not come from the pretrained
//! network are free: rows of classes that it does not know, and units that were drawn.
//!
//! After each step of the optimizer, w <- w0 + f (w - w0) with f = 1 / (1 + rate strength / n), the implicit gradient
//! step of the penalty, which is stable for every strength.

use candle_core::{CpuStorage, Device, InplaceOp2, Layout, Tensor};
use data::head::Dense;
use rayon::prelude::*;

/// The start of every layer, and how much of the distance each row keeps.
#[derive(Debug)]
pub(crate) struct StartPenalty {
    layers: Vec<LayerPenalty>,
}

#[derive(Debug)]
struct LayerPenalty {
    weight: Tensor,  // (H_out,H_in)
    bias: Tensor,    // (H_out)
    factors: Tensor, // (H_out) f of each row; 1 for free ones
}

impl StartPenalty {
    /// The penalty towards `start`, of which `is_free(layer, row)` says which rows are free; `factor` is f.
    ///
    /// # Errors
    /// If candle refuses a shape, or the device fails.
    pub(crate) fn new(
        start: &[Dense],
        factor: f64,
        is_free: impl Fn(usize, usize) -> bool,
        device: &Device,
    ) -> anyhow::Result<Self> {
        let layer = |(i, layer): (usize, &Dense)| {
            let &Dense { n_out, n_in, ref weight, ref bias } = layer;
            let factors = (0..n_out).map(|row| if is_free(i, row) { 1.0 } else { factor as f32 });
            Ok(LayerPenalty {
                weight: Tensor::from_slice(weight, (n_out, n_in), device)?,
                bias: Tensor::from_slice(bias, n_out, device)?,
                factors: Tensor::from_vec(factors.collect::<Vec<f32>>(), n_out, device)?,
            })
        };
        Ok(Self { layers: start.iter().enumerate().map(layer).collect::<anyhow::Result<_>>()? })
    }

    /// Pulls the weight (H_out,H_in) and the bias (H_out) of a layer on the processor towards their start, in place.
    ///
    /// # Errors
    /// If candle refuses a shape.
    pub(crate) fn pull_in_place(&self, layer: usize, weight: &Tensor, bias: &Tensor) -> anyhow::Result<()> {
        let penalty = &self.layers[layer];
        let pull = Pull { factors: penalty.factors.to_vec1()? };
        weight.inplace_op2(&penalty.weight, &pull)?;
        Ok(bias.inplace_op2(&penalty.bias, &pull)?)
    }

    /// Computes the same on any device, as new tensors.
    ///
    /// # Errors
    /// If candle refuses a shape, or the device fails.
    pub(crate) fn pulled(
        &self,
        layer: usize,
        weight: &Tensor,
        bias: &Tensor,
    ) -> candle_core::Result<(Tensor, Tensor)> {
        let LayerPenalty { weight: weight_0, bias: bias_0, factors } = &self.layers[layer];
        let by_row = factors.unsqueeze(1)?; // (H_out) -> (H_out,1)
        let weight = ((weight - weight_0)?.broadcast_mul(&by_row)? + weight_0)?; // (H_out,H_in)
        let bias = ((bias - bias_0)?.mul(factors)? + bias_0)?; // (H_out)
        Ok((weight, bias))
    }
}

/// Computes a <- b + f (a - b) in place, f by row of a.
struct Pull {
    factors: Vec<f32>, // (H_out)
}

impl InplaceOp2 for Pull {
    fn name(&self) -> &'static str {
        "pull"
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
            candle_core::bail!("pull takes contiguous f32")
        };
        let (a, b) = (&mut a[a_start..a_end], &b.as_slice::<f32>()?[b_start..b_end]);
        let n_in = a.len() / self.factors.len();
        // Rows are independent, so that the number of threads does not change the result.
        let rows = a.par_chunks_mut(n_in).zip(b.par_chunks(n_in)).zip(&self.factors);
        rows.filter(|(_, f)| **f < 1.0).for_each(|((a, b), f)| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = b + f * (*a - b));
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests;
