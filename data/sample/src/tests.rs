//! Tests of the whole program.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use clap::Parser;
use data::breeds::{self, Size, SizeThresholds};
use data::provenance::sha256_file;
use data::{commit, stage};
use image::RgbImage;
use rayon::prelude::*;

use crate::args::Args;
use crate::breeds::BREEDS;
use crate::classes::{classes, paint, picture_name};
use crate::config::Config;
use crate::run;

fn config(dir: &Path, per_class: usize) -> Config {
    Config { out: dir.join("raw"), profiles: Some(dir.join("profiles")), per_class, size: 64, seed: 7 }
}

/// Runs the program with `config`.
fn paint_all(config: &Config) {
    let out = config.out.to_str().unwrap();
    let profiles = config.profiles.as_deref().unwrap().to_str().unwrap();
    let (per_class, size, seed) =
        (config.per_class.to_string(), config.size.to_string(), config.seed.to_string());
    run(&Args::parse_from([
        "sample",
        "--quiet",
        "--out",
        out,
        "--profiles",
        profiles,
        "--per-class",
        &per_class,
        "--size",
        &size,
        "--seed",
        &seed,
    ]))
    .unwrap();
}

/// Paints everything on `threads` threads. Returns the digest of every file by its path.
fn digests(threads: usize) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), 2);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| paint_all(&config));
    let mut found = BTreeMap::new();
    let mut pending = vec![dir.path().to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let hidden = path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
            if path.is_dir() {
                pending.push(path);
            } else if !hidden {
                let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, sha256_file(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn the_same_bytes_on_one_thread_and_on_four() {
    let one = digests(1);
    assert_eq!(one, digests(4));
    for class in classes() {
        let prefix = format!("raw/{}/{}_", class.dir, class.stem);
        assert_eq!(one.keys().filter(|name| name.starts_with(&prefix)).count(), 2, "{prefix}");
    }
    let different: BTreeSet<_> = one.values().collect();
    assert_eq!(different.len(), one.len(), "two pictures are the same");
}

#[test]
fn files_of_the_user_stay_and_painted_files_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let one = config(dir.path(), 2);
    let mine = one.out.join("my_rex/rex.jpg");
    commit::write_bytes(&mine, b"my dog").unwrap();
    paint_all(&one);
    // A row of the user in the table, and a photo of the user in place of a painted one.
    let table = dir.path().join("profiles/profiles.csv");
    let mut rows = fs::read_to_string(&table).unwrap();
    rows += "me,Me,30,male,48,8,photos/me.jpg\n";
    commit::write_bytes(&table, rows.as_bytes()).unwrap();
    let replaced = one.out.join(picture_name(classes()[0], 1));
    commit::write_bytes(&replaced, b"another dog").unwrap();
    let painted = one.out.join(picture_name(classes()[0], 0));
    let before = sha256_file(&painted).unwrap();

    let other = Config { seed: 8, ..config(dir.path(), 2) };
    paint_all(&other);
    assert_ne!(sha256_file(&painted).unwrap(), before, "painted pictures are painted again");
    let untouched = || {
        assert_eq!(fs::read(&mine).unwrap(), b"my dog");
        assert_eq!(fs::read(&replaced).unwrap(), b"another dog");
        assert_eq!(fs::read_to_string(&table).unwrap(), rows);
    };
    untouched();
    let (raw, profiles) = (dir.path().join("raw"), dir.path().join("profiles"));
    let flags = |flag: &'static str| {
        let (raw, profiles) = (raw.to_str().unwrap(), profiles.to_str().unwrap());
        run(&Args::parse_from([
            "sample",
            "--quiet",
            "--out",
            raw,
            "--profiles",
            profiles,
            "--seed",
            "8",
            "--size",
            "64",
            "--per-class",
            "2",
            flag,
        ]))
    };
    flags("--check").unwrap();
    flags("--clean").unwrap();
    untouched();
    assert!(!painted.exists());
    assert_eq!(fs::read_dir(raw).unwrap().count(), 2, "my_rex and the class with the replaced picture");
}

#[test]
fn another_seed_paints_other_pictures() {
    let dir = tempfile::tempdir().unwrap();
    let (one, class) = (config(dir.path(), 1), classes()[0]);
    let other = Config { seed: 8, ..config(dir.path(), 1) };
    assert_eq!(paint(&one, class, 0), paint(&one, class, 0));
    assert_ne!(paint(&one, class, 0), paint(&other, class, 0));
    assert_ne!(paint(&one, class, 0), paint(&one, class, 1));
}

#[test]
fn the_painted_breeds_are_known_and_range_from_small_to_giant() {
    let painted: Vec<_> = BREEDS.iter().map(|p| breeds::find(p.breed).expect(p.breed)).collect();
    assert!(painted.len() >= 10);
    assert!(painted.iter().map(|b| &b.class_dir).collect::<BTreeSet<_>>().len() == painted.len());
    let sizes: BTreeSet<Size> =
        painted.iter().map(|breed| SizeThresholds::STANDARD.size(breed.mid_kg())).collect();
    assert_eq!(sizes, BTreeSet::from(Size::ALL));
    assert_eq!(classes().len(), BREEDS.len() + 1);
    assert_eq!(classes().last().unwrap().dir, breeds::NOT_A_DOG);
}

#[test]
fn no_picture_is_too_small_or_empty() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), 1);
    for class in classes() {
        for index in 0..12 {
            let picture = paint(&config, class, index);
            let (width, height) = picture.dimensions();
            assert!(width.min(height) >= 51 && width.max(height) <= 81, "{width} x {height}");
            let (low, high) = picture.as_raw().iter().fold((255, 0), |(l, h), &v| (v.min(l), v.max(h)));
            assert!(high - low > 60, "{} {index} shows nothing", class.dir);
        }
    }
}

/// Checks that the mean colour of a picture does not tell its class, as it would if breeds had fixed colours.
#[test]
fn mean_colour_does_not_distinguish_the_classes() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), 1);
    let n_each = 20;
    let mean = |picture: &RgbImage| {
        let mut sums = [0.0; 3];
        for pixel in picture.pixels() {
            (0..3).for_each(|c| sums[c] += f64::from(pixel[c]));
        }
        sums.map(|sum| sum / f64::from(picture.width() * picture.height()))
    };
    let colours: Vec<Vec<[f64; 3]>> = classes()
        .par_iter()
        .map(|&class| (0..2 * n_each).map(|index| mean(&paint(&config, class, index))).collect())
        .collect();
    let centres: Vec<[f64; 3]> = colours
        .iter()
        .map(|seen| [0, 1, 2].map(|c| seen[..n_each].iter().map(|m| m[c]).sum::<f64>() / n_each as f64))
        .collect();
    let distance = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f64>();
    let mut n_right = 0;
    for (class, unseen) in colours.iter().enumerate() {
        for colour in &unseen[n_each..] {
            let nearest = (0..centres.len())
                .min_by(|&a, &b| distance(colour, &centres[a]).total_cmp(&distance(colour, &centres[b])));
            n_right += usize::from(nearest == Some(class));
        }
    }
    let share = n_right as f64 / (n_each * colours.len()) as f64;
    assert!(share < 0.45, "nearest mean colour is right for {share}");
}

#[test]
fn wrong_ranges_are_usage_errors() {
    for bad in ["--per-class=0", "--size=31", "--size=4096"] {
        let args = Args::parse_from(["sample", "--out", "x", bad]);
        let error = Config::new(&args).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(stage::Exit::Usage(_))), "{bad}: {error}");
    }
}
