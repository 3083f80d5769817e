use std::fs;

use data::manifest::Crop;

use super::{Work, png};

/// Makes an annotation of a picture of 3 x 2 with one box.
fn annotation(bounds: [u32; 4]) -> String {
    let [xmin, ymin, xmax, ymax] = bounds;
    format!(
        "<annotation><size><width>3</width><height>2</height></size><object><name>x</name><bndbox>\
         <xmin>{xmin}</xmin><ymin>{ymin}</ymin><xmax>{xmax}</xmax><ymax>{ymax}</ymax></bndbox></object></annotation>"
    )
}

fn boxes(work: &Work) -> Vec<(String, Option<String>)> {
    let rows = work.manifest().rows;
    let shown = |crop: Crop| crop.to_string();
    rows.into_iter().map(|row| (row.path.replace("../raw/", ""), row.crop.map(shown))).collect()
}

#[test]
fn each_picture_gets_its_own_box_and_those_without_are_not_cropped() {
    let work = Work::with(&[("a", 4), ("b", 4)]);
    let (width, height) = data::photo::dimensions(&png(0), &data::photo::Limits::STANDARD).unwrap();
    assert_eq!((width, height), (3, 2), "what the annotations below are of");
    work.run(&["--ratio=0.5,0.25,0.25"]).unwrap();
    let without = fs::read(work.out("manifest.csv")).unwrap();

    for (path, text) in [
        ("../annotations/a/0", annotation([1, 1, 2, 1])),
        ("../annotations/a/1.xml", annotation([2, 1, 3, 9])),
        ("../annotations/a/2", "no annotation".to_owned()),
        ("../annotations/b/0", annotation([2, 2, 2, 2])),
    ] {
        work.file(path, text.as_bytes());
    }
    let annotations = work.raw("../annotations");
    let annotations = annotations.to_str().unwrap();
    let flags = ["--ratio=0.5,0.25,0.25", "--crop-to-box", annotations];
    let log = work.log(&flags);
    assert!(log.contains("crop-to-box was false, is true"), "{log}");
    assert!(log.contains("not cropped: a/2.png: the annotation is not valid Pascal VOC XML"), "{log}");
    assert!(log.contains("not cropped: a/3.png: cannot read the annotation"), "{log}");
    let expected = [Some("0;0;2;1"), Some("1;0;3;2"), None, None, Some("1;1;2;2"), None, None, None];
    let found = boxes(&work);
    assert!(found.iter().map(|(_, crop)| crop.as_deref()).eq(expected), "{found:?}");

    // The split is the same, and another box is another input.
    let provenance = fs::read_to_string(work.out("provenance.json")).unwrap();
    work.file("../annotations/a/0", annotation([1, 1, 3, 1]).as_bytes());
    work.run(&flags).unwrap();
    assert_ne!(fs::read_to_string(work.out("provenance.json")).unwrap(), provenance);
    assert_eq!(boxes(&work)[0].1.as_deref(), Some("0;0;3;1"));
    work.run(&["--ratio=0.5,0.25,0.25"]).unwrap();
    assert!(fs::read(work.out("manifest.csv")).unwrap() == without);
}

#[test]
fn a_folder_without_any_annotation_is_refused() {
    let work = Work::with(&[("a", 4)]);
    let elsewhere = work.raw("../annotations");
    let message = work.error(&["--crop-to-box", elsewhere.to_str().unwrap()]);
    assert!(message.contains("no picture has a usable annotation below"), "{message}");
    assert!(message.contains("a/0.png: cannot read the annotation"), "{message}");
    assert!(!work.out("manifest.csv").exists());
}

#[cfg(unix)]
#[test]
fn an_annotation_that_is_not_a_regular_file_is_not_opened() {
    let work = Work::with(&[("a", 4)]);
    work.file("../annotations/a/0", annotation([1, 1, 2, 1]).as_bytes());
    work.file("../secret.txt", b"<annotation>secret</annotation>");
    let place = |name: &str| work.raw(format!("../annotations/a/{name}"));
    assert!(std::process::Command::new("mkfifo").arg(place("1")).status().unwrap().success());
    std::os::unix::fs::symlink(work.raw("../secret.txt"), place("2.xml")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", place("3")).unwrap();
    let log = work.log(&["--crop-to-box", work.raw("../annotations").to_str().unwrap()]);
    for n in 1..4 {
        assert!(log.contains(&format!("not cropped: a/{n}.png: cannot read the annotation")), "{log}");
    }
    assert_eq!(log.matches("not_regular_file").count(), 3, "{log}");
    assert!(!log.contains("secret<"), "{log}");
}

#[test]
fn a_box_is_turned_with_its_picture() {
    let work = Work::with(&[("a", 4)]);
    for (i, orientation) in [(0, 6u8), (1, 3)] {
        let plain = png(i);
        let exif =
            [&b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..], &[orientation], &[0; 6]].concat();
        let chunk = [&(exif.len() as u32).to_be_bytes()[..], b"eXIf", &exif, &[0; 4]].concat();
        work.file(format!("a/{i}.png"), &[&plain[..33], &chunk, &plain[33..]].concat());
        // Stored 3 x 2, with the box in the upper left corner.
        work.file(format!("../annotations/a/{i}"), annotation([1, 1, 1, 1]).as_bytes());
    }
    for check in ["decode", "header"] {
        let annotations = work.raw("../annotations");
        work.run(&["--inspect", check, "--force", "--crop-to-box", annotations.to_str().unwrap()]).unwrap();
        let expected = [Some("1;0;2;1"), Some("2;1;3;2"), None, None];
        assert!(boxes(&work).iter().map(|(_, crop)| crop.as_deref()).eq(expected), "{:?}", boxes(&work));
    }
}
