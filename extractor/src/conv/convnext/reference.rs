//! The definition of the network, in f64 and slow: the reference for the kernels.

use super::super::layer_norm::EPSILON;
use super::super::pointwise::Activation;
use super::super::reference::{Convolution, gelu, layer_norm};
use super::shape::{DOWNSAMPLE, KERNEL, STEM, Shape};
use super::{BlockWeights, StageWeights, StemWeights};

/// Numbers with mean 0 and standard deviation `scale`, even ones: logarithms are more than Miri can do.
pub(super) fn numbers(seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut draws = data::draw::stream(seed, "test", "convnext");
    let reach = scale * 3f64.sqrt();
    (0..n).map(|_| draws.uniform(-reach, reach) as f32).collect()
}

type Layer = (Vec<f32>, Vec<f32>);

/// Random weights of `n_out` channels, each of `n` weights, whose maps keep about the size of their input.
fn layer(seed: u64, n_out: usize, n: usize) -> Layer {
    (numbers(seed, n_out * n, (1.0 / n as f64).sqrt()), numbers(seed + 1, n_out, 0.1))
}

/// Scales about 1 and shifts about 0.
fn norm(seed: u64, n: usize) -> Layer {
    let scale = numbers(seed, n, 0.3).into_iter().map(|x| 1.0 + x).collect();
    (scale, numbers(seed + 1, n, 0.3))
}

fn given(layer: &Layer) -> (&[f32], &[f32]) {
    (&layer.0, &layer.1)
}

/// The weights of a block.
pub(super) struct Block {
    pub(super) depthwise: Layer,
    norm: Layer,
    expand: Layer,
    project: Layer,
    gamma: Vec<f32>,
}

/// Random weights.
pub(super) struct Net {
    pub(super) shape: Shape,
    stem: Layer,
    stem_norm: Layer,
    pub(super) stages: Vec<(Option<(Layer, Layer)>, Vec<Block>)>,
}

impl Net {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        let mut next = 1000 * seed;
        let mut seed = || {
            next += 2;
            next
        };
        let n = shape.channels[0];
        let (stem, stem_norm) = (layer(seed(), n, 3 * STEM * STEM), norm(seed(), n));
        let mut n_in = n;
        let mut stages = Vec::new();
        for (i, (n_blocks, n)) in shape.blocks.into_iter().zip(shape.channels).enumerate() {
            let downsample = (i > 0).then(|| (norm(seed(), n_in), layer(seed(), n, n_in * 4)));
            let mut block = || Block {
                depthwise: layer(seed(), n, KERNEL * KERNEL),
                norm: norm(seed(), n),
                expand: layer(seed(), 4 * n, n),
                project: layer(seed(), n, 4 * n),
                gamma: numbers(seed(), n, 1.0),
            };
            stages.push((downsample, (0..n_blocks).map(|_| block()).collect()));
            n_in = n;
        }
        Self { shape, stem, stem_norm, stages }
    }

    pub(super) fn stem(&self) -> StemWeights<'_> {
        StemWeights { conv: given(&self.stem), norm: given(&self.stem_norm) }
    }

    pub(super) fn stages<'a>(&'a self) -> Vec<StageWeights<'a>> {
        let stage = |stage: &'a (Option<(Layer, Layer)>, Vec<Block>)| StageWeights {
            downsample: stage.0.as_ref().map(|(norm, conv)| (given(norm), given(conv))),
            blocks: stage.1.iter().map(Block::weights).collect(),
        };
        self.stages.iter().map(stage).collect()
    }

    /// The means of the last map of a picture (3, side, side).
    pub(super) fn by_definition(&self, xs: &[f32], side: usize) -> Vec<f64> {
        let xs: Vec<f64> = xs.iter().map(|&x| f64::from(x)).collect();
        let mut map = convolution(&self.stem, STEM, STEM, 1).apply(&xs, side);
        map = layer_norm(&map, given(&self.stem_norm), f64::from(EPSILON));
        let mut side = side / STEM;
        for (downsample, blocks) in &self.stages {
            if let Some((norm, conv)) = downsample {
                map = layer_norm(&map, given(norm), f64::from(EPSILON));
                map = convolution(conv, DOWNSAMPLE, DOWNSAMPLE, 1).apply(&map, side);
                side /= DOWNSAMPLE;
            }
            for block in blocks {
                let residual = block.residual(&map, side);
                map.iter_mut().zip(residual).for_each(|(x, y)| *x += y);
            }
        }
        let area = side * side;
        map.chunks(area).map(|channel| channel.iter().sum::<f64>() / area as f64).collect()
    }
}

impl Block {
    fn weights(&self) -> BlockWeights<'_> {
        BlockWeights {
            depthwise: given(&self.depthwise),
            norm: given(&self.norm),
            expand: given(&self.expand),
            project: given(&self.project),
            gamma: &self.gamma,
        }
    }

    /// What is added to the block's input.
    fn residual(&self, xs: &[f64], side: usize) -> Vec<f64> {
        let filtered = convolution(&self.depthwise, KERNEL, 1, self.gamma.len()).apply(xs, side);
        let normalised = layer_norm(&filtered, given(&self.norm), f64::from(EPSILON));
        let mut hidden = convolution(&self.expand, 1, 1, 1).apply(&normalised, side);
        hidden.iter_mut().for_each(|x| *x = gelu(*x));
        let mut out = convolution(&self.project, 1, 1, 1).apply(&hidden, side);
        out.iter_mut().enumerate().for_each(|(i, x)| *x *= f64::from(self.gamma[i / (side * side)]));
        out
    }
}

/// A convolution whose border, if its stride is 1, keeps the side.
fn convolution(layer: &Layer, kernel: usize, stride: usize, groups: usize) -> Convolution<'_> {
    let before = if stride == 1 { kernel / 2 } else { 0 };
    let activation = Activation::None;
    Convolution { weight: &layer.0, bias: &layer.1, kernel, stride, groups, before, activation }
}
