//! `--split-list`.

use std::path::Path;

use data::manifest::Split;

use super::{Work, png};

/// Makes two classes of 20; the first 12 of each are in the train list.
fn stanford() -> (Work, Vec<String>, Vec<String>) {
    let work = Work::with(&[("n01-Chihuahua", 20), ("n02-redbone", 20)]);
    let listed = |range: std::ops::Range<u32>| -> Vec<String> {
        let names = |class: &str| range.clone().map(|i| format!("{class}/{i}.png")).collect::<Vec<_>>();
        [names("n01-Chihuahua"), names("n02-redbone")].concat()
    };
    (work, listed(0..12), listed(12..20))
}

/// Writes the lists beside `raw` and returns the flag's value.
fn write_lists(work: &Work, train: &[u8], test: &[u8], extension: &str) -> String {
    let paths = ["train", "test"].map(|name| work.0.path().join(name).with_extension(extension));
    work.file(&paths[0], train);
    work.file(&paths[1], test);
    paths.map(|path| path.to_str().unwrap().to_owned()).join(",")
}

fn text(entries: &[String]) -> Vec<u8> {
    entries.join("\n").into_bytes()
}

#[test]
fn the_test_list_is_the_test_split_and_valid_is_taken_from_train() {
    let (work, train, test) = stanford();
    let without_extension =
        |entries: &[String]| text(&entries.iter().map(|e| e.replace(".png", "")).collect::<Vec<_>>());
    let mut manifests = Vec::new();
    for (train, test) in [
        (text(&train), text(&test)),
        (without_extension(&train), without_extension(&test)),
        ([b"\xef\xbb\xbf./", &text(&train)[..], b"\r\n\r\n"].concat(), text(&test)),
    ] {
        let lists = write_lists(&work, &train, &test, "txt");
        work.run(&["--split-list", &lists, "--valid-share", "0.25", "--force"]).unwrap();
        for class in ["n01-Chihuahua", "n02-redbone"] {
            assert_eq!(work.counts(class), [9, 3, 8]);
        }
        manifests.push(work.splits());
    }
    let in_test = |path: &str| manifests[0][path] == Split::Test;
    assert!(test.iter().all(|path| in_test(path)) && !train.iter().any(|path| in_test(path)));
    assert!(manifests.iter().all(|m| *m == manifests[0]));
}

#[test]
fn a_train_copy_of_a_test_picture_is_dropped() {
    let (work, train, test) = stanford();
    work.file("n01-Chihuahua/3.png", &png(15)); // the bytes of n01-Chihuahua/15.png
    work.file("n02-redbone/4.png", &png(16)); // the bytes of a test picture of the other class
    work.file("n02-redbone/13.png", &png(1012)); // two test pictures may be the same
    let lists = write_lists(&work, &text(&train), &text(&test), "txt");
    work.run(&["--split-list", &lists]).unwrap();
    assert_eq!(
        work.rejects(),
        ["../raw/n01-Chihuahua/3.png,duplicate", "../raw/n02-redbone/4.png,duplicate"]
    );
    assert_eq!(work.splits().values().filter(|&&s| s == Split::Test).count(), 16);
}

#[test]
fn listed_but_absent_and_present_but_unlisted_pictures_are_named() {
    let (work, mut train, test) = stanford();
    train.retain(|path| !path.ends_with("/5.png"));
    train.push("n01-Chihuahua/gone.png".into());
    train.push("n09-unknown/0.png".into());
    work.file("n03-unlisted/0.png", &png(1));
    let lists = write_lists(&work, &text(&train), &text(&test), "txt");
    let log = work.log(&["--split-list", &lists]);
    for expected in [
        "listed, but there is no such file: RAW/n01-Chihuahua/gone.png",
        "in neither list and ignored: RAW/n02-redbone/5.png",
        "in neither list and ignored: RAW/n03-unlisted/0.png",
    ] {
        let expected = expected.replace("RAW/", &work.raw("").display().to_string());
        assert!(log.contains(&expected), "{log}");
    }
    assert_eq!(
        work.rejects(),
        [
            "../raw/n01-Chihuahua/5.png,not_listed",
            "../raw/n01-Chihuahua/gone.png,unreadable",
            "../raw/n02-redbone/5.png,not_listed",
            "../raw/n03-unlisted/0.png,not_listed",
            "../raw/n09-unknown/0.png,unreadable"
        ]
    );
    assert_eq!(work.manifest().classes, ["n01-Chihuahua", "n02-redbone"]);
    assert_eq!(work.manifest().rows.len(), 38);

    let message = work.error(&["--split-list", &lists, "--max-bad", "1"]);
    assert!(message.contains("3 of 41 pictures") && message.contains("in neither list"), "{message}");
    train.push("n02-redbone/5.png".into());
    train.push("n01-Chihuahua/5.png".into());
    let lists = write_lists(&work, &text(&train), &text(&test), "txt");
    let message = work.error(&["--split-list", &lists, "--max-bad", "1"]);
    assert!(message.contains("2 of 42 pictures are rejected"), "{message}");
}

#[test]
fn invalid_lists_are_refused_by_name() {
    let (work, train, test) = stanford();
    let one = |entry: &str| text(&[entry.to_owned()]);
    work.file("n01-Chihuahua/7.jpg", &png(77));
    for (bad, expected) in [
        (one("n01-Chihuahua/12.png"), "n01-Chihuahua/12.png is in the train list and in the test list"),
        (one("0.png"), "expected <class>/<picture>"),
        (one("../secret/0.png"), "expected <class>/<picture>"),
        (one("../0.png"), "expected <class>/<picture>"),
        (one("n01-Chihuahua/0\0.png"), "expected <class>/<picture>"),
        (one("n01-Chihuahua/7"), "may be 7.jpg or 7.png"),
        (b"\n".to_vec(), "names no picture"),
        (vec![0xff, 0xfe], "it is not UTF-8 text"),
    ] {
        let lists = write_lists(&work, &bad, &text(&test), "txt");
        let message = work.error(&["--split-list", &lists]);
        assert!(message.contains(expected), "{message}");
    }
    let message = work.error(&["--split-list", "no-such.txt,no-such.txt"]);
    assert!(message.contains("cannot read the list no-such.txt"), "{message}");
    for matlab in [&b"MATLAB 5.0 MAT-file"[..], b"MATLAB 7.3 MAT-file, HDF5"] {
        let lists = write_lists(&work, &text(&train), matlab, "mat");
        let message = work.error(&["--split-list", &lists]);
        assert!(message.contains("test.mat: it is a MATLAB file; stanford-dogs writes"), "{message}");
    }
}

#[test]
fn a_small_train_list_is_refused_or_allowed() {
    let work = Work::with(&[("a", 4)]);
    let lists = write_lists(&work, b"a/0.png", b"a/1.png\na/2.png\na/3.png", "txt");
    let message = work.error(&["--split-list", &lists]);
    assert!(message.contains("class \"a\" has 1 image, needs >= 2"), "{message}");
    work.run(&["--split-list", &lists, "--allow-small"]).unwrap();
    assert_eq!(work.counts("a"), [1, 0, 3]);
    work.run(&["--split-list", &lists, "--valid-share", "0", "--force"]).unwrap();
    assert_eq!(work.counts("a"), [1, 0, 3]);
    assert!(Path::new(&work.out("manifest.csv")).exists());
}

#[test]
fn a_text_file_beside_a_picture_does_not_make_its_name_ambiguous() {
    let (work, train, test) = stanford();
    work.file("n01-Chihuahua/3.txt", b"a note");
    work.file("n01-Chihuahua/only.jfif", &png(500));
    let mut train: Vec<String> = train.iter().map(|e| e.replace(".png", "")).collect();
    train.push("n01-Chihuahua/only".into());
    let lists = write_lists(&work, &text(&train), &text(&test), "txt");
    work.run(&["--split-list", &lists, "--max-bad=0"]).unwrap();
    assert_eq!(work.manifest().rows.len(), 41);
    assert_eq!(work.rejects(), ["../raw/n01-Chihuahua/3.txt,not_listed"]);
}

#[cfg(unix)]
#[test]
fn a_list_that_is_not_a_regular_file_is_refused_at_once() {
    let (work, train, _) = stanford();
    let lists = write_lists(&work, &text(&train), b"", "txt");
    let pipe = work.raw("../test.txt");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let message = work.error(&["--split-list", &lists]);
    assert!(message.contains("test.txt: it is not a regular file but a pipe"), "{message}");
    let message = work.error(&["--split-list", "/dev/zero,/dev/zero"]);
    assert!(message.contains("/dev/zero: it is not a regular file"), "{message}");
}
