//! Benchmarks the warp alone by fill mode, and decode and warp together, to 224x224.
//!
//! The pictures come from the class folders in the folder named by the variable PHOTOS; without it, they are noise.

use std::hint::black_box;
use std::path::PathBuf;

use augmenter::draw::Ranges;
use augmenter::transform::{Parameters, Size};
use augmenter::warp::{Fill, Source, warp};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use data::photo::{self, Limits};
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

const SIZE: Size = Size { width: 224, height: 224 };
const RANGES: Ranges = Ranges {
    rotation: 40.0,
    width_shift: 0.2,
    height_shift: 0.2,
    shear: 11.5,
    zoom: 0.2,
    brightness: (1.0, 1.0),
    horizontal_flip: false,
};
/// Maximum number of pictures: enough for all sizes, few enough for many rounds.
const MAX_PICTURES: usize = 60;

fn pictures() -> Vec<Vec<u8>> {
    let folder = std::env::var_os("PHOTOS").and_then(|folder| std::fs::read_dir(folder).ok());
    let classes = folder.into_iter().flatten().flatten();
    let files = classes.flat_map(|class| std::fs::read_dir(class.path()).into_iter().flatten().flatten());
    let mut paths: Vec<PathBuf> = files.map(|file| file.path()).collect();
    paths.sort();
    let step = paths.len().div_ceil(MAX_PICTURES).max(1);
    let read = |path: &PathBuf| photo::read(path, &Limits::STANDARD).ok();
    let mut found: Vec<Vec<u8>> = paths.iter().step_by(step).filter_map(read).collect();
    if found.is_empty() {
        let mut draws = data::draw::stream(1, "bench", "picture");
        let picture = RgbImage::from_fn(500, 375, |x, y| {
            Rgb([(x / 2) as u8, (y / 2) as u8, 100 + draws.below(32) as u8])
        });
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).expect("a small picture");
        found.push(bytes);
    }
    found
}

fn decoded(bytes: &[u8]) -> Source {
    Source::from(photo::decode(bytes, &Limits::STANDARD).expect("the pictures are whole").rgb)
}

fn parameters(i: usize) -> Parameters {
    RANGES.draw(42, &[i as u8; 32], 1, SIZE)
}

fn benchmarks(criterion: &mut Criterion) {
    let files = pictures();
    let sources: Vec<Source> = files.iter().map(|bytes| decoded(bytes)).collect();
    let mut group = criterion.benchmark_group("224x224");
    group.throughput(Throughput::Elements(files.len() as u64)).sample_size(20);
    let fills = [
        ("nearest", Fill::Nearest),
        ("constant", Fill::Constant([0; 3])),
        ("reflect", Fill::Reflect),
        ("wrap", Fill::Wrap),
    ];
    for (name, fill) in fills {
        group.bench_function(format!("warp, {name}"), |bench| {
            bench.iter(|| {
                for (i, source) in sources.iter().enumerate() {
                    black_box(warp(source, &parameters(i), SIZE, fill));
                }
            });
        });
    }
    group.bench_function("decode", |bench| {
        bench.iter(|| files.iter().for_each(|bytes| drop(black_box(decoded(bytes)))));
    });
    group.bench_function("decode and warp, nearest", |bench| {
        bench.iter(|| {
            for (i, bytes) in files.iter().enumerate() {
                black_box(warp(&decoded(bytes), &parameters(i), SIZE, Fill::Nearest));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, benchmarks);
criterion_main!(benches);
