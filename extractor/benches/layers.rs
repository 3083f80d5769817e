//! Each layer of VGG-16 at 224 px, as it runs within the whole network, by every engine of this machine.
//!
//! The time of a layer is taken out of runs of all layers, so that its input and its weights are as near or as
//! far as in real work. `cargo bench -p extractor -- amx/batch 8/conv3_2` runs one; BATCH sets the pictures
//! (8), and the throughput is in multiplications and additions of the convolution's definition.

use std::time::Duration;

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::weights::Weights;

use extractor::backbone::vgg16::{BACKBONE, LAYERS};
use extractor::backbone::{Engine, Vgg16};

const SIDE: usize = 224;

fn layers(c: &mut Criterion) {
    let batch = std::env::var("BATCH").map_or(8, |n| n.parse().expect("BATCH is a number of pictures"));
    let weights = Weights::seeded(BACKBONE, 1);
    let mut draws = data::draw::stream(1, "bench", "layers");
    let pixels: Vec<f32> = (0..batch * 3 * SIDE * SIDE).map(|_| draws.normal() as f32).collect();
    let xs = Tensor::from_vec(pixels, (batch, 3, SIDE, SIDE), &Device::Cpu).expect("pictures"); // (B, 3, S, S)
    for engine in Engine::available() {
        let network = Vgg16::new(&weights, &Device::Cpu, engine).expect("room for the weights");
        let mut group = c.benchmark_group(format!("{engine}/batch {batch}"));
        group.sample_size(10);
        for (i, (name, operations)) in names_and_operations().into_iter().enumerate() {
            group.throughput(Throughput::Elements(batch as u64 * operations));
            group.bench_function(name, |bencher| {
                bencher.iter_custom(|n| {
                    let run = |_| network.time_layers(&xs).expect("the network runs")[i];
                    (0..n).map(run).sum::<Duration>()
                });
            });
        }
        group.finish();
    }
}

/// `conv1_1` and so on, each with the multiplications and additions for a picture.
fn names_and_operations() -> Vec<(String, u64)> {
    let (mut block, mut number, mut side) = (1, 1, SIDE);
    let mut out = Vec::new();
    for layer in &LAYERS {
        let operations = 2 * 9 * layer.n_in * layer.n_out * side * side;
        out.push((format!("conv{block}_{number}"), operations as u64));
        if layer.pooled {
            (block, number, side) = (block + 1, 0, side / 2);
        }
        number += 1;
    }
    out
}

criterion_group!(benches, layers);
criterion_main!(benches);
