//! All layers as one operation of candle.

use std::time::{Duration, Instant};

use anyhow::Context;
use candle_core::{CpuStorage, CustomOp1, DType, Error, Layout, Result, Shape, Tensor};
use data::weights::Weights;

use super::{LAYERS, Layer};
use crate::conv::Kernels;
use crate::conv::winograd3x3::{LayerWeights, PackedVgg, STRIDE};

/// The network with its weights transformed for the kernels of one instruction set.
#[derive(Debug)]
pub(super) struct Fused {
    packed: PackedVgg,
}

impl Fused {
    /// Transforms `weights`, which takes four times their memory, six times where they are split.
    ///
    /// # Errors
    /// If they are not those of VGG-16.
    pub(super) fn new(weights: &Weights, kernels: &'static Kernels) -> anyhow::Result<Self> {
        let start = Instant::now();
        let values = |name: String| {
            weights
                .get(&name)
                .map(|tensor| tensor.values.as_slice())
                .with_context(|| format!("{name} is missing"))
        };
        let layer = |layer: &Layer| -> anyhow::Result<LayerWeights<'_>> {
            let [weight, bias] = layer.tensor_names().map(values);
            Ok((weight?, bias?))
        };
        let layers: Vec<LayerWeights<'_>> = LAYERS.iter().map(layer).collect::<anyhow::Result<_>>()?;
        let pooled = LAYERS.map(|layer| layer.pooled);
        let packed = PackedVgg::new(kernels, &layers, &pooled, rayon::current_num_threads())?;
        tracing::debug!(
            "weights transformed for the {} kernels in {:.2} s",
            kernels.name,
            start.elapsed().as_secs_f64()
        );
        Ok(Self { packed })
    }

    /// Whether `xs` can be computed here: f32 on the CPU, (B, 3, S, S) with S a multiple of 32.
    pub(super) fn takes(xs: &Tensor) -> bool {
        let square = |&[_, n_in, height, width]: &[usize; 4]| {
            n_in == LAYERS[0].n_in && height == width && height > 0 && height.is_multiple_of(STRIDE)
        };
        xs.device().is_cpu() && xs.dtype() == DType::F32 && xs.dims().try_into().is_ok_and(square)
    }

    /// See [`super::Vgg16::time_layers`].
    ///
    /// # Errors
    /// Unless [`Fused::takes`] it.
    pub(super) fn time_layers(&self, xs: &Tensor) -> Result<Vec<Duration>> {
        let (batch, _, side, _) = xs.dims4()?;
        let xs = xs.flatten_all()?.to_vec1::<f32>()?;
        let timed = self.packed.forward_timed(&xs, batch, side, rayon::current_num_threads());
        Ok(timed.map_err(Error::wrap)?.1)
    }

    /// Computes the last map: xs (B, 3, S, S) -> (B, 512, S/32, S/32).
    ///
    /// # Errors
    /// Unless [`Fused::takes`] it.
    pub(super) fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        xs.contiguous()?.apply_op1_no_bwd(self)
    }
}

impl CustomOp1 for Fused {
    fn name(&self) -> &'static str {
        "vgg16"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (batch, _, side, _) = layout.shape().dims4()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            return Err(Error::RequiresContiguous { op: "vgg16" }.bt());
        };
        let xs = &storage.as_slice::<f32>()?[start..end];
        let maps = self
            .packed
            .forward(xs, batch, side, rayon::current_num_threads()) // (B, 512, S/32, S/32)
            .map_err(Error::wrap)?;
        let last = LAYERS[LAYERS.len() - 1].n_out;
        Ok((CpuStorage::F32(maps), Shape::from((batch, last, side / STRIDE, side / STRIDE))))
    }
}
