//! The stack against its definition in f64, on every set of kernels that this machine has.

use proptest::prelude::*;
use rayon::prelude::*;

use super::super::runs::runs;
use super::super::{Kernels, available};
use super::map::Blocks;
use super::{LayerWeights, PackedVgg, reference};
use crate::backbone::vgg16::LAYERS;

/// Numbers with mean 0 and standard deviation `scale`, even ones: logarithms are more than Miri can do.
fn numbers(seed: u64, n: usize, scale: f64) -> Vec<f32> {
    let mut draws = data::draw::stream(seed, "test", "conv3x3");
    let reach = scale * 3f64.sqrt();
    (0..n).map(|_| draws.uniform(-reach, reach) as f32).collect()
}

/// Channels out of a layer, and whether the map is halved after it.
type Shape = (usize, bool);

/// Random layers whose maps keep about the size of numbers of their input.
struct Net {
    /// weight (n_out, n_in, 3, 3), bias (n_out)
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    pools: Vec<bool>,
}

impl Net {
    fn new(shapes: &[Shape], seed: u64) -> Self {
        let ins = [3].into_iter().chain(shapes.iter().map(|s| s.0));
        let layer = |((n_in, &(n_out, _)), i): ((usize, &Shape), u64)| {
            let scale = (2.0 / (9.0 * n_in as f64)).sqrt();
            let seed = seed * 1000 + 2 * i;
            (numbers(seed, n_out * n_in * 9, scale), numbers(seed + 1, n_out, 0.05))
        };
        Self {
            layers: ins.zip(shapes).zip(0..).map(layer).collect(),
            pools: shapes.iter().map(|s| s.1).collect(),
        }
    }

    fn vgg_16(seed: u64) -> Self {
        Self::new(&LAYERS.map(|l| (l.n_out, l.pooled)), seed)
    }

    /// The first `depth` layers.
    fn cut(&self, depth: usize) -> Self {
        Self { layers: self.layers[..depth].to_vec(), pools: self.pools[..depth].to_vec() }
    }

    fn packed(&self, kernels: &'static Kernels) -> PackedVgg {
        let layers: Vec<LayerWeights<'_>> = self.layers.iter().map(|(w, b)| (&w[..], &b[..])).collect();
        PackedVgg::new(kernels, &layers, &self.pools, 2).unwrap()
    }
}

/// |a - b| / |b|.
fn relative(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |x: f64| x * x;
    let difference: f64 = a.iter().zip(b).map(|(&a, &b)| square(f64::from(a) - b)).sum();
    (difference / b.iter().copied().map(square).sum::<f64>()).sqrt()
}

/// The maps after each layer by definition.
fn after_each_layer(net: &Net, xs: &[f32], side: usize) -> Vec<Vec<f64>> {
    let (mut xs, mut side): (Vec<f64>, _) = (xs.iter().map(|&x| f64::from(x)).collect(), side);
    let mut maps = Vec::new();
    for ((weight, bias), &pooled) in net.layers.iter().zip(&net.pools) {
        xs = reference::convolve(&xs, side, weight, bias, pooled);
        side /= 1 + usize::from(pooled);
        maps.push(xs.clone());
    }
    maps
}

/// The last map by definition.
fn by_definition(net: &Net, xs: &[f32], side: usize) -> Vec<f64> {
    after_each_layer(net, xs, side).pop().unwrap()
}

/// Checks one picture on all kernels.
fn check(net: &Net, side: usize, scale: f64, tolerance: f64) {
    let xs = numbers(side as u64, 3 * side * side, scale);
    let expected = by_definition(net, &xs, side);
    for kernels in available() {
        let error = relative(&net.packed(kernels).forward(&xs, 1, side, 2).unwrap(), &expected);
        assert!(error <= tolerance, "{} at {side}, scale {scale}: {error:e}", kernels.name);
    }
}

#[test]
fn a_layer_is_what_its_definition_says() {
    for (n_in, n_out, pooled) in
        [(32, 32, false), (32, 96, true), (64, 64, true), (128, 32, false), (160, 64, true), (512, 32, false)]
    {
        check(&Net::new(&[(n_in, false), (n_out, pooled)], 3), 32, 1.0, 3e-6);
    }
}

#[test]
fn a_stack_is_what_its_definition_says_for_every_side() {
    let net = Net::new(&[(32, false), (32, true), (32, true), (32, true), (32, true), (32, true)], 4);
    (32..=448)
        .step_by(32)
        .collect::<Vec<_>>()
        .into_par_iter()
        .rev()
        .for_each(|side| check(&net, side, 1.0, 2e-5));
}

#[test]
fn vgg_16_is_what_its_definition_says_for_both_scales_of_pixels() {
    // Presets give pixels of about 1 or of about 70.
    let net = Net::vgg_16(1);
    for (side, scale) in [(32, 1.0), (32, 70.0), (64, 1.0)] {
        check(&net, side, scale, 5e-6);
    }
}

/// A photo where `VGG16_PHOTOS` names a folder with JPEGs, 224 px of it; else something like one, small: even
/// areas, an edge, a texture.
fn photos() -> Vec<(String, image::RgbImage, u32)> {
    let Some(folder) = std::env::var_os("VGG16_PHOTOS") else {
        let pixel = |x: u32, y: u32| {
            let shade = if (x / 3 + y / 5) % 16 < 6 { 200 } else { 90 + (x * x + 7 * y) % 40 };
            image::Rgb([shade as u8, (shade / 2 + y) as u8, (255 - shade) as u8])
        };
        return vec![("made up".to_owned(), image::RgbImage::from_fn(120, 96, pixel), 64)];
    };
    let limits = &data::photo::Limits::STANDARD;
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "jpg")).collect();
    files.sort();
    let photo = |path: &std::path::PathBuf| {
        let decoded = data::photo::decode(&data::photo::read(path, limits).unwrap(), limits).unwrap();
        (path.display().to_string(), decoded.rgb, 224)
    };
    files.iter().step_by(files.len().div_ceil(4).max(1)).map(photo).collect()
}

#[test]
fn after_every_layer_of_vgg_16_a_photo_is_near_its_definition() {
    let net = Net::vgg_16(1);
    let mut cases = Vec::new();
    for (name, photo, side) in photos() {
        for preset in ["torchvision", "caffe"] {
            let input = crate::preprocess(&photo, crate::Preset::find(preset).unwrap(), side).unwrap();
            let expected = after_each_layer(&net, &input, side as usize);
            cases.push((format!("{name}, {preset}"), input, side as usize, expected));
        }
    }
    for kernels in available() {
        for depth in 2..=LAYERS.len() {
            let packed = net.cut(depth).packed(kernels);
            for (name, input, side, expected) in &cases {
                let error = relative(&packed.forward(input, 1, *side, 2).unwrap(), &expected[depth - 1]);
                println!("{name}, {}, layer {depth}: {error:.1e}", kernels.name);
                assert!(error <= 3e-6, "{name}, {}, layer {depth}: {error:e}", kernels.name);
            }
        }
    }
}

/// Bits of the batch, and of some of its pictures alone, on several numbers of threads.
fn check_bits(net: &Net, kernels: &'static Kernels, side: usize, batch: usize, threads: &[usize]) {
    let packed = net.packed(kernels);
    let xs = numbers(6, batch * 3 * side * side, 1.0);
    let together = packed.forward(&xs, batch, side, 1).unwrap();
    for &threads in threads {
        let again = packed.forward(&xs, batch, side, threads).unwrap();
        assert!(again == together, "{}: {threads} threads, {batch} at {side}", kernels.name);
    }
    let (n_in, n_out) = (xs.len() / batch, together.len() / batch);
    for picture in [0, batch / 2, batch - 1] {
        let alone = packed.forward(&xs[picture * n_in..][..n_in], 1, side, 2).unwrap();
        let equal = alone == together[picture * n_out..][..n_out];
        assert!(equal, "{}: picture {picture} of {batch} at {side}", kernels.name);
    }
}

#[test]
fn bits_do_not_depend_on_threads_or_neighbours() {
    let net = Net::new(
        &[(64, false), (64, true), (160, true), (192, false), (64, true), (256, true), (32, true)],
        5,
    );
    for kernels in available() {
        for (side, batch) in [(32, 37), (96, 7), (160, 3)] {
            check_bits(&net, kernels, side, batch, &[2, 3, 7]);
        }
        // So many that the products of one xi are shared out.
        check_bits(&net, kernels, 96, 2, &[13, 25]);
    }
}

/// Small enough for `make miri`, which looks at every access to memory.
#[test]
fn two_threads_and_two_pictures_touch_only_their_own_memory() {
    let net = Net::new(&[(32, false), (32, true)], 15);
    for kernels in available() {
        let packed = net.packed(kernels);
        let xs = numbers(16, 2 * 3 * 32 * 32, 1.0);
        let together = packed.forward(&xs, 2, 32, 2).unwrap();
        let n = together.len() / 2;
        assert!(together[..n] != together[n..], "{}", kernels.name);
        assert!(together.iter().all(|y| y.is_finite()), "{}", kernels.name);
    }
}

#[test]
fn what_an_earlier_call_left_behind_does_not_show() {
    let net = Net::new(&[(64, false), (64, true), (96, true), (192, true), (64, true), (32, false)], 13);
    for kernels in available() {
        let packed = net.packed(kernels);
        for (side, batch, threads) in [(64, 3, 2), (32, 9, 1), (96, 1, 3), (64, 1, 2), (64, 8, 2), (32, 2, 2)]
        {
            let xs = numbers(14, batch * 3 * side * side, 1.0);
            let fresh = net.packed(kernels).forward(&xs, batch, side, threads).unwrap();
            let again = packed.forward(&xs, batch, side, threads).unwrap();
            assert!(again == fresh, "{}: {batch} at {side}", kernels.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_shape_has_the_values_of_its_definition_and_the_same_bits(
        first in 1..3usize,
        others in prop::collection::vec((1..6usize, any::<bool>()), 1..5),
        side in 1..3usize,
        batch in 1..9usize,
        threads in 1..5usize,
    ) {
        let shapes: Vec<Shape> = [(first * 32, false)]
            .into_iter()
            .chain(others.into_iter().map(|(chunks, pooled)| (chunks * 32, pooled)))
            .collect();
        let net = Net::new(&shapes, 8);
        check(&net, 32, 1.0, 1e-5);
        for kernels in available() {
            check_bits(&net, kernels, side * 32, batch, &[threads]);
        }
    }
}

#[test]
fn what_is_not_finite_reaches_the_map_and_no_other_picture() {
    const SIDE: usize = 32;
    let net = Net::new(&[(32, false), (32, true), (160, false), (32, true)], 9);
    let (xs, len) = (numbers(10, 3 * 3 * SIDE * SIDE, 1.0), 3 * SIDE * SIDE);
    for kernels in available() {
        let packed = net.packed(kernels);
        let clean = packed.forward(&xs, 3, SIDE, 2).unwrap();
        let n_out = clean.len() / 3;
        for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::from_bits(0x7fff_ffff)] {
            // Every place within a tile, the border's and the last tile's among them.
            for (y, x) in (0..7).flat_map(|y| (0..7).map(move |x| (y, x))).chain([(31, 31), (0, 31), (31, 0)])
            {
                let mut spoilt = xs.clone();
                spoilt[len + y * SIDE + x] = bad;
                let got = packed.forward(&spoilt, 3, SIDE, 2).unwrap();
                let seen = got[n_out..2 * n_out].iter().any(|y| !y.is_finite());
                assert!(seen, "{}: {bad} at {y}, {x} is hidden", kernels.name);
                assert!(got[..n_out] == clean[..n_out] && got[2 * n_out..] == clean[2 * n_out..]);
            }
        }
        assert!(packed.forward(&xs, 3, SIDE, 2).unwrap() == clean, "{}: something stays", kernels.name);
    }
}

#[test]
fn a_pixel_that_is_no_number_spoils_every_output_that_it_reaches() {
    const SIDE: usize = 32;
    for pooled in [false, true] {
        let net = Net::new(&[(32, false), (32, pooled)], 11);
        for kernels in available() {
            let packed = net.packed(kernels);
            for (y, x) in (0..8).flat_map(|y| (0..8).map(move |x| (y, x))).chain([(31, 31), (31, 0)]) {
                let mut xs = numbers(12, 3 * SIDE * SIDE, 1.0);
                xs[y * SIDE + x] = f32::NAN;
                let got = packed.forward(&xs, 1, SIDE, 1).unwrap();
                let aside = if pooled { SIDE / 2 } else { SIDE };
                // Two layers reach two pixels.
                let reached = |p: usize, q: usize| {
                    let p = if pooled { [2 * p, 2 * p + 1] } else { [p, p] };
                    p.into_iter().any(|p| p.abs_diff(q) <= 2)
                };
                for (i, value) in got.iter().enumerate() {
                    let (row, column) = (i / aside % aside, i % aside);
                    let hidden = reached(row, y) && reached(column, x) && !value.is_nan();
                    assert!(!hidden, "{}: {y}, {x} is not seen at {row}, {column}", kernels.name);
                }
            }
        }
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let kernels = available()[0];
    let refused = |shapes: &[Shape], expected: &str| {
        let net = Net::new(shapes, 7);
        let layers: Vec<LayerWeights<'_>> = net.layers.iter().map(|(w, b)| (&w[..], &b[..])).collect();
        let message = PackedVgg::new(kernels, &layers, &net.pools, 1).unwrap_err().to_string();
        assert!(message.contains(expected), "{shapes:?}: {message}");
    };
    refused(&[(32, false)], "at least two");
    refused(&[(32, true), (32, false)], "none after the first");
    refused(&[(32, false), (48, false)], "layer 1");
    refused(&[[(32, false)].as_slice(), &[(32, true); 6]].concat(), "more poolings");
    let packed = Net::new(&[(32, false), (32, true)], 7).packed(kernels);
    for (len, batch, side) in [(3 * 48 * 48, 1, 48), (3 * 32 * 32, 2, 32), (0, 1, 0)] {
        assert!(packed.forward(&vec![0.0; len], batch, side, 1).is_err(), "{len} {batch} {side}");
    }
    assert_eq!(packed.forward(&[], 0, 32, 1), Ok(Vec::new()));
}

#[test]
fn every_tile_is_in_one_run_of_one_block() {
    for (n_pictures, aside, wanted, max_rows) in
        [(1, 1, 28, 14), (3, 7, 98, 14), (5, 4, 30, 6), (2, 9, 7, 2), (8, 7, 196, 16), (1, 7, 196, 16)]
    {
        let n_tiles = n_pictures * aside * aside;
        let paired = Blocks::in_pairs(n_tiles, wanted, max_rows);
        assert!(paired.panels == 1 || paired.panels.is_multiple_of(2), "{paired:?}");
        for blocks in [Blocks::new(n_tiles, wanted, max_rows), paired] {
            assert!(blocks.rows <= max_rows);
            let mut seen = 0;
            for block in 0..blocks.n() {
                let (start, end) = blocks.range(block);
                for run in runs(start, start, end, aside, blocks.rows) {
                    assert_eq!((run.picture * aside + run.y) * aside + run.x, seen);
                    assert_eq!(start + run.first, seen);
                    assert!(run.x + run.n <= aside, "ends in its row");
                    assert!(run.first % blocks.rows + run.n <= blocks.rows, "ends in its panel");
                    seen += run.n;
                }
            }
            assert_eq!(seen, n_tiles);
        }
    }
}
