//! The network beside its definition, on all kernels that this machine has.

use super::super::pointwise::Activation;
use super::super::pointwise::{balanced, channel_blocks};
use super::super::reference::Convolution;
use super::super::unsupported::Unsupported;
use super::super::{Kernels, available};
use super::shape::BlockShape;
use data::backbone::efficientnet_lite0::{STAGES, Stage};

use super::{BlockWeights, PackedLite0};

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
        Self::new(32, &STAGES, 1280, 1)
    }

    /// Each kind of block at least once, with channels that are no multiples of 16.
    fn small() -> Self {
        let stages = [
            stage(1, 3, 1, 8, 1),
            stage(3, 3, 2, 24, 2),
            stage(2, 5, 2, 20, 2),
            stage(2, 3, 2, 40, 1),
            stage(3, 5, 2, 24, 1),
        ];
        Self::new(32, &stages, 36, 2)
    }

    fn packed(&self, kernels: &'static Kernels) -> PackedLite0 {
        self.try_packed(kernels).unwrap()
    }

    fn try_packed(&self, kernels: &'static Kernels) -> Result<PackedLite0, Unsupported> {
        let blocks: Vec<BlockWeights<'_>> = self
            .blocks
            .iter()
            .map(|(expand, depthwise, project)| BlockWeights {
                expand: expand.as_ref().map(given),
                depthwise: given(depthwise),
                project: given(project),
            })
            .collect();
        PackedLite0::new(kernels, given(&self.stem), &self.stages, &blocks, given(&self.head))
    }

    /// The last map of a picture by definition: (channels, side / 32, side / 32).
    fn by_definition(&self, xs: &[f32], side: usize) -> Vec<f64> {
        let pointwise = |layer, activation| convolution(layer, 1, 1, 1, activation);
        let xs: Vec<f64> = xs.iter().map(|&x| f64::from(x)).collect();
        let mut map = convolution(&self.stem, 3, 2, 1, Activation::Relu6).apply(&xs, side);
        let mut side = side / 2;
        for (shape, (expand, depthwise, project)) in self.shapes.iter().zip(&self.blocks) {
            let input = map.clone();
            if let Some(expand) = expand {
                map = pointwise(expand, Activation::Relu6).apply(&map, side);
            }
            map = convolution(depthwise, shape.kernel, shape.stride, shape.n_mid, Activation::Relu6)
                .apply(&map, side);
            side /= shape.stride;
            map = pointwise(project, Activation::None).apply(&map, side);
            if shape.has_residual() {
                map.iter_mut().zip(&input).for_each(|(y, x)| *y += x);
            }
        }
        pointwise(&self.head, Activation::Relu6).apply(&map, side)
    }
}

/// A layer with TensorFlow's SAME padding for an even side.
fn convolution(
    layer: &Layer,
    kernel: usize,
    stride: usize,
    groups: usize,
    activation: Activation,
) -> Convolution<'_> {
    let before = (kernel - stride) / 2;
    Convolution { weight: &layer.0, bias: &layer.1, kernel, stride, groups, before, activation }
}

/// |a - b| / |b|.
fn relative(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - b)).sum();
    (difference / b.iter().copied().map(square).sum::<f64>()).sqrt()
}

/// The relative L2 error of a whole network's map: its layers multiply the rounding errors of those before; a layer alone has to
/// be nearer ([`packed`](super::packed)). PyTorch's is as large.
const TOLERANCE: f64 = 1e-5;
/// The same for the means of its channels, where errors cancel out.
const MEANS_TOLERANCE: f64 = 3e-6;

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
            assert!(error <= TOLERANCE, "{} at {side}, {n_threads} threads: {error:e}", kernels.name);
            let error = relative(&packed.forward_means(&xs, 1, side, n_threads).unwrap(), &means);
            assert!(
                error <= MEANS_TOLERANCE,
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

/// Bits of a batch on several numbers of threads, and of each picture alone.
fn check_bits(net: &Net, side: usize, batch: usize) {
    let xs = numbers(6, batch * 3 * side * side, 1.0);
    for kernels in available() {
        let packed = net.packed(kernels);
        let maps = packed.forward(&xs, batch, side, 1).unwrap();
        let means = packed.forward_means(&xs, batch, side, 1).unwrap();
        for n_threads in [2, 3] {
            let name = format!("{}: {n_threads} threads, {batch} at {side}", kernels.name);
            assert!(packed.forward(&xs, batch, side, n_threads).unwrap() == maps, "{name}");
            assert!(packed.forward_means(&xs, batch, side, n_threads).unwrap() == means, "{name}");
        }
        for (picture, xs) in xs.chunks(3 * side * side).enumerate() {
            let n = maps.len() / batch;
            let alone = packed.forward(xs, 1, side, 2).unwrap();
            assert!(alone == maps[picture * n..][..n], "{}: {picture} of {batch} at {side}", kernels.name);
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_neighbours() {
    for (side, batch) in [(32, 5), (64, 2), (96, 3), (224, 1)] {
        check_bits(&Net::small(), side, batch);
    }
    check_bits(&Net::lite0(), 96, 3);
    check_bits(&Net::lite0(), 224, 1);
}

/// Small enough for `make miri`, which looks at every access to memory.
#[test]
fn two_threads_and_three_pictures_touch_only_their_own_memory() {
    let stages = [
        stage(1, 3, 1, 8, 1),
        stage(2, 3, 2, 8, 2),
        stage(2, 5, 2, 24, 1),
        stage(2, 5, 2, 8, 1),
        stage(2, 3, 2, 8, 1),
    ];
    let net = Net::new(32, &stages, 20, 3);
    let xs = numbers(16, 3 * 3 * 32 * 32, 1.0);
    for kernels in available() {
        let maps = net.packed(kernels).forward(&xs, 3, 32, 2).unwrap();
        assert!(maps[..20] != maps[20..40] && maps[20..40] != maps[40..], "{}", kernels.name);
        assert!(maps.iter().all(|y| y.is_finite()), "{}", kernels.name);
    }
}

#[test]
fn what_an_earlier_call_left_behind_does_not_show() {
    let net = Net::small();
    for kernels in available() {
        let packed = net.packed(kernels);
        for (side, batch, n_threads) in [(64, 3, 2), (32, 9, 1), (96, 1, 3), (64, 1, 2), (32, 2, 2)] {
            let xs = numbers(14, batch * 3 * side * side, 1.0);
            let fresh = net.packed(kernels).forward(&xs, batch, side, n_threads).unwrap();
            let again = packed.forward(&xs, batch, side, n_threads).unwrap();
            assert!(again == fresh, "{}: {batch} at {side}", kernels.name);
        }
    }
}

#[test]
fn what_is_not_a_number_reaches_every_channel_and_no_other_picture() {
    const SIDE: usize = 32;
    let net = Net::small();
    let (xs, len) = (numbers(10, 3 * 3 * SIDE * SIDE, 1.0), 3 * SIDE * SIDE);
    for kernels in available() {
        let packed = net.packed(kernels);
        let clean = packed.forward(&xs, 3, SIDE, 2).unwrap();
        let n = clean.len() / 3;
        for bad in [f32::NAN, -f32::NAN, f32::from_bits(0x7fff_ffff)] {
            for at in [0, 31, 5 * SIDE + 7, SIDE * SIDE - 1, len - 1] {
                let mut spoilt = xs.clone();
                spoilt[len + at] = bad;
                let got = packed.forward(&spoilt, 3, SIDE, 2).unwrap();
                assert!(got[n..2 * n].iter().all(|y| y.is_nan()), "{}: {at} is hidden", kernels.name);
                assert!(got[..n] == clean[..n] && got[2 * n..] == clean[2 * n..]);
                let means = packed.forward_means(&spoilt, 3, SIDE, 2).unwrap();
                assert!(means[n..2 * n].iter().all(|y| y.is_nan()), "{}: {at} is hidden", kernels.name);
            }
        }
        assert!(packed.forward(&xs, 3, SIDE, 2).unwrap() == clean, "{}: something stays", kernels.name);
    }
}

#[test]
fn an_infinite_pixel_counts_as_relu6_defines_it() {
    let net = Net::small();
    for bad in [f32::INFINITY, f32::NEG_INFINITY] {
        let mut xs = numbers(11, 3 * 32 * 32, 1.0);
        xs[9 * 32 + 12] = bad;
        let expected = net.by_definition(&xs, 32);
        assert!(expected.iter().all(|y| y.is_finite()));
        for kernels in available() {
            let error = relative(&net.packed(kernels).forward(&xs, 1, 32, 1).unwrap(), &expected);
            assert!(error <= TOLERANCE, "{}: {error:e}", kernels.name);
        }
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |n_stem: usize, stages: &[Stage], expected: &str| {
        let net = Net::new(n_stem, stages, 16, 7);
        let message = net.try_packed(available()[0]).unwrap_err().to_string();
        assert!(message.contains(expected), "{stages:?}: {message}");
    };
    let first = stage(1, 3, 1, 8, 1);
    refused(48, &[first, stage(2, 3, 2, 8, 1)], "multiple of 32");
    refused(32, &[first, stage(2, 3, 2, 8, 1)], "divide sides by 2");
    refused(32, &[first, stage(2, 7, 2, 8, 1)], "kernel 7");
    refused(32, &[first, stage(2, 3, 4, 8, 1)], "stride 4");
    refused(32, &[first, stage(1, 3, 2, 8, 1)], "does not expand");
    refused(32, &[stage(2, 3, 1, 8, 1)], "does not expand");
    let mut net = Net::small();
    net.blocks[2].1.0.pop();
    let message = net.try_packed(available()[0]).unwrap_err().to_string();
    assert!(message.contains("block 2, depthwise: 647 weights"), "{message}");
    let packed = Net::small().packed(available()[0]);
    for (len, batch, side) in [(3 * 48 * 48, 1, 48), (3 * 32 * 32, 2, 32), (0, 1, 0)] {
        assert!(packed.forward(&vec![0.0; len], batch, side, 1).is_err(), "{len} {batch} {side}");
    }
    assert_eq!(packed.forward(&[], 0, 32, 2), Ok(Vec::new()));
}

#[test]
fn panels_and_blocks_of_channels_cover_all_once() {
    for n in 0..100 {
        for max in [2, 6, 12, 14] {
            let mut next = (0, 0);
            for panels in balanced(n, max).into_iter().filter(|panels| panels.n > 0) {
                assert_eq!((panels.index, panels.first), next);
                assert!((1..=max).contains(&panels.rows));
                next = (panels.index + panels.n, panels.first + panels.n * panels.rows);
            }
            assert_eq!(next, (n.div_ceil(max), n));
        }
    }
    for n in [1, 16, 24, 255, 256, 257, 480, 512, 513, 672, 1152] {
        let mut next = 0;
        for channels in channel_blocks(n) {
            assert!(channels.start == next && next % 16 == 0 && channels.len() <= 256);
            next = channels.end;
        }
        assert_eq!(next, n);
    }
}

#[test]
#[ignore = "prints times: --ignored --nocapture"]
fn share_of_the_peak_by_layer() {
    let (net, kernels, side) = (Net::lite0(), available()[0], 224);
    let packed = net.packed(kernels);
    let xs = numbers(1, 3 * side * side, 1.0);
    let mut fastest = packed.time_layers(&xs, 1, side).unwrap();
    for _ in 0..50 {
        let times = packed.time_layers(&xs, 1, side).unwrap();
        fastest.iter_mut().zip(times).for_each(|(fastest, time)| *fastest = time.min(*fastest));
    }
    let peak = kernels.peak_gflops();
    println!("{}, one thread, peak {peak:.1} GFLOP/s", kernels.name);
    let line = |name: &str, time: std::time::Duration, products: usize| {
        let gflops = 2e-9 * products as f64 / time.as_secs_f64();
        let share = 100.0 * gflops / peak;
        println!("{name:12} {:7.1} us {gflops:6.1} GFLOP/s {share:3.0} %", time.as_secs_f64() * 1e6);
    };
    let mut before = side / 2;
    for (i, shape) in net.shapes.iter().enumerate() {
        let after = before / shape.stride;
        let n_expand = if shape.expanded { shape.n_in * shape.n_mid } else { 27 * shape.n_in };
        line(&format!("{i} expand"), fastest[3 * i], before * before * n_expand);
        let area = shape.kernel * shape.kernel;
        line(&format!("{i} depthwise"), fastest[3 * i + 1], after * after * area * shape.n_mid);
        line(&format!("{i} project"), fastest[3 * i + 2], after * after * shape.n_mid * shape.n_out);
        before = after;
    }
    line("head", fastest[3 * net.shapes.len()], before * before * net.head.0.len());
}
