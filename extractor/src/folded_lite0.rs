//! EfficientNet-Lite0 from a file of folded weights, for measurements beside other engines.

use anyhow::Context;
use safetensors::SafeTensors;

use crate::conv::available;
use crate::conv::inverted_residual::{BlockWeights, PackedLite0, Stage};

/// The blocks of EfficientNet-Lite0 (Tan and Le, "EfficientNet", 2019, table 1, without squeeze-and-excitation).
pub(crate) const STAGES: [Stage; 7] = [
    Stage { expand: 1, kernel: 3, stride: 1, n_out: 16, repeats: 1 },
    Stage { expand: 6, kernel: 3, stride: 2, n_out: 24, repeats: 2 },
    Stage { expand: 6, kernel: 5, stride: 2, n_out: 40, repeats: 2 },
    Stage { expand: 6, kernel: 3, stride: 2, n_out: 80, repeats: 3 },
    Stage { expand: 6, kernel: 5, stride: 1, n_out: 112, repeats: 3 },
    Stage { expand: 6, kernel: 5, stride: 2, n_out: 192, repeats: 4 },
    Stage { expand: 6, kernel: 3, stride: 1, n_out: 320, repeats: 1 },
];

/// EfficientNet-Lite0 whose batch norm is part of its weights and biases.
#[derive(Debug)]
pub struct FoldedLite0 {
    packed: PackedLite0,
}

/// The values of a layer: weight and bias.
type Layer = (Vec<f32>, Vec<f32>);

impl FoldedLite0 {
    /// Packs safetensors of f32 for the kernels called `kernels`: `stem`, `blocks.N.expand` (not of block 0),
    /// `blocks.N.depthwise`, `blocks.N.project` and `head`, each with `.weight` (as PyTorch stores it) and `.bias`.
    ///
    /// # Errors
    /// If this machine does not have the kernels, or a tensor is missing or has another shape or type.
    pub fn from_safetensors(bytes: &[u8], kernels: &str) -> anyhow::Result<Self> {
        let kernels = available()
            .iter()
            .find(|available| available.name == kernels)
            .with_context(|| format!("this machine has no kernels called {kernels}"))?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let layer = |name: &str| -> anyhow::Result<Layer> {
            let values = |part: &str| -> anyhow::Result<Vec<f32>> {
                let name = format!("{name}.{part}");
                let tensor = tensors.tensor(&name).with_context(|| format!("{name} is missing"))?;
                anyhow::ensure!(tensor.dtype() == safetensors::Dtype::F32, "{name} is not of f32");
                Ok(tensor.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect())
            };
            Ok((values("weight")?, values("bias")?))
        };
        let n_blocks: usize = STAGES.iter().map(|stage| stage.repeats).sum();
        let blocks = (0..n_blocks)
            .map(|i| {
                let part = |name: &str| layer(&format!("blocks.{i}.{name}"));
                Ok((if i == 0 { None } else { Some(part("expand")?) }, part("depthwise")?, part("project")?))
            })
            .collect::<anyhow::Result<Vec<(Option<Layer>, Layer, Layer)>>>()?;
        let given_blocks: Vec<BlockWeights<'_>> = blocks
            .iter()
            .map(|(expand, depthwise, project)| BlockWeights {
                expand: expand.as_ref().map(|layer| (&layer.0[..], &layer.1[..])),
                depthwise: (&depthwise.0, &depthwise.1),
                project: (&project.0, &project.1),
            })
            .collect();
        let (stem, head) = (layer("stem")?, layer("head")?);
        let packed =
            PackedLite0::new(kernels, (&stem.0, &stem.1), &STAGES, &given_blocks, (&head.0, &head.1))?;
        Ok(Self { packed })
    }

    /// Computes the features, the mean of each channel of the last map, on rayon's number of threads:
    /// xs (batch, 3, side, side) -> (batch, 1280).
    ///
    /// # Errors
    /// Unless the side is a multiple of 32 and xs has the stated shape.
    pub fn features(&self, xs: &[f32], batch: usize, side: usize) -> anyhow::Result<Vec<f32>> {
        Ok(self.packed.forward_means(xs, batch, side, rayon::current_num_threads())?)
    }
}
