//! The network beside its definition, on all kernels that this machine has.

use super::super::{Kernels, available};
use super::reference::Convolution;
use super::shape::BlockShape;
use super::{BlockWeights, PackedLite0, Stage};

/// EfficientNet-Lite0.
const LITE0: [Stage; 7] = [
    stage(1, 3, 1, 16, 1),
    stage(6, 3, 2, 24, 2),
    stage(6, 5, 2, 40, 2),
    stage(6, 3, 2, 80, 3),
    stage(6, 5, 1, 112, 3),
    stage(6, 5, 2, 192, 4),
    stage(6, 3, 1, 320, 1),
];

const fn stage(expand: usize, kernel: usize, stride: usize, n_out: usize, repeats: usize) -> Stage {
    Stage { expand, kernel, stride, n_out, repeats }
}

/// Numbers with mean 0 and standard deviation `scale`, even ones: logarithms are more than Miri can do.
fn numbers(seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut draws = data::draw::stream(seed, "test", "inverted_residual");
    let reach = scale * 3f64.sqrt();
    (0..n).map(|_| draws.uniform(-reach, reach) as f32).collect()
}

type Layer = (Vec<f32>, Vec<f32>);

/// Random weights of `n_out` channels, each of `n` weights, whose maps keep about the size of their input.
fn layer(seed: u64, n_out: usize, n: usize) -> Layer {
    (numbers(seed, n_out * n, (2.0 / n as f64).sqrt()), numbers(seed + 1, n_out, 0.1))
}

/// Random weights.
struct Net {
    stages: Vec<Stage>,
    shapes: Vec<BlockShape>,
    stem: Layer,
    /// expand, depthwise, project
    blocks: Vec<(Option<Layer>, Layer, Layer)>,
    head: Layer,
}

fn given(layer: &Layer) -> (&[f32], &[f32]) {
    (&layer.0, &layer.1)
}

impl Net {
    fn new(n_stem: usize, stages: &[Stage], n_head: usize, seed: u64) -> Self {
        let shapes = BlockShape::of_stages(stages, n_stem);
        let blocks = shapes.iter().zip(0..).map(|(shape, i)| {
            let seed = 1000 * seed + 10 * i;
            (
                shape.expanded.then(|| layer(seed, shape.n_mid, shape.n_in)),
                layer(seed + 2, shape.n_mid, shape.kernel * shape.kernel),
                layer(seed + 4, shape.n_out, shape.n_mid),
            )
        });
        let n_last = shapes[shapes.len() - 1].n_out;
        Self {
            stages: stages.to_vec(),
            stem: layer(1000 * seed + 998, n_stem, 27),
            blocks: blocks.collect(),
            head: layer(1000 * seed + 996, n_head, n_last),
            shapes,
        }
    }

    fn lite0() -> Self {
        Self::new(32, &LITE0, 1280, 1)
    }

    /// Each kind of block once, few channels that are no multiples of 16.
    fn small() -> Self {
        let stages = [
            stage(1, 3, 1, 8, 1),
            stage(3, 3, 2, 24, 2),
            stage(2, 5, 2, 20, 2),
            stage(2, 3, 2, 40, 1),
            stage(1, 5, 2, 24, 1),
        ];
        let stages = stages.map(|s| if s.n_out == 24 && s.kernel == 5 { stage(3, 5, 2, 24, 1) } else { s });
        Self::new(32, &stages, 36, 2)
    }

    fn packed(&self, kernels: &'static Kernels) -> PackedLite0 {
        let blocks: Vec<BlockWeights<'_>> = self
            .blocks
            .iter()
            .map(|(expand, depthwise, project)| BlockWeights {
                expand: expand.as_ref().map(given),
                depthwise: given(depthwise),
                project: given(project),
            })
            .collect();
        PackedLite0::new(kernels, given(&self.stem), &self.stages, &blocks, given(&self.head)).unwrap()
    }

    /// The last map of a picture by definition: (channels, side / 32, side / 32).
    fn by_definition(&self, xs: &[f32], side: usize) -> Vec<f64> {
        let pointwise = |layer, relu6| convolution(layer, 1, 1, 1, relu6);
        let xs: Vec<f64> = xs.iter().map(|&x| f64::from(x)).collect();
        let mut map = convolution(&self.stem, 3, 2, 1, true).apply(&xs, side);
        let mut side = side / 2;
        for (shape, (expand, depthwise, project)) in self.shapes.iter().zip(&self.blocks) {
            let input = map.clone();
            if let Some(expand) = expand {
                map = pointwise(expand, true).apply(&map, side);
            }
            map = convolution(depthwise, shape.kernel, shape.stride, shape.n_mid, true).apply(&map, side);
            side /= shape.stride;
            map = pointwise(project, false).apply(&map, side);
            if shape.has_residual() {
                map.iter_mut().zip(&input).for_each(|(y, x)| *y += x);
            }
        }
        pointwise(&self.head, true).apply(&map, side)
    }
}

fn convolution(layer: &Layer, kernel: usize, stride: usize, groups: usize, relu6: bool) -> Convolution<'_> {
    Convolution { weight: &layer.0, bias: &layer.1, kernel, stride, groups, relu6 }
}

/// |a - b| / |b|.
fn relative(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - b)).sum();
    (difference / b.iter().copied().map(square).sum::<f64>()).sqrt()
}

/// The relative L2 error that kernels may have.
fn tolerance(kernels: &Kernels) -> f64 {
    // Without the instruction, a product is rounded before it is added.
    if kernels.name == "portable" { 4e-6 } else { 2e-6 }
}

/// Checks one picture on all kernels: its last map, and the means of it.
fn check(net: &Net, side: usize) {
    let xs = numbers(side as u64, 3 * side * side, 1.0);
    let map = net.by_definition(&xs, side);
    let n = (side / 32) * (side / 32);
    let means: Vec<f64> = map.chunks(n).map(|channel| channel.iter().sum::<f64>() / n as f64).collect();
    for kernels in available() {
        let packed = net.packed(kernels);
        for n_threads in [1, 2] {
            let error = relative(&packed.forward(&xs, 1, side, n_threads).unwrap(), &map);
            assert!(
                error <= tolerance(kernels),
                "{} at {side}, {n_threads} threads: {error:e}",
                kernels.name
            );
            let error = relative(&packed.forward_means(&xs, 1, side, n_threads).unwrap(), &means);
            assert!(
                error <= tolerance(kernels),
                "{} at {side}, {n_threads} threads, means: {error:e}",
                kernels.name
            );
        }
    }
}

#[test]
fn a_small_network_is_what_its_definition_says_for_every_side() {
    for side in [32, 64, 96, 128, 160, 224, 320] {
        check(&Net::small(), side);
    }
}

#[test]
fn efficientnet_lite0_is_what_its_definition_says() {
    for side in [32, 64, 96, 224] {
        check(&Net::lite0(), side);
    }
}

#[test]
#[ignore = "prints speeds"]
fn speed() {
    let env = |name: &str, default: usize| std::env::var(name).map_or(default, |n| n.parse().unwrap());
    let (batch, n_threads, side) = (env("BATCH", 1), env("THREADS", 1), env("SIDE", 224));
    let net = Net::lite0();
    let kernels = available()[0];
    let packed = net.packed(kernels);
    let xs = numbers(1, batch * 3 * side * side, 1.0);
    let mut times = Vec::new();
    for _ in 0..env("RUNS", 100) {
        let start = std::time::Instant::now();
        packed.forward_means(&xs, batch, side, n_threads).unwrap();
        times.push(start.elapsed().as_secs_f64() * 1e3 / batch as f64);
    }
    times.sort_by(f64::total_cmp);
    let peak = kernels.peak_gflops();
    let at = |q: usize| times[times.len() * q / 100];
    println!(
        "{} batch {batch}, {n_threads} threads: fastest {:.2} ms, 10 % {:.2}, median {:.2}; {:.1} images/s; peak {peak:.1}, \
         share {:.2}",
        kernels.name,
        times[0],
        at(10),
        at(50),
        1e3 / at(50),
        0.7678 / (times[0] / 1e3) / peak / n_threads as f64
    );
}
