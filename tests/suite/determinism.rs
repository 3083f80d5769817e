use std::fs;

use crate::harness::{Work, stages};

const ARTEFACTS: [&str; 8] =
    ["raw", "profiles", "split", "augmented", "weights", "features", "model", "matches"];

fn run_all(work: &Work, threads: &str) {
    for (stage, mut args) in stages() {
        args.extend(["--threads", threads]);
        work.ok(stage, &args);
    }
}

#[test]
fn one_thread_and_four_give_the_same_bytes() {
    let (one, four) = (Work::new(), Work::new());
    run_all(&one, "1");
    run_all(&four, "4");
    for artefact in ARTEFACTS {
        let (a, b) = (one.tree(artefact), four.tree(artefact));
        assert!(!a.is_empty(), "{artefact} is empty");
        assert_eq!(a, b, "{artefact} differs");
    }
}

#[test]
fn a_rerun_gives_the_same_bytes() {
    let work = Work::with_model();
    let first = ARTEFACTS.map(|artefact| work.tree(artefact));
    work.run_all_again(&["--threads", "2"]);
    assert_eq!(ARTEFACTS.map(|artefact| work.tree(artefact)), first);
}

#[test]
fn another_seed_gives_another_split_of_the_same_sizes() {
    let work = Work::new();
    work.ok("sample", &["--out", "raw", "--per-class", "8", "--size", "64"]);
    let counts = |seed: &str| {
        work.ok("splitter", &["--images", "raw", "--out", "split", "--seed", seed]);
        let manifest = fs::read_to_string(work.path("split/manifest.csv")).unwrap();
        let count = |split: &str| manifest.lines().filter(|l| l.contains(&format!(",{split},"))).count();
        (["train", "valid", "test"].map(count), manifest)
    };
    let (first, second) = (counts("1"), counts("2"));
    assert_eq!(first.0, second.0);
    assert!(first.0.iter().all(|&n| n > 0), "{first:?}");
    assert_ne!(first.1, second.1);
}
