//! The definition of the network, in f64 and slow: the reference for the kernels.

use super::super::pointwise::Activation;
use super::super::reference::Convolution;
use super::shape::{BlockShape, Shape};
use super::{BlockWeights, stem};
use crate::conv::winograd3x3::LayerWeights;

/// Numbers with mean 0 and standard deviation `scale`, even ones: logarithms are more than Miri can do.
pub(super) fn numbers(seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut draws = data::draw::stream(seed, "test", "bottleneck");
    let reach = scale * 3f64.sqrt();
    (0..n).map(|_| draws.uniform(-reach, reach) as f32).collect()
}

pub(super) type Layer = (Vec<f32>, Vec<f32>);

/// Random weights of `n_out` channels, each of `n` weights, whose maps are about `scale` times the size of their input.
fn layer(seed: u64, n_out: usize, n: usize, scale: f64) -> Layer {
    (numbers(seed, n_out * n, scale * (2.0 / n as f64).sqrt()), numbers(seed + 1, n_out, 0.1))
}

fn given(layer: &Layer) -> LayerWeights<'_> {
    (&layer.0, &layer.1)
}

/// The weights of a block.
pub(super) struct Block {
    shape: BlockShape,
    reduce: Layer,
    pub(super) conv: Layer,
    expand: Layer,
    pub(super) shortcut: Option<Layer>,
}

/// Random weights.
pub(super) struct Net {
    pub(super) shape: Shape,
    stem: Layer,
    pub(super) blocks: Vec<Block>,
}

impl Net {
    pub(super) fn new(shape: Shape, seed: u64) -> Self {
        let mut next = 1000 * seed;
        let mut seed = || {
            next += 2;
            next
        };
        let stem = layer(seed(), shape.width, stem::N_INPUTS, 1.0);
        let block = |shape: BlockShape| Block {
            shape,
            reduce: layer(seed(), shape.n_mid, shape.n_in, 1.0),
            conv: layer(seed(), shape.n_mid, 9 * shape.n_mid, 1.0),
            expand: layer(seed(), shape.n_out(), shape.n_mid, 0.5),
            shortcut: shape.has_shortcut.then(|| layer(seed(), shape.n_out(), shape.n_in, 0.7)),
        };
        Self { shape, stem, blocks: shape.block_shapes().into_iter().map(block).collect() }
    }

    pub(super) fn stem(&self) -> LayerWeights<'_> {
        given(&self.stem)
    }

    pub(super) fn blocks(&self) -> Vec<BlockWeights<'_>> {
        self.blocks.iter().map(Block::weights).collect()
    }

    /// The means of the last map of a picture (3, side, side).
    pub(super) fn by_definition(&self, xs: &[f32], side: usize) -> Vec<f64> {
        let xs: Vec<f64> = xs.iter().map(|&x| f64::from(x)).collect();
        let convolved = convolution(&self.stem, 7, 2, Activation::Relu).apply(&xs, side);
        let mut map = max_pool(&convolved, side / 2);
        let mut side = side / 4;
        for block in &self.blocks {
            map = block.apply(&map, side);
            side /= block.shape.stride;
        }
        let area = side * side;
        map.chunks(area).map(|channel| channel.iter().sum::<f64>() / area as f64).collect()
    }
}

impl Block {
    fn weights(&self) -> BlockWeights<'_> {
        BlockWeights {
            reduce: given(&self.reduce),
            conv: given(&self.conv),
            expand: given(&self.expand),
            shortcut: self.shortcut.as_ref().map(given),
        }
    }

    fn apply(&self, xs: &[f64], side: usize) -> Vec<f64> {
        let stride = self.shape.stride;
        let reduced = convolution(&self.reduce, 1, 1, Activation::Relu).apply(xs, side);
        let convolved = convolution(&self.conv, 3, stride, Activation::Relu).apply(&reduced, side);
        let mut map = convolution(&self.expand, 1, 1, Activation::None).apply(&convolved, side / stride);
        let added = match &self.shortcut {
            Some(shortcut) => convolution(shortcut, 1, stride, Activation::None).apply(xs, side),
            None => xs.to_vec(),
        };
        map.iter_mut().zip(added).for_each(|(y, x)| *y = (*y + x).max(0.0));
        map
    }
}

/// A convolution with PyTorch's padding of half the kernel.
fn convolution(layer: &Layer, kernel: usize, stride: usize, activation: Activation) -> Convolution<'_> {
    let before = kernel / 2;
    Convolution { weight: &layer.0, bias: &layer.1, kernel, stride, groups: 1, before, activation }
}

/// The maximum of each 3x3 with stride 2 and a border of one: xs (n, side, side) -> (n, side / 2, side / 2).
fn max_pool(xs: &[f64], side: usize) -> Vec<f64> {
    let after = side / 2;
    let greatest = |i: usize| {
        let (map, y, x) = (i / (after * after), i / after % after, i % after);
        let rows = (2 * y).saturating_sub(1)..(2 * y + 2).min(side);
        let columns = (2 * x).saturating_sub(1)..(2 * x + 2).min(side);
        let values =
            rows.flat_map(|row| columns.clone().map(move |column| (map * side + row) * side + column));
        values.map(|at| xs[at]).fold(f64::NEG_INFINITY, f64::max)
    };
    (0..xs.len() / 4).map(greatest).collect()
}
