use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::repository;

mod files;

/// The allowed dependencies between our crates, and the external crates that only some of them may use.
const IMPORTS: [(&str, &[&str]); 10] = [
    ("data", &[]),
    ("data/fetch", &["data"]),
    ("data/sample", &["data"]),
    ("data/stanford-dogs", &["data", "data/fetch"]),
    ("data/weights", &["data", "data/fetch"]),
    ("splitter", &["data"]),
    ("augmenter", &["data"]),
    ("extractor", &["data"]),
    ("trainer", &["data"]),
    ("matcher", &["data", "extractor", "trainer"]),
];
const BOUND: [(&str, &[&str]); 6] = [
    ("candle-core", &["extractor", "trainer", "matcher"]),
    ("candle-nn", &["extractor", "trainer"]),
    ("hf-hub", &["data/weights"]),
    ("memmap2", &[]),
    ("rand_chacha", &["data"]),
    ("ureq", &["data/fetch"]),
];

/// Returns the names under `[dependencies]` of each member.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let members = IMPORTS.iter().map(|(name, _)| {
        let text = fs::read_to_string(repository().join(name).join("Cargo.toml")).unwrap();
        let section = text.split("\n[dependencies]\n").nth(1).unwrap().split("\n[").next().unwrap();
        let names = section.lines().filter_map(|l| l.split(['.', ' ', '=']).next());
        (name.to_string(), names.filter(|n| !n.is_empty()).map(str::to_owned).collect())
    });
    members.collect()
}

/// The sources of the programs.
fn sources() -> Vec<PathBuf> {
    below(IMPORTS.iter().map(|(name, _)| repository().join(name).join("src")))
}

/// All Rust files in these folders.
fn below(folders: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut sources = Vec::new();
    let mut pending: Vec<PathBuf> = folders.filter(|folder| folder.exists()).collect();
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                sources.push(path);
            }
        }
    }
    assert!(sources.len() > 20);
    sources
}

/// Returns the source without its test module.
fn product(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split("#[cfg(test)]\nmod tests {").next().unwrap().to_owned()
}

fn is_test(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n == "tests.rs") || path.components().any(|c| c.as_os_str() == "tests")
}

#[test]
fn crates_import_along_the_arrows_only() {
    let dependencies = dependencies();
    for (name, allowed) in IMPORTS {
        for (other, _) in IMPORTS {
            let other_crate = other.rsplit('/').next().unwrap();
            let imports = dependencies[name].iter().any(|d| d == other_crate);
            assert!(!imports || allowed.contains(&other), "{name} imports {other}");
        }
    }
    for (outside, allowed) in BOUND {
        for (name, imports) in &dependencies {
            let imported = imports.iter().any(|d| d == outside);
            assert!(!imported || allowed.contains(&name.as_str()), "{name} imports {outside}");
        }
    }
}

#[test]
fn no_module_has_a_catch_all_name() {
    for path in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let catch_all = ["common", "core", "utils", "util", "helpers", "shared", "misc"].contains(&stem);
        assert!(!catch_all, "{}", path.display());
    }
}

#[test]
fn unsafe_stands_in_the_kernel_folder_only() {
    for path in sources() {
        let allowed = path.to_string_lossy().contains("extractor/src/conv/");
        let has = fs::read_to_string(&path)
            .unwrap()
            .lines()
            .any(|l| ["unsafe {", "unsafe fn", "unsafe impl"].iter().any(|word| l.contains(word)));
        assert!(allowed || !has, "{}", path.display());
    }
}

#[test]
fn pictures_are_decoded_by_data_photo_alone() {
    for path in sources() {
        let decodes =
            ["ImageReader", "load_from_memory", "zune_jpeg", "jpeg_decoder", "JpegDecoder", "PngDecoder"];
        let inside = path.to_string_lossy().contains("data/src/photo");
        let found = decodes.iter().find(|d| product(&path).contains(**d));
        assert!(inside || is_test(&path) || found.is_none(), "{} names {found:?}", path.display());
    }
}

#[test]
fn files_are_opened_by_data_regular_alone() {
    // Pictures: by data::photo, which follows no links. Directories, to make them durable, and `/proc`: by the
    // other two. The unfinished download and the lock are this program's own; boxes have their own rules.
    let allowed = [
        "data/src/regular.rs",
        "data/src/photo/file.rs",
        "data/src/commit.rs",
        "data/src/commit/lock.rs",
        "data/src/forecast/measure.rs",
        "splitter/src/boxes.rs",
    ];
    let opens = ["File::open(", "fs::read(", "read_to_string(", "Reader::from_path(", "Archive::open("];
    for path in sources().into_iter().filter(|p| !is_test(p) && !allowed.iter().any(|a| p.ends_with(a))) {
        let text = product(&path).replace("regular::read_to_string(", "");
        let own = path.ends_with("trainer/src/synthetic.rs");
        let found = opens.iter().find(|o| text.contains(**o));
        assert!(own || found.is_none(), "{} calls {found:?}", path.display());
    }
}

#[test]
fn only_evaluate_opens_the_test_features() {
    for path in sources() {
        let text = product(&path);
        let opens = text.contains("Split::Test") && text.contains("open_split");
        let allowed = path.ends_with("trainer/src/evaluate/dataset.rs")
            || path.ends_with("data/src/features/reader.rs");
        assert!(allowed || is_test(&path) || !opens, "{}", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for path in sources().into_iter().filter(|p| !is_test(p)) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("//!"), "{} begins without a module doc", path.display());
    }
}
