//! Tests of which folders are classes, and which classes can be split.

use std::fs;

use super::Work;

#[test]
fn hidden_files_and_files_beside_class_folders_are_not_classes() {
    let work = Work::with(&[("a", 4), ("b", 4)]);
    let litter = [
        ".DS_Store",
        "Thumbs.db",
        "README.txt",
        "a/._0.png",
        "a/.DS_Store",
        "__MACOSX/a/0.png",
        ".git/0.png",
    ];
    for name in litter {
        work.file(name, b"litter");
    }
    work.run(&[]).unwrap();
    let manifest = work.manifest();
    assert_eq!(manifest.classes, ["a", "b"]);
    assert_eq!(manifest.rows.len(), 8);
    assert_eq!(work.rejects(), [""; 0]);
}

#[test]
fn every_class_that_is_too_small_is_named_and_nothing_written() {
    let work = Work::with(&[("big", 5), ("empty", 0), ("one", 1), ("two", 2)]);
    let message = work.error(&[]);
    for expected in [
        "class \"empty\" has 0 images, needs >= 3",
        "class \"one\" has 1 image, needs >= 3",
        "class \"two\" has 2 images, needs >= 3",
    ] {
        assert!(message.contains(expected), "{message}");
    }
    assert!(!message.contains("big"), "{message}");
    assert!(work.outputs().is_empty());
}

#[test]
fn allow_small_puts_small_classes_into_train_but_no_empty_ones() {
    let work = Work::with(&[("big", 6), ("one", 1), ("two", 2)]);
    work.run(&["--allow-small"]).unwrap();
    assert_eq!(work.counts("one"), [1, 0, 0]);
    assert_eq!(work.counts("two"), [2, 0, 0]);
    assert_eq!(work.counts("big"), [4, 1, 1]);

    fs::create_dir(work.raw("empty")).unwrap();
    let message = work.error(&["--allow-small"]);
    assert!(message.contains("class \"empty\" has 0 images, needs >= 1"), "{message}");
}

#[test]
fn a_class_that_is_too_small_after_rejects_is_named() {
    let work = Work::with(&[("a", 3), ("b", 9)]);
    work.file("a/0.png", b"<html>");
    let message = work.error(&[]);
    assert!(message.contains("class \"a\" has 2 images, needs >= 3"), "{message}");
}

#[test]
fn images_that_are_not_a_folder_of_class_folders_are_refused() {
    for (make, expected) in [
        ((|work: &Work| fs::remove_dir(work.raw("")).unwrap()) as fn(&Work), "cannot open --images"),
        (
            |work| {
                fs::remove_dir(work.raw("")).unwrap();
                work.file(work.0.path().join("raw"), b"");
            },
            "is a file, expected a folder",
        ),
        (|_| {}, "contains no class folders"),
        (|work| work.file("0.png", b""), "contains pictures but no class folders; if it is a class itself"),
        (|work| work.file("0.txt", b""), "contains no class folders; expected"),
        (|work| work.file("Images/beagle/0.png", b""), "perhaps --images"),
    ] {
        let work = Work::with(&[]);
        make(&work);
        let message = work.error(&[]);
        assert!(message.contains(expected), "{message}");
        assert!(work.outputs().is_empty());
    }
}

#[test]
fn a_tree_that_is_split_already_is_refused() {
    // The original counted 122 classes: its outputs `train` and `test` lay among the 120 inputs.
    for (files, expected) in [
        (["train/a/0.png", "test/a/0.png", "a/0.png"], "it contains test, train"),
        (["train/0.png", "VALID/0.png", "a/0.png"], "it contains VALID, train"),
        (["train/a/0.png", "a/1.png", "a/0.png"], "it contains train"),
    ] {
        let work = Work::with(&[]);
        files.iter().for_each(|file| work.file(file, b""));
        let message = work.error(&[]);
        assert!(message.contains("split already") && message.contains(expected), "{message}");
    }
}

#[test]
fn a_class_may_be_called_train() {
    let work = Work::with(&[("plane", 4), ("train", 4)]);
    work.run(&[]).unwrap();
    assert_eq!(work.manifest().classes, ["plane", "train"]);
}

#[test]
fn output_inside_input_and_input_inside_output_are_refused() {
    for (images, out, expected) in [
        ("raw", "raw/split", "is inside --images"),
        ("raw", "raw/a", "is inside --images"),
        ("raw", "raw", "is inside --images"),
        ("raw", "x/../raw/split", "is inside --images"),
        ("raw", ".", "is inside --out"),
    ] {
        let work = Work::with(&[("a", 4)]);
        let mut args = work.args(&[]);
        args.images = work.0.path().join(images);
        args.out = work.0.path().join(out);
        let message = format!("{:#}", crate::run(&args).unwrap_err());
        assert!(message.contains(expected), "{message}");
        assert_eq!(fs::read_dir(work.raw("")).unwrap().count(), 1);
    }
}

#[cfg(unix)]
#[test]
fn output_is_found_inside_input_through_a_link() {
    let work = Work::with(&[("a", 4)]);
    std::os::unix::fs::symlink("raw/a", work.0.path().join("split")).unwrap();
    let message = work.error(&[]);
    assert!(message.contains("is inside --images"), "{message}");
}

#[cfg(unix)]
#[test]
fn class_folders_that_are_links_are_named_as_links() {
    let work = Work::with(&[("a", 10)]);
    fs::remove_dir_all(work.raw("a")).unwrap();
    fs::create_dir(work.raw("../elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", work.raw("a")).unwrap();
    let message = work.error(&[]);
    assert!(message.contains("no class folders but 1 links to folders"), "{message}");
}
