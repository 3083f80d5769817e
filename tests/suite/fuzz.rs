//! Tests the readers with the corpora of the fuzz targets: files named `good-*` are accepted, all others are
//! refused, and no file makes a reader panic.

use std::fs;
use std::path::PathBuf;

use crate::harness::repository;

#[path = "../fuzz/targets.rs"]
mod targets;

mod seeds;

fn corpus(target: &str) -> Vec<PathBuf> {
    let dir = repository().join("tests/fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{target} has {} files", files.len());
    files
}

fn check(target: &str, accepts: fn(&[u8]) -> bool) {
    for file in corpus(target) {
        let good = file.file_name().unwrap().as_encoded_bytes().starts_with(b"good-");
        let accepted = accepts(&fs::read(&file).unwrap());
        assert_eq!(
            accepted,
            good,
            "{}: if the format has a new version, run `cargo test --release --workspace -- --ignored write_seeds`",
            file.display()
        );
    }
}

#[test]
fn photos() {
    check("photo", targets::photo);
}

#[test]
fn manifests() {
    check("manifest", targets::manifest);
}

#[test]
fn profiles() {
    check("profiles", targets::profiles);
}

#[test]
fn heads() {
    check("head", targets::head);
}

#[test]
fn published_weights() {
    check("pth", targets::pth);
}

/// Writes the seeds of the corpora; needed after a change of the format version, which makes old files invalid.
#[test]
#[ignore = "rewrites tests/fuzz/corpus"]
fn write_seeds() {
    let seeds = [
        ("photo", seeds::photos()),
        ("manifest", seeds::manifests()),
        ("profiles", seeds::profiles()),
        ("head", seeds::heads()),
    ];
    for (target, files) in seeds {
        for (name, bytes) in files {
            let path = repository().join("tests/fuzz/corpus").join(target).join(name);
            data::commit::write_bytes(&path, &bytes).unwrap();
        }
    }
}
