//! Measures pictures per second on one thread: decode, draw parameters, warp to 224x224; nothing is written.
//!
//! `cargo run --release -p augmenter --example throughput -- FOLDER [--parts]` reads the pictures of the
//! class folders in FOLDER; `--parts` also measures decode and warp separately.

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use augmenter::draw::Ranges;
use augmenter::transform::Size;
use augmenter::warp::{Fill, Source, warp};
use data::photo::{self, Limits};
use data::stage::print_line;

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

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().context("expected a folder of class folders")?);
    let in_parts = arguments.next().as_deref() == Some("--parts");
    let files = files(&folder)?;
    anyhow::ensure!(!files.is_empty(), "{} contains no class folders with pictures", folder.display());

    if in_parts {
        let rate = timed(&files, |_, file| decode(file).map(drop))?;
        print_line(&format!("decode alone     {rate:8.1} pictures/s"))?;
        let pictures = files.iter().map(|file| decode(file)).collect::<anyhow::Result<Vec<_>>>()?;
        let rate = timed(&pictures, augment)?;
        print_line(&format!("warp alone       {rate:8.1} pictures/s"))?;
    }
    let both = |i: usize, file: &PathBuf| augment(i, &decode(file)?);
    let rate = timed(&files, both)?;
    print_line(&format!("decode + augment {rate:8.1} pictures/s"))
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for class in std::fs::read_dir(folder)? {
        for file in std::fs::read_dir(class?.path())? {
            files.push(file?.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Returns items per second; a first pass, which is not measured, fills the caches.
fn timed<T>(items: &[T], work: impl Fn(usize, &T) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let pass = || items.iter().enumerate().try_for_each(|(i, item)| work(i, item));
    pass()?;
    let start = Instant::now();
    pass()?;
    Ok(items.len() as f64 / start.elapsed().as_secs_f64())
}

fn decode(file: &Path) -> anyhow::Result<Source> {
    let bytes = photo::read(file, &Limits::STANDARD)?;
    Ok(Source::from(photo::decode(&bytes, &Limits::STANDARD)?.rgb))
}

fn augment(i: usize, picture: &Source) -> anyhow::Result<()> {
    let parameters = RANGES.draw(42, &[i as u8; 32], 1, SIZE);
    // Otherwise the compiler could remove the unused copy.
    black_box(warp(picture, &parameters, SIZE, Fill::Nearest));
    Ok(())
}
