//! Order of files, reruns, and existing results.

use std::fs;

use super::{Work, png};

#[test]
fn the_order_in_which_files_were_created_does_not_matter() {
    let names: Vec<String> = (0..40).map(|i| format!("{}/{i}.png", ["a", "a-b", "a b"][i % 3])).collect();
    let mut manifests = Vec::new();
    for order in
        [(0..40).collect::<Vec<usize>>(), (0..40).rev().collect(), (0..40).map(|i| i * 7 % 40).collect()]
    {
        let work = Work::with(&[]);
        order.iter().for_each(|&i| work.file(&names[i], &png(i as u32)));
        work.run(&[]).unwrap();
        let manifest = work.manifest();
        assert!(manifest.rows.is_sorted_by(|a, b| a.path.as_bytes() < b.path.as_bytes()));
        manifests.push(fs::read(manifest.path).unwrap());
    }
    assert!(manifests.iter().all(|m| *m == manifests[0]));
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_the_same_sizes() {
    let work = Work::with(&[("a", 31), ("b", 17)]);
    work.run(&["--seed", "1"]).unwrap();
    let (before, splits) = (work.outputs(), work.splits());
    work.run(&["--seed", "1"]).unwrap();
    assert_eq!(work.outputs(), before);

    let counts = (work.counts("a"), work.counts("b"));
    work.run(&["--seed", "2", "--force"]).unwrap();
    assert_ne!(work.splits(), splits);
    assert_eq!((work.counts("a"), work.counts("b")), counts);
}

#[test]
fn other_parameters_are_a_reason_to_split_again() {
    let work = Work::with(&[("a", 10)]);
    work.run(&["--seed", "1", "--tree", "copy"]).unwrap();
    for (flags, why) in [
        (vec!["--seed", "2", "--tree", "copy"], "seed was 1, is 2"),
        (vec!["--seed", "2"], "tree was copy, is none"),
        (vec!["--seed", "2", "--fixed", "2"], "ratio was [0.7,0.15,0.15], is not set"),
    ] {
        let log = work.log(&flags);
        assert!(log.contains(&format!("splitter: {why}")), "{log}");
        let before = work.outputs();
        assert_eq!(work.log(&flags), "");
        assert_eq!(work.outputs(), before);
    }
}

#[test]
fn a_manifest_of_unknown_origin_is_not_replaced_without_force() {
    for provenance in [None, Some("{}"), Some("not json")] {
        let work = Work::with(&[("a", 10)]);
        work.file("../split/manifest.csv", b"precious");
        if let Some(text) = provenance {
            work.file("../split/provenance.json", text.as_bytes());
        }
        let message = work.error(&[]);
        let why = if provenance.is_none() { "manifest.csv exists" } else { "provenance.json is not" };
        assert!(message.contains(why) && message.contains("--force"), "{message}");
        assert_eq!(fs::read(work.out("manifest.csv")).unwrap(), b"precious");
        work.run(&["--force"]).unwrap();
        work.manifest();
    }
}

#[test]
fn a_new_picture_is_a_reason_to_split_again() {
    let work = Work::with(&[("a", 10)]);
    work.run(&[]).unwrap();
    work.file("a/new.png", &png(99));
    work.run(&[]).unwrap();
    assert_eq!(work.manifest().rows.len(), 11);
}

#[test]
fn a_dry_run_writes_nothing() {
    let work = Work::with(&[("a", 10)]);
    work.run(&["--dry-run", "--tree", "copy"]).unwrap();
    assert!(!work.out("").exists());
}

#[test]
fn a_locked_output_says_try_again() {
    let work = Work::with(&[("a", 10)]);
    let _held = data::commit::lock(&work.out(""), "another").unwrap();
    let error = work.run(&[]).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(data::stage::Exit::TryAgain(_))), "{error:#}");
}

#[test]
fn the_paths_of_the_manifest_are_relative_to_it() {
    let work = Work::with(&[("a", 4)]);
    for (out, expected) in
        [("split", "../raw/a/0.png"), ("x/y/z", "../../../raw/a/0.png"), ("x/../w", "../raw/a/0.png")]
    {
        let mut args = work.args(&[]);
        args.out = work.0.path().join(out);
        crate::run(&args).unwrap();
        let manifest = data::manifest::Manifest::read(&args.out.join("manifest.csv")).unwrap();
        assert_eq!(manifest.rows[0].path, expected);
        assert!(manifest.resolve(&manifest.rows[0]).is_file());
    }
}

#[cfg(unix)]
#[test]
fn linked_folders_are_named_as_the_user_named_them() {
    use std::os::unix::fs::symlink;
    let work = Work::with(&[("a", 4)]);
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(work.raw(""), elsewhere.path().join("pictures")).unwrap();
    let mut args = work.args(&[]);
    args.images = elsewhere.path().join("pictures");
    args.out = elsewhere.path().join("split");
    crate::run(&args).unwrap();
    let manifest = data::manifest::Manifest::read(&args.out.join("manifest.csv")).unwrap();
    assert_eq!(manifest.rows[0].path, "../pictures/a/0.png");
    assert!(manifest.resolve(&manifest.rows[0]).is_file());
}
