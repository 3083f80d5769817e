//! EfficientNet-Lite0: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019,
//! in TensorFlow's variant without squeeze-and-excitation and with ReLU6.
//!
//! Batch norm is folded into the convolution before it when the weights are loaded. Where the stride is 2 the border of
//! zeros is TensorFlow's `SAME`: the pixel that is left over comes after, not before.

use candle_core::{DType, Device, Error, Result, Tensor};
use candle_nn::VarBuilder;
use data::backbone::EFFICIENTNET_LITE0;
use data::backbone::efficientnet_lite0::{N_HEAD, N_STEM, STAGES};
use data::recipe::Pool;
use data::weights::Weights;

use super::batch_norm::BatchNorm;
use super::{Engine, Network, means_by, pooled};
use crate::conv::Kernels;
use crate::conv::inverted_residual::{BlockWeights, PackedLite0};
use crate::loading;

/// TensorFlow's constant of its EfficientNets, in both published sets of weights.
const BATCH_NORM_EPSILON: f64 = 1e-3;

/// The network with its weights on a device.
#[derive(Debug)]
pub struct EfficientNetLite0 {
    layers: Layers,
    /// Computes the inputs that [`takes`] accepts; there on a CPU, unless candle is to compute.
    packed: Option<PackedLite0>,
}

/// The layers for candle.
#[derive(Debug)]
struct Layers {
    stem: Convolution,
    blocks: Vec<Block>,
    head: Convolution,
}

/// An inverted residual block: 1x1 to more channels, depthwise, 1x1 to few channels.
#[derive(Debug)]
struct Block {
    /// Not there in the first block.
    expand: Option<Convolution>,
    depthwise: Convolution,
    /// Without activation.
    project: Convolution,
    /// Whether the block's input is added to its output.
    residual: bool,
}

/// A convolution with the batch norm behind it.
#[derive(Debug)]
struct Convolution {
    shape: Shape,
    /// (n_out, n_in / groups, k, k)
    weight: Tensor,
    /// (1, n_out, 1, 1)
    bias: Tensor,
    /// Whether ReLU6 follows.
    activated: bool,
}

/// The shape of a convolution.
#[derive(Debug, Clone, Copy)]
struct Shape {
    n_in: usize,
    n_out: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
}

impl EfficientNetLite0 {
    /// Puts `weights` onto `device`. Devices other than the CPU ignore `engine`.
    ///
    /// # Errors
    /// Lists everything that is wrong with the weights; or if the device has no room.
    pub fn new(weights: &Weights, device: &Device, engine: Engine) -> anyhow::Result<Self> {
        let layers = Layers::load(weights, device)?;
        let kernels = engine.kernels().filter(|_| device.is_cpu());
        let packed = kernels.map(|kernels| layers.pack(kernels)).transpose()?;
        Ok(Self { layers, packed })
    }
}

impl Layers {
    fn load(weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        loading::load(weights, device, |tensors| {
            let stem = Shape { n_in: 3, n_out: N_STEM, kernel: 3, stride: 2, groups: 1 };
            let stem = Convolution::load(stem, true, &tensors, ["conv_stem", "bn1"])?;
            let mut blocks = Vec::new();
            let mut n_in = N_STEM;
            for (i, stage) in STAGES.iter().enumerate() {
                for j in 0..stage.repeats {
                    let stride = if j == 0 { stage.stride } else { 1 };
                    let shape = Shape { n_in, n_out: stage.n_out, kernel: stage.kernel, stride, groups: 1 };
                    blocks.push(Block::load(shape, stage.expand, &tensors.pp(format!("blocks.{i}.{j}")))?);
                    n_in = stage.n_out;
                }
            }
            let head =
                Convolution::load(Shape::pointwise(n_in, N_HEAD), true, &tensors, ["conv_head", "bn2"])?;
            Ok(Self { stem, blocks, head })
        })
    }

    /// Packs the weights for the kernels.
    fn pack(&self, kernels: &'static Kernels) -> anyhow::Result<PackedLite0> {
        let (stem, head) = (self.stem.values()?, self.head.values()?);
        let blocks = self.blocks.iter().map(|block| {
            let expand = block.expand.as_ref().map(Convolution::values).transpose()?;
            Ok((expand, block.depthwise.values()?, block.project.values()?))
        });
        let blocks: Vec<(Option<Values>, Values, Values)> = blocks.collect::<Result<_>>()?;
        let given: Vec<BlockWeights<'_>> = blocks
            .iter()
            .map(|(expand, depthwise, project)| BlockWeights {
                expand: expand.as_ref().map(Values::as_slices),
                depthwise: depthwise.as_slices(),
                project: project.as_slices(),
            })
            .collect();
        Ok(PackedLite0::new(kernels, stem.as_slices(), &STAGES, &given, head.as_slices())?)
    }

    /// Computes xs (B, 3, S, S) -> (B, 1280, S/32, S/32) with candle.
    fn maps(&self, xs: &Tensor) -> Result<Tensor> {
        let mut xs = self.stem.apply(xs)?; // (B, 32, S/2, S/2)
        for block in &self.blocks {
            xs = block.apply(&xs)?; // (B, n_out, h, w), halved by some
        }
        self.head.apply(&xs) // (B, 1280, S/32, S/32)
    }
}

/// The values of a convolution: weight and bias.
struct Values {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Values {
    fn as_slices(&self) -> (&[f32], &[f32]) {
        (&self.weight, &self.bias)
    }
}

/// The side of the pictures xs (B, 3, S, S) if the kernels can compute them: f32 on the CPU, S a multiple of 32.
fn takes(xs: &Tensor) -> Option<usize> {
    let &[_, 3, height, width] = xs.dims() else { return None };
    let is_square =
        height == width && height > 0 && height.is_multiple_of(EFFICIENTNET_LITE0.stride as usize);
    (xs.device().is_cpu() && xs.dtype() == DType::F32 && is_square).then_some(height)
}

impl EfficientNetLite0 {
    /// Computes the last map: xs (B, 3, S, S) -> (B, 1280, S/32, S/32).
    fn maps(&self, xs: &Tensor) -> Result<Tensor> {
        let Some((packed, side)) = self.packed.as_ref().zip(takes(xs)) else { return self.layers.maps(xs) };
        let n = xs.dim(0)?;
        let pictures = xs.flatten_all()?.to_vec1::<f32>()?;
        let maps = packed.forward(&pictures, n, side, rayon::current_num_threads()).map_err(Error::wrap)?;
        let side = side / EFFICIENTNET_LITE0.stride as usize;
        Tensor::from_vec(maps, (n, N_HEAD, side, side), xs.device())
    }
}

impl Network for EfficientNetLite0 {
    fn features(&self, xs: &Tensor, pool: Pool) -> Result<Tensor> {
        let packed = self.packed.as_ref().filter(|_| pool == Pool::Avg && takes(xs).is_some());
        let Some(packed) = packed else { return pooled(&self.maps(xs)?, pool) };
        means_by(xs, &EFFICIENTNET_LITE0, |xs, n, side, n_threads| {
            packed.forward_means(xs, n, side, n_threads)
        }) // (B, 1280)
    }
}

impl Block {
    /// Takes the tensors of a block from n_in to n_out channels of `shape`, whose kernel and stride are those of its
    /// depthwise convolution.
    fn load(shape: Shape, expand: usize, tensors: &VarBuilder<'_>) -> Result<Self> {
        let Shape { n_in, n_out, kernel, stride, .. } = shape;
        let n_mid = expand * n_in;
        let depthwise = Shape { n_in: n_mid, n_out: n_mid, kernel, stride, groups: n_mid };
        let (wide, project) = (Shape::pointwise(n_in, n_mid), Shape::pointwise(n_mid, n_out));
        let load = |shape, activated, names| Convolution::load(shape, activated, tensors, names);
        let (expand, depthwise, project) = match expand {
            1 => {
                (None, load(depthwise, true, ["conv_dw", "bn1"])?, load(project, false, ["conv_pw", "bn2"])?)
            }
            _ => (
                Some(load(wide, true, ["conv_pw", "bn1"])?),
                load(depthwise, true, ["conv_dw", "bn2"])?,
                load(project, false, ["conv_pwl", "bn3"])?,
            ),
        };
        Ok(Self { expand, depthwise, project, residual: stride == 1 && n_in == n_out })
    }

    /// Computes xs (B, n_in, h, w) -> (B, n_out, h / stride, w / stride).
    fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        let expanded = match &self.expand {
            Some(expand) => expand.apply(xs)?, // (B, n_mid, h, w)
            None => xs.clone(),
        };
        let ys = self.project.apply(&self.depthwise.apply(&expanded)?)?; // (B, n_out, h / stride, w / stride)
        if self.residual { ys + xs } else { Ok(ys) }
    }
}

impl Shape {
    /// The shape of a 1x1 convolution.
    fn pointwise(n_in: usize, n_out: usize) -> Self {
        Self { n_in, n_out, kernel: 1, stride: 1, groups: 1 }
    }
}

impl Convolution {
    /// Takes the weight (n_out, n_in / groups, k, k) and folds the batch norm into it, in f64; `names` are those of the
    /// convolution and of the batch norm.
    fn load(shape: Shape, activated: bool, tensors: &VarBuilder<'_>, names: [&str; 2]) -> Result<Self> {
        let Shape { n_in, n_out, kernel, groups, .. } = shape;
        let dims = (n_out, n_in / groups, kernel, kernel);
        let weight = tensors.pp(names[0]).get(dims, "weight")?;
        let norm = tensors.pp(names[1]);
        let norm = |name: &str| norm.get(n_out, name)?.to_vec1::<f32>();
        let (scale, bias) = (norm("weight")?, norm("bias")?);
        let (mean, variance) = (norm("running_mean")?, norm("running_var")?);
        let batch_norm = BatchNorm {
            scale: &scale,
            bias: &bias,
            mean: &mean,
            variance: &variance,
            epsilon: BATCH_NORM_EPSILON,
        };
        let (folded, bias) = batch_norm.fold_into(&weight.flatten_all()?.to_vec1::<f32>()?)?;
        Ok(Self {
            shape,
            weight: Tensor::from_vec(folded, dims, tensors.device())?,
            bias: Tensor::from_vec(bias, (1, n_out, 1, 1), tensors.device())?,
            activated,
        })
    }

    /// Copies the weight (n_out, n_in / groups, k, k) and the bias (n_out).
    fn values(&self) -> Result<Values> {
        Ok(Values {
            weight: self.weight.flatten_all()?.to_vec1()?,
            bias: self.bias.flatten_all()?.to_vec1()?,
        })
    }

    /// Computes xs (B, n_in, h, w) -> (B, n_out, h / stride, w / stride).
    fn apply(&self, xs: &Tensor) -> Result<Tensor> {
        let Shape { kernel, stride, groups, .. } = self.shape;
        let total = kernel - stride; // for h and w divisible by the stride
        let (before, after) = (total / 2, total - total / 2);
        let ys = match before == after {
            true => xs.conv2d(&self.weight, before, stride, 1, groups)?, // (B, n_out, h / stride, w / stride)
            false => {
                let xs = xs.pad_with_zeros(2, before, after)?.pad_with_zeros(3, before, after)?; // (B, n_in, h + total, w + total)
                xs.conv2d(&self.weight, 0, stride, 1, groups)? // (B, n_out, h / stride, w / stride)
            }
        };
        let ys = ys.broadcast_add(&self.bias)?;
        // Not candle's ReLU, which turns NaN into 0: an overflow would pass for features.
        if self.activated { ys.maximum(0f32)?.minimum(6f32) } else { Ok(ys) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(engine: Engine) -> EfficientNetLite0 {
        EfficientNetLite0::new(&Weights::seeded(&EFFICIENTNET_LITE0, 1), &Device::Cpu, engine).unwrap()
    }

    fn values(xs: &Tensor) -> Vec<f32> {
        xs.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn a_value_that_is_no_number_is_not_hidden() {
        let xs = Tensor::full(f32::NAN, (1, 3, 32, 32), &Device::Cpu).unwrap();
        for engine in Engine::available() {
            let network = open(engine);
            assert!(values(&network.maps(&xs).unwrap()).iter().all(|x| x.is_nan()), "{engine}");
        }
    }

    #[test]
    fn a_missing_tensor_is_named() {
        let mut weights = Weights::seeded(&EFFICIENTNET_LITE0, 1);
        weights.tensors.pop();
        let message = EfficientNetLite0::new(&weights, &Device::Cpu, Engine::best()).unwrap_err().to_string();
        assert!(message.contains("bn2.running_var is missing"), "{message}");
    }

    #[test]
    fn all_engines_give_what_candle_gives() {
        let mut draws = data::draw::stream(1, "test", "efficientnet-lite0");
        let xs: Vec<f32> = (0..2 * 3 * 64 * 64).map(|_| draws.normal() as f32).collect();
        let xs = Tensor::from_vec(xs, (2, 3, 64, 64), &Device::Cpu).unwrap();
        let candle = open(Engine::named("candle").unwrap());
        for pool in [Pool::None, Pool::Avg] {
            let expected = values(&candle.features(&xs, pool).unwrap());
            let norm = expected.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            assert!(norm > 0.0);
            for engine in Engine::available() {
                let got = values(&open(engine).features(&xs, pool).unwrap());
                let apart =
                    got.iter().zip(&expected).map(|(&a, &b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
                assert!(apart <= 5e-6 * norm, "{engine}, {pool}: {:e}", apart / norm);
            }
        }
    }
}
