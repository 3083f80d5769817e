//! Small valid and invalid files of each format, as seeds of a fuzzer.

use std::io::Cursor;

use data::head::{Dense, Head, HeadInfo, TrainingRecord};
use data::manifest::{self, Augmented, Row, Split};
use data::recipe::{Pool, Recipe};
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// Names and contents of the seeds.
pub(super) type Files = Vec<(String, Vec<u8>)>;

fn file(name: &str, bytes: impl Into<Vec<u8>>) -> (String, Vec<u8>) {
    (name.to_owned(), bytes.into())
}

/// Returns the content that `write` writes.
fn written(write: impl FnOnce(&std::path::Path)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write(&path);
    std::fs::read(path).unwrap()
}

pub(super) fn photos() -> Files {
    let pixels = RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8 * 28, y as u8 * 36, 128]));
    let pixels = DynamicImage::from(pixels);
    let mut files = vec![file("bad-empty", []), file("bad-text", "this is no picture")];
    for (extension, format) in [
        ("png", ImageFormat::Png),
        ("jpg", ImageFormat::Jpeg),
        ("gif", ImageFormat::Gif),
        ("webp", ImageFormat::WebP),
        ("bmp", ImageFormat::Bmp),
    ] {
        let mut bytes = Vec::new();
        pixels.write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        files.push(file(&format!("bad-cut.{extension}"), &bytes[..bytes.len() * 2 / 3]));
        files.push(file(&format!("good-small.{extension}"), bytes));
    }
    files
}

pub(super) fn manifests() -> Files {
    let row = |path: &str, split, crop: Option<&str>| Row {
        path: path.into(),
        class: "a \"b\", c".into(),
        split,
        sha256: [7; 32],
        width: 30,
        height: 20,
        crop: crop.map(|text| text.parse().unwrap()),
        augmented: None,
    };
    let copy = Row {
        augmented: Some(Augmented { source: "0.jpg".into(), copy: 1 }),
        ..row("images/0-1.jpg", Split::Train, None)
    };
    let plain = [row("0.jpg", Split::Train, None), row("../raw/é.png", Split::Test, None)];
    let boxes = [row("0.jpg", Split::Train, Some("0;1;3;2")), row("1.jpg", Split::Valid, None)];
    let of = |rows: &[Row], copies| written(|path| manifest::write(path, rows, copies).unwrap());
    let good = of(&plain, false);
    vec![
        file("bad-empty", []),
        file("bad-columns.csv", "path,class\n0.jpg,a\n"),
        file("bad-cut.csv", &good[..good.len() - 9]),
        file("bad-twice.csv", [&good[..], good.split_inclusive(|&b| b == b'\n').nth(1).unwrap()].concat()),
        file("good-boxes.csv", of(&boxes, false)),
        file("good-copies.csv", of(&[plain[0].clone(), copy], true)),
        file("good-plain.csv", good),
    ]
}

pub(super) fn profiles() -> Files {
    const HEADER: &str = "id,name,age,gender,latitude,longitude,photos\n";
    let with_header = |rows: &str| format!("{HEADER}{rows}");
    vec![
        file("bad-empty", []),
        file("bad-columns.csv", "id,name\n1,A\n"),
        file("bad-no-good-row.csv", with_header(",A,30,f,1,2,a.jpg\n2,B,200,,,,\n")),
        file("bad-open-quote.csv", with_header("\"1,A,30,f,1,2,a.jpg\n")),
        file("good-blank-cells.csv", with_header("1,,,,,,\n")),
        file(
            "good-odd.csv",
            "\u{feff}photos,x,id,name,age,gender,latitude,longitude\r\n a.jpg ;; b.jpg,?,1,\"O'B, \"\"P\"\"\",31,n,-90,180\r\n\r\n",
        ),
        file("good-plain.csv", with_header("1,A,30,f,48.1,7.9,a.jpg;b.jpg\n2,B,31,m,,,\n")),
    ]
}

pub(super) fn heads() -> Files {
    let recipe = Recipe {
        backbone: "vgg16".into(),
        weights: "seeded:1".into(),
        weights_sha256: "ab".repeat(32),
        weights_trained: false,
        image_size: 32,
        preset: "torchvision".into(),
        preprocessing_version: 1,
        pool: Pool::Avg,
    };
    let dense = |n_out: usize, n_in: usize| Dense {
        n_out,
        n_in,
        weight: (0..n_out * n_in).map(|i| i as f32 - 2.5).collect(),
        bias: vec![0.5; n_out],
    };
    let of = |layers: Vec<Dense>| {
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let info = HeadInfo::new(
            classes,
            recipe.clone(),
            vec![4],
            Some(TrainingRecord { epochs: 3, ..TrainingRecord::default() }),
        );
        written(|path| Head { layers, info }.write(path).unwrap())
    };
    let good = of(vec![dense(2, 4)]);
    let mut flipped = good.clone();
    let last = flipped.len() - 1;
    flipped[last] ^= 1;
    vec![
        file("bad-cut.safetensors", &good[..good.len() / 2]),
        file("bad-empty", []),
        file("bad-flipped.safetensors", flipped),
        file("bad-foreign.safetensors", [&8u64.to_le_bytes()[..], b"{}      "].concat()),
        file("good-hidden.safetensors", of(vec![dense(3, 4), dense(2, 3)])),
        file("good-linear.safetensors", good),
    ]
}
