//! Stochastic gradient descent with momentum and weight decay: how a gradient changes the weights.

use candle_core::{CpuStorage, InplaceOp2, Layout, Tensor};
use rayon::prelude::*;

/// The hyperparameters of stochastic gradient descent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sgd {
    pub(crate) learning_rate: f64,
    /// 0 to 1; 0 is without momentum.
    pub(crate) momentum: f64,
    /// L2 penalty on weights, not on biases; as in PyTorch it is added to the gradient.
    pub(crate) weight_decay: f64,
}

impl Sgd {
    /// Updates `weight` in place: v <- momentum * v + g + decay * w, w <- w - rate * v.
    /// `velocity` is the momentum buffer v; all have the same shape.
    ///
    /// # Errors
    /// If candle refuses a shape.
    pub(crate) fn update(
        &self,
        weight: &Tensor,
        velocity: Option<Tensor>,
        gradient: &Tensor,
    ) -> anyhow::Result<()> {
        let Self { learning_rate, momentum, weight_decay } = *self;
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
}

/// Computes a <- .0 * a + .1 * b in place.
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
        // Elements are independent, so that the number of threads does not change the result.
        const PER_TASK: usize = 1 << 16;
        a.par_chunks_mut(PER_TASK).zip(b.par_chunks(PER_TASK)).for_each(|(a, b)| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a = p * *a + q * b);
        });
        Ok(())
    }
}
