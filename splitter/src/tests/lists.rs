//! `--split-list`: MATLAB files and text.

use std::path::Path;

use data::manifest::Split;

use super::list_files::{cells, compressed, element, file, mat};
use super::{Work, png};
use crate::mat::cell_strings;

/// Two classes of 20, of which the first 12 of each are in the train list.
fn stanford() -> (Work, Vec<String>, Vec<String>) {
    let work = Work::with(&[("n01-Chihuahua", 20), ("n02-redbone", 20)]);
    let listed = |range: std::ops::Range<u32>| -> Vec<String> {
        let names = |class: &str| range.clone().map(|i| format!("{class}/{i}.png")).collect::<Vec<_>>();
        [names("n01-Chihuahua"), names("n02-redbone")].concat()
    };
    (work, listed(0..12), listed(12..20))
}

/// Writes the lists beside `raw` and gives the flag's value.
fn write_lists(work: &Work, train: &[u8], test: &[u8], extension: &str) -> String {
    let paths = ["train", "test"].map(|name| work.0.path().join(name).with_extension(extension));
    work.file(&paths[0], train);
    work.file(&paths[1], test);
    paths.map(|path| path.to_str().unwrap().to_owned()).join(",")
}

fn text(entries: &[String]) -> Vec<u8> {
    entries.join("\n").into_bytes()
}

fn strs(entries: &[String]) -> Vec<&str> {
    entries.iter().map(String::as_str).collect()
}

#[test]
fn the_test_list_is_the_test_split_and_valid_is_carved_out_of_train() {
    let (work, train, test) = stanford();
    let without_extension =
        |entries: &[String]| text(&entries.iter().map(|e| e.replace(".png", "")).collect::<Vec<_>>());
    let mut manifests = Vec::new();
    for (train, test, extension) in [
        (mat(&strs(&train)), mat(&strs(&test)), "mat"),
        (file(&[cells("file_list", &strs(&train))]), file(&[cells("file_list", &strs(&test))]), "mat"),
        (text(&train), text(&test), "txt"),
        (without_extension(&train), without_extension(&test), "txt"),
        ([b"\xef\xbb\xbf./", &text(&train)[..], b"\r\n\r\n"].concat(), text(&test), "txt"),
    ] {
        let lists = write_lists(&work, &train, &test, extension);
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
        "listed, but not there: RAW/n01-Chihuahua/gone.png",
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
fn lists_that_make_no_sense_are_refused_by_name() {
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
        (vec![0xff, 0xfe], "neither a MATLAB file nor UTF-8"),
    ] {
        let lists = write_lists(&work, &bad, &text(&test), "txt");
        let message = work.error(&["--split-list", &lists]);
        assert!(message.contains(expected), "{message}");
    }
    let message = work.error(&["--split-list", "no-such.txt,no-such.txt"]);
    assert!(message.contains("cannot read the list no-such.txt"), "{message}");
    let lists = write_lists(&work, &text(&train), b"MATLAB 7.3 MAT-file, HDF5", "txt");
    let message = work.error(&["--split-list", &lists]);
    assert!(message.contains("test.txt: a MATLAB 7.3 (HDF5) file; save it again"), "{message}");
}

#[test]
fn strings_come_out_of_a_mat_file_as_they_went_in() {
    let long = "x".repeat(300);
    let entries = ["a/b.jpg", "ab", "é/🐶.jpg", "", &long];
    for bytes in [mat(&entries), file(&[cells("other", &["x"]), cells("file_list", &entries)])] {
        assert_eq!(cell_strings(&bytes, "file_list").unwrap(), entries);
    }
}

#[test]
fn malformed_mat_files_are_refused() {
    let good = mat(&["a/b.jpg", "c/d.jpg"]);
    let nested = cells("file_list", &["a/b.jpg"]);
    let mut big_endian = good.clone();
    big_endian[124..128].copy_from_slice(b"\x01\x00MI");
    let mut many_cells = file(std::slice::from_ref(&nested));
    // The dimensions follow the header, the array's tag, its flags and their own tag.
    many_cells[128 + 8 + 16 + 8..][..4].copy_from_slice(&1_000_000u32.to_le_bytes());
    let mut too_many_cells = many_cells.clone();
    too_many_cells[128 + 8 + 16 + 8..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    // 40 KB that inflate to 40 MB, twice: neither alone is too much.
    let bomb = compressed(&element(14, &vec![0; 40 << 20]));
    assert!(bomb.len() < 64 << 10);
    let long_name = cells(&"x".repeat(300), &["a/b.jpg"]);
    for (bytes, expected) in [
        (Vec::new(), "too few"),
        (b"MATLAB 7.3 MAT-file".to_vec(), "HDF5"),
        (b"\x89HDF\r\n\x1a\n".to_vec(), "HDF5"),
        (vec![b' '; 200], "no MATLAB file of level 5"),
        (big_endian, "big-endian"),
        (good[..128].to_vec(), "no variable file_list"),
        (good[..good.len() - 9].to_vec(), "ends within an element"),
        (file(&[compressed(&cells("list", &["x"]))]), "no variable file_list; there are: list"),
        (file(&[element(15, b"no zlib")]), "does not inflate"),
        (file(&[element(6, &[1; 8])]), "expected an array"),
        (file(&[cells("file_list", &[])[..16].to_vec()]), "ends within an element"),
        (many_cells, "ends within an element"),
        (too_many_cells, "a list of 4294967295 strings"),
        (file(&[compressed(&cells("other", &[])), compressed(&vec![0; 65 << 20])]), "inflate to more than"),
        (file(&[compressed(&long_name), bomb]), "a variable's name of 300 bytes"),
    ] {
        let message = format!("{:#}", cell_strings(&bytes, "file_list").expect_err(expected));
        assert!(message.contains(expected), "{message}");
    }
    for len in 0..good.len() {
        assert!(cell_strings(&good[..len], "file_list").is_err(), "cut to {len}");
    }
}

#[test]
fn no_flipped_byte_makes_the_reader_panic() {
    let good = file(&[cells("file_list", &["a/b.jpg", "c/d.jpg"])]);
    for at in 128..good.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] = value;
            let _ = cell_strings(&bad, "file_list");
        }
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
fn a_note_beside_a_picture_does_not_make_its_name_ambiguous() {
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
fn a_list_that_is_no_file_is_refused_at_once() {
    let (work, train, _) = stanford();
    let lists = write_lists(&work, &text(&train), b"", "txt");
    let pipe = work.raw("../test.txt");
    std::fs::remove_file(&pipe).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let message = work.error(&["--split-list", &lists]);
    assert!(message.contains("test.txt: it is no regular file but a pipe"), "{message}");
    let message = work.error(&["--split-list", "/dev/zero,/dev/zero"]);
    assert!(message.contains("/dev/zero: it is no regular file"), "{message}");
}
