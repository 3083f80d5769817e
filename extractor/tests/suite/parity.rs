//! The same numbers as PyTorch, torchvision, Keras and Pillow. `tests/peers/vgg16_reference.py` made the reference.

use std::path::Path;
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use data::weights::Weights;
use extractor::backbone::vgg16::BACKBONE;
use extractor::backbone::{Engine, Vgg16};
use extractor::preprocess::{Filter, Preset, centre_crop, preprocess, squash_nearest};
use image::RgbImage;

use crate::reference::{Reference, apart, formula_input};

/// What "the same features" means for the same tensor, and for a PNG, which says what is to be decoded:
/// relative L2 distance.
const MAX_DISTANCE: f64 = 1e-5;
/// The same for a JPEG, of which no two decoders make the same levels.
const MAX_DISTANCE_OF_JPEG: f64 = 1e-2;

/// One for every engine of this machine.
fn networks() -> &'static [(Engine, Vgg16)] {
    static NETWORKS: OnceLock<Vec<(Engine, Vgg16)>> = OnceLock::new();
    NETWORKS.get_or_init(|| {
        let weights = Weights::seeded(BACKBONE, 42);
        let network = |engine| (engine, Vgg16::new(&weights, &Device::Cpu, engine).unwrap());
        Engine::available().into_iter().map(network).collect()
    })
}

fn recorded() -> Reference {
    Reference(include_bytes!("vgg16_reference.safetensors").to_vec())
}

/// x (1, 3, S, S) -> relative L2 distance of our features from `expected`.
fn distance(network: &Vgg16, x: &[f32], size: usize, expected: &[f32]) -> f64 {
    let x = Tensor::from_slice(x, (1, 3, size, size), &Device::Cpu).unwrap();
    let got: Vec<f32> = network.maps(&x).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    apart(&got, expected)
}

/// The script's `formula_image`.
fn formula_image(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let level = |c: u32| ((7 * x + 13 * y + 31 * c + 3 * (x * y % 17)) % 256) as u8;
        image::Rgb([level(0), level(1), level(2)])
    })
}

/// Largest difference in levels.
fn level_difference(a: &RgbImage, b: &RgbImage) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.as_raw().iter().zip(b.as_raw()).map(|(&a, &b)| a.abs_diff(b)).max().unwrap()
}

#[test]
fn seeded_weights_are_those_that_the_reference_was_made_with() {
    let reference = recorded();
    let expected = reference.tensors().tensor("weights_sha256").unwrap().data().to_vec();
    let got = Weights::seeded(BACKBONE, 42).info.weights_sha256;
    assert_eq!(data::provenance::from_hex(&got).unwrap().to_vec(), expected, "record the reference again");
}

#[test]
fn features_are_those_of_pytorch() {
    for size in [32, 64, 96] {
        let (expected, shape) = recorded().floats(&format!("features_{size}"));
        assert_eq!(shape, [1, 512, size / 32, size / 32]);
        for (engine, network) in networks() {
            let distance = distance(network, &formula_input(size), size, &expected);
            println!("{engine} at {size} px: {distance:.2e} apart");
            assert!(distance <= MAX_DISTANCE, "{engine} at {size} px: {distance:e}");
        }
    }
}

#[test]
fn resizing_is_that_of_pillow() {
    for (width, height, size) in [(37, 53, 32), (301, 200, 64), (64, 500, 32), (20, 20, 64)] {
        let expected = recorded().picture(&format!("centre_crop_{width}x{height}_{size}"));
        let got = centre_crop(&formula_image(width, height), Filter::Bilinear, 256, size).unwrap();
        assert_eq!(level_difference(&got, &expected), 0, "{width} x {height} -> {size}");
    }
    for (width, height, size) in [(37, 53, 64), (301, 200, 96), (20, 500, 32)] {
        let expected = recorded().picture(&format!("squash_nearest_{width}x{height}_{size}"));
        let got = squash_nearest(&formula_image(width, height), size).unwrap();
        assert_eq!(level_difference(&got, &expected), 0, "{width} x {height} -> {size}");
    }
}

/// A file's bytes -> what the preset makes of it (3, 64, 64).
fn prepared(file: &[u8], preset: &str) -> Vec<f32> {
    let photo = data::photo::decode(file, &data::photo::Limits::STANDARD).unwrap().rgb;
    preprocess(&photo, Preset::find(preset).unwrap(), 64).unwrap()
}

#[test]
fn files_give_the_features_of_torchvision_and_keras() {
    let reference = recorded();
    let file = |kind: &str| reference.tensors().tensor(&format!("file_{kind}")).unwrap().data().to_vec();
    let (jpeg, png) = (file("jpeg"), file("png"));
    for preset in ["torchvision", "caffe"] {
        let (input, _) = reference.floats(&format!("{preset}_input"));
        let ours = prepared(&png, preset);
        let furthest = ours.iter().zip(&input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(furthest <= 1e-5 * 128.0, "{preset}: {furthest}");
        for (engine, network) in networks() {
            for (kind, file, bar) in [("png", &png, MAX_DISTANCE), ("jpeg", &jpeg, MAX_DISTANCE_OF_JPEG)] {
                let (expected, _) = reference.floats(&format!("{preset}_{kind}"));
                let distance = distance(network, &prepared(file, preset), 64, &expected);
                println!("{preset}, {kind}: {engine} {distance:.2e} apart");
                assert!(distance <= bar, "{preset}, {kind}, {engine}: {distance:e}");
            }
        }
    }
}

/// Runs where VGG16_PHOTO_REFERENCE names a file that the script made of photos.
#[test]
fn photos_give_the_features_of_pytorch() {
    let Some(path) = std::env::var_os("VGG16_PHOTO_REFERENCE") else { return };
    let reference = Reference(std::fs::read(Path::new(&path)).unwrap());
    let preset = Preset::find("torchvision").unwrap();
    let n = reference.tensors().names().iter().filter(|name| name.starts_with("photo_")).count();
    assert!(n > 0);
    for i in 0..n {
        let photo = reference.picture(&format!("photo_{i}"));
        let (input, shape) = reference.floats(&format!("input_{i}"));
        let size = shape[2];
        let ours = preprocess(&photo, preset, size as u32).unwrap();
        // One level is 1/255 before the division by the deviation.
        let level = 1.01 / 255.0 / 0.224;
        let furthest = ours.iter().zip(&input).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let n_off = ours.iter().zip(&input).filter(|(a, b)| (**a - **b).abs() > 1e-3).count();
        assert!(furthest <= level, "photo {i}: {furthest}");
        let squashed = squash_nearest(&photo, 64).unwrap();
        assert_eq!(level_difference(&squashed, &reference.picture(&format!("squash_{i}"))), 0, "photo {i}");
        let (expected, _) = reference.floats(&format!("features_{i}"));
        println!("photo {i}: {n_off} of {} inputs a level apart", input.len());
        for (engine, network) in networks() {
            let distance = distance(network, &input, size, &expected);
            println!("photo {i}: {engine} {distance:.2e} apart");
            assert!(distance <= MAX_DISTANCE, "photo {i}, {engine}: {distance:e}");
        }
    }
}

#[test]
fn any_layout_and_any_side_is_computed() {
    let xs = formula_input(64);
    let [square, wide] = [(1, 3, 64, 64), (1, 3, 48, 64)]
        .map(|(b, c, h, w)| Tensor::from_slice(&xs[..b * c * h * w], (b, c, h, w), &Device::Cpu).unwrap());
    let flat = |map: &Tensor| -> Vec<f32> { map.flatten_all().unwrap().to_vec1().unwrap() };
    for (engine, network) in networks() {
        let transposed = square.transpose(2, 3).unwrap();
        let copied = Tensor::from_vec(flat(&transposed), (1, 3, 64, 64), &Device::Cpu).unwrap();
        let [got, expected] = [&transposed, &copied].map(|xs| network.maps(xs).unwrap());
        assert_eq!(flat(&got), flat(&expected), "{engine}");
        assert_eq!(network.maps(&wide).unwrap().dims(), [1, 512, 1, 2], "{engine}");
        let last = square.narrow(2, 32, 32).unwrap().narrow(3, 32, 32).unwrap();
        assert_eq!(network.maps(&last).unwrap().dims(), [1, 512, 1, 1], "{engine}");
        assert!(network.maps(&square.narrow(1, 0, 2).unwrap()).is_err(), "{engine}: two channels");
    }
}
