//! Identical pictures.

use std::collections::{BTreeMap, BTreeSet};

use data::manifest::Split;

use super::{Work, png};

/// Asserts that no digest is in two splits.
fn assert_disjoint(work: &Work) {
    let mut splits: BTreeMap<[u8; 32], BTreeSet<Split>> = BTreeMap::new();
    for row in work.manifest().rows {
        splits.entry(row.sha256).or_default().insert(row.split);
    }
    assert!(splits.values().all(|s| s.len() == 1));
}

/// Makes 60 pictures of which 24 are in groups of 2 and 4.
fn with_duplicates() -> Work {
    let work = Work::with(&[("a", 36)]);
    for i in 0..8 {
        work.file(format!("a/twin-{i}.png"), &png(i));
    }
    for i in 0..4 {
        for k in 0..4 {
            work.file(format!("a/quad-{i}-{k}.png"), &png(500 + i));
        }
    }
    work
}

#[test]
fn duplicates_stay_in_one_split_and_the_sizes_are_exact() {
    let work = with_duplicates();
    for seed in ["1", "2", "3", "4", "5"] {
        work.run(&["--seed", seed, "--force"]).unwrap();
        assert_disjoint(&work);
        assert_eq!(work.counts("a"), [42, 9, 9]);
    }
}

#[test]
fn dropped_duplicates_are_rejects_that_name_the_first() {
    let work = with_duplicates();
    work.run(&["--duplicates", "drop"]).unwrap();
    let rejects = work.rejects();
    assert_eq!(rejects.len(), 8 + 4 * 3);
    assert!(rejects.contains(&"../raw/a/twin-0.png,duplicate".to_owned()));
    assert_eq!(work.manifest().rows.len(), 60 - 20);
    let text = std::fs::read_to_string(work.out("rejects.csv")).unwrap();
    let [dropped, kept] =
        ["a/quad-2-3.png", "a/quad-2-0.png"].map(|name| work.raw(name).display().to_string());
    assert!(text.contains(&format!("{dropped},duplicate,same as {kept}")), "{text}");
}

#[test]
fn a_picture_in_two_classes_is_a_named_conflict_in_one_split() {
    let work = Work::with(&[("a", 20), ("b", 20)]);
    for i in 0..6 {
        work.file(format!("b/from-a-{i}.png"), &png(i));
    }
    for duplicates in ["keep", "drop"] {
        let log = work.log(&["--duplicates", duplicates, "--force"]);
        let [a, b] = ["a/3.png", "b/from-a-3.png"].map(|name| work.raw(name).display().to_string());
        let expected = format!("duplicate label conflict: {a} and {b} are the same picture");
        assert!(log.contains(&expected), "{log}");
        assert_disjoint(&work);
        assert_eq!(work.manifest().rows.len(), 46);
        assert_eq!(work.rejects(), [""; 0]);
    }
}

#[test]
fn a_class_of_one_picture_many_times_is_too_small() {
    let work = Work::with(&[("a", 1)]);
    for i in 1..5 {
        work.file(format!("a/{i}.png"), &png(0));
    }
    let message = work.error(&[]);
    assert!(message.contains("class \"a\" has 5 images, 1 of them distinct, needs >= 3"), "{message}");
    work.run(&["--allow-small"]).unwrap();
    assert_eq!(work.counts("a"), [5, 0, 0]);
}

#[test]
fn three_pairs_fill_three_splits() {
    let work = Work::with(&[("a", 3)]);
    for i in 0..3 {
        work.file(format!("a/twin-{i}.png"), &png(i));
    }
    work.run(&[]).unwrap();
    assert_eq!(work.counts("a"), [2, 2, 2]);
}

#[test]
fn a_class_whose_pictures_all_lie_elsewhere_too_is_refused_or_split() {
    // Three pictures, each in both classes: for every seed, an empty split is an error.
    let mut n_refused = 0;
    for seed in 0..20 {
        let work = Work::with(&[("a", 3), ("b", 3)]);
        for i in 0..3 {
            work.file(format!("b/{i}.png"), &png(i));
        }
        match work.run(&["--seed", &seed.to_string()]) {
            Ok(()) => assert_eq!(work.counts("a"), [1, 1, 1]),
            Err(e) => {
                assert!(e.to_string().contains("has no picture for"), "{e}");
                n_refused += 1;
            }
        }
    }
    assert!(n_refused > 0);
}
