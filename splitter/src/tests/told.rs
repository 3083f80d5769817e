//! Warnings, hints and changes that the stage reports before and after a split.

use std::fs;
use std::path::Path;

use super::{Work, png};

#[test]
fn one_class_is_refused_before_anything_is_read() {
    let work = Work::with(&[("beagle", 9)]);
    let mut args = work.args(&[]);
    args.allow_one_class = false;
    let message = format!("{:#}", crate::run(&args).unwrap_err());
    assert!(
        message.contains("there is one class, \"beagle\", and a classifier needs two or more"),
        "{message}"
    );
    assert!(!work.out("").exists());
}

#[test]
fn empty_parts_are_warned_of() {
    let work = Work::with(&[("a", 20), ("b", 20)]);
    let (valid, test) = ("there will be no valid pictures", "there will be no test pictures");
    for (flags, has_valid, has_test) in [
        (&["--ratio=0.7,0.15,0.15"][..], true, true),
        (&["--ratio=0.8,0,0.2"], false, true),
        (&["--ratio=0.8,0.2,0"], true, false),
        (&["--ratio=1,0,0"], false, false),
        (&["--ratio=0.8,0,0.2", "--unshuffled"], false, true),
        (&["--fixed=3,0"], true, false),
        (&["--fixed=0,3"], false, true),
    ] {
        let log = work.log(&[flags, &["--force"]].concat());
        assert_eq!((!log.contains(valid), !log.contains(test)), (has_valid, has_test), "{flags:?}: {log}");
    }
}

#[test]
fn class_folders_that_mean_the_same_are_named() {
    let work = Work::with(&[
        ("Beagle", 4),
        ("beagle", 4),
        ("beagle ", 4),
        ("n02088364-beagle", 4),
        ("pug", 4),
        ("\u{e9}", 4),
        ("e\u{301}", 4),
    ]);
    let log = work.log(&[]);
    assert!(log.contains("\"Beagle\", \"beagle\", \"beagle \", \"n02088364-beagle\" are 4 classes"), "{log}");
    assert_eq!(log.matches("their names mean the same").count(), 2, "{log}");
    assert!(!log.contains("pug"), "{log}");
}

#[test]
fn the_hint_leads_to_a_folder_that_holds_classes_with_pictures() {
    for (files, expected) in [
        // The layout of Kaggle's archive of Stanford Dogs: annotations have no extension.
        (
            &[
                "annotations/Annotation/n02-x/n02_1",
                "images/Images/n02-x/n02_1.jpg",
                "images/Images/n03-y/n03_1.jpg",
            ][..],
            "images/Images",
        ),
        (
            &["data/test/a/0.jpg", "data/test/b/0.jpg", "data/train/a/0.jpg", "data/train/b/0.jpg"],
            "data/train",
        ),
        (&["notes/old/x.txt", "photos/pug/0"], "photos"),
        (&["a/b/c/d/pug/0.jpg", "a/notes.txt", "b/b/c/0.txt"], "a/b/c/d"),
    ] {
        let work = Work::with(&[]);
        for file in files {
            let is_picture = file.ends_with(".jpg") || file.ends_with("/0");
            work.file(file, if is_picture { png(1) } else { b"<annotation/>".to_vec() }.as_slice());
        }
        let message = work.error(&[]);
        let hint = format!("perhaps --images {}", work.raw(expected).display());
        assert!(message.ends_with(&hint), "{message}, expected {hint}");
    }
    let work = Work::with(&[]);
    ["test/a/0.jpg", "train/a/0.jpg"].iter().for_each(|file| work.file(file, &png(1)));
    let message = work.error(&[]);
    assert!(message.contains(&format!("such as --images {},", work.raw("train").display())), "{message}");
    let work = Work::with(&[]);
    work.file("a/b/notes.txt", b"");
    assert!(work.error(&[]).ends_with("contain no pictures but folders"));
}

#[test]
fn rejects_are_named_as_the_user_named_them_and_say_what_is_wrong() {
    let work = Work::with(&[("a", 6)]);
    for (name, bytes) in
        [("empty.jpg", &b""[..]), ("page.jpg", b"<html>"), ("cut.png", &png(1)[..40]), ("note.txt", b"hello")]
    {
        work.file(format!("a/{name}"), bytes);
    }
    let mut args = work.args(&["--max-bad=3"]);
    args.images = work.0.path().join("raw/../raw");
    crate::run(&args).unwrap();
    let table = fs::read_to_string(work.out("rejects.csv")).unwrap();
    let named = |name: &str| format!("{}/raw/../raw/a/{name},", work.0.path().display());
    for line in table.lines().skip(1) {
        let detail = line.splitn(3, ',').nth(2).unwrap();
        assert!(!detail.is_empty() && line.starts_with(&named("")[..named("").len() - 1]), "{line}");
    }
    assert_eq!(table.lines().count(), 5);
    // The provenance has the pictures, not the name of their folder.
    let before = fs::read_to_string(work.out("provenance.json")).unwrap();
    work.run(&["--max-bad=3"]).unwrap();
    assert_eq!(fs::read_to_string(work.out("provenance.json")).unwrap(), before);
    assert!(Path::new(&work.out("rejects.csv")).exists());
}

#[cfg(unix)]
#[test]
fn commands_to_the_terminal_in_names_are_not_logged() {
    let work = Work::with(&[("a", 4), ("b\u{1b}[2J", 4), ("B\u{1b}[2J", 4)]);
    work.file("b\u{1b}[2J/x\u{1b}[1m.jpg", b"<html>");
    let log = work.log(&["--allow-small"]);
    assert!(log.contains("their names mean the same") && !log.contains('\u{1b}'), "{log}");
}

#[test]
fn a_rerun_says_what_has_changed() {
    use crate::changes::{Changes, between, since_last_time};
    let work = Work::with(&[("a", 30), ("b", 30)]);
    work.run(&[]).unwrap();
    let before = work.manifest().rows;
    let none = Changes { added: 0, removed: 0, replaced: 0, moved: 0, test_changed: false };
    assert_eq!(since_last_time(&work.out(""), &before), Some(none));
    assert_eq!(since_last_time(&work.out("elsewhere"), &before), None);

    for i in 0..10 {
        work.file(format!("a/new-{i}.png"), &png(5000 + i));
    }
    fs::remove_file(work.raw("b/3.png")).unwrap();
    work.file("a/1.png", &png(7000));
    work.run(&[]).unwrap();
    let after = work.manifest().rows;
    let split_of =
        |row: &data::manifest::Row| before.iter().find(|old| old.path == row.path).map(|old| old.split);
    let moved = after.iter().filter(|row| split_of(row).is_some_and(|split| split != row.split)).count();

    let changes = between(&before, &after);
    assert_eq!((changes.added, changes.removed, changes.replaced, changes.moved), (10, 1, 1, moved));
    assert!(changes.any() && changes.test_changed);

    // A manifest that a person edited says nothing about the last split, and is kept.
    data::manifest::write(&work.out("manifest.csv"), &before, false).unwrap();
    assert_eq!(since_last_time(&work.out(""), &after), None);
    work.run(&[]).unwrap();
    assert_eq!(work.manifest().rows, after);
    let edited = data::manifest::Manifest::read(&work.out("manifest.csv.edited")).unwrap();
    assert_eq!(edited.rows, before);
}
