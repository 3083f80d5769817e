//! Measures decoded pictures per second on one thread: `cargo bench -p data --bench decode`.
//!
//! The pictures are the JPEG files below the folder in the variable `PHOTOS`, read into memory before the
//! measurement. The result is the best of 15 rounds.
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::env;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use data::photo::{self, Limits};

fn main() {
    let folder = env::var_os("PHOTOS").map(PathBuf::from);
    let mut photos = Vec::new();
    if let Some(folder) = &folder {
        collect(folder, &mut photos);
    }
    if photos.is_empty() {
        println!("no photos; set PHOTOS to a folder with JPEG files");
        return;
    }
    let pixels: u64 = photos
        .iter()
        .filter_map(|bytes| photo::dimensions(bytes, &Limits::STANDARD).ok())
        .map(|(w, h)| u64::from(w) * u64::from(h))
        .sum();
    println!(
        "{} photos, {:.1} megapixels, {:.1} MB",
        photos.len(),
        pixels as f64 / 1e6,
        photos.iter().map(Vec::len).sum::<usize>() as f64 / 1e6
    );
    measure("decode", &photos, |bytes| photo::decode(bytes, &Limits::STANDARD).is_ok());
    measure("dimensions", &photos, |bytes| photo::dimensions(bytes, &Limits::STANDARD).is_ok());
}

fn collect(folder: &Path, photos: &mut Vec<Vec<u8>>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, photos);
        } else if path.extension().is_some_and(|e| e == "jpg") {
            photos.extend(photo::read(&path, &Limits::STANDARD));
        }
    }
}

fn measure(name: &str, photos: &[Vec<u8>], work: impl Fn(&[u8]) -> bool) {
    let mut best = Duration::MAX;
    let mut ok = 0;
    for _ in 0..15 {
        let start = Instant::now();
        ok = photos.iter().filter(|bytes| black_box(work(bytes))).count();
        best = best.min(start.elapsed());
    }
    println!("{name:<12} {:>9.0} photos/s   {ok} ok", photos.len() as f64 / best.as_secs_f64());
}
