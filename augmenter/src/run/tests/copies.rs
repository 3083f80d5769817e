//! Tests of the number and the content of the copies.

use super::*;

#[test]
fn train_rows_get_copies_and_the_others_pass_unchanged() {
    let work = Work::new();
    work.augment(&["--copies=2"]).unwrap();
    let result = work.result();
    let originals: Vec<&Row> = result.rows.iter().filter(|row| row.augmented.is_none()).collect();
    assert!(originals.into_iter().eq(&work.rows), "the originals come first, unchanged");
    let copies = work.copies();
    assert_eq!(copies.len(), 2 * 6);
    for row in &copies {
        let from = row.augmented.as_ref().unwrap();
        let source = work.rows.iter().find(|r| r.path == from.source).unwrap();
        assert_eq!((source.split, &source.class), (Split::Train, &row.class));
        assert_eq!(
            data::provenance::sha256_file(&result.resolve(row)).unwrap(),
            data::provenance::to_hex(&row.sha256)
        );
        let bytes = fs::read(result.resolve(row)).unwrap();
        let picture = data::photo::decode(&bytes, &data::photo::Limits::STANDARD).unwrap().rgb;
        assert_eq!(picture.dimensions(), (row.width, row.height));
    }
    let transforms = fs::read_to_string(work.path("augmented/transforms.csv")).unwrap();
    let listed: Vec<&str> = transforms.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert!(listed.into_iter().eq(copies.iter().map(|row| row.path.as_str())));
}

#[test]
fn classes_are_balanced_to_the_target() {
    let work = Work::new();
    work.augment(&["--per-class=5"]).unwrap();
    let result = work.result();
    for class in ["few", "many"] {
        let n = result.rows.iter().filter(|r| r.class == class && r.split == Split::Train).count();
        assert_eq!(n, 5, "{class}");
    }
    work.augment(&["--per-class=3", "--force"]).unwrap();
    let of = |class: &str| work.copies().iter().filter(|row| row.class == class).count();
    assert_eq!((of("few"), of("many")), (1, 0));
}

#[test]
fn zero_copies_keep_the_rows_unchanged() {
    let work = Work::new();
    work.augment(&["--copies=0"]).unwrap();
    assert_eq!(work.result().rows, work.rows);
    assert!(!work.path("augmented/images").exists());
}

#[test]
fn names_do_not_collide() {
    let mut work = Work::new();
    // The same stem twice, once also with the same bytes, and a file with the name of a copy.
    for (name, shade) in [("a.jpg", 20), ("a.png", 21), ("a.bmp", 20), ("a-1.png", 22)] {
        work.add("few", name, Split::Train, shade);
    }
    work.add("few", &format!("{}.png", "\u{1F436}".repeat(60)), Split::Train, 23);
    work.write_manifest();
    work.augment(&["--copies=2"]).unwrap();
    let copies = work.copies();
    assert_eq!(copies.len(), 2 * 11);
    assert!(copies.iter().all(|row| work.result().resolve(row).is_file()));
}

#[test]
fn pictures_of_one_pixel_and_very_long_ones_are_copied() {
    let mut work = Work::new();
    for (name, width, height) in [("dot.png", 1, 1), ("pole.png", 1, 4000), ("beam.png", 4000, 300)] {
        let picture = RgbImage::from_pixel(width, height, Rgb([9, 99, 199]));
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&picture, width, height, ExtendedColorType::Rgb8)
            .unwrap();
        commit::write_bytes(&work.path(&format!("raw/few/{name}")), &bytes).unwrap();
        work.rows.push(Row {
            path: format!("../raw/few/{name}"),
            sha256: from_hex(&sha256_hex(&bytes)).unwrap(),
            width,
            height,
            ..work.rows[0].clone()
        });
    }
    work.write_manifest();
    work.augment(&["--format=png"]).unwrap();
    let sizes: Vec<(u32, u32)> =
        work.copies().iter().rev().take(3).map(|row| (row.width, row.height)).collect();
    assert_eq!(sizes, [(3413, 256), (1, 4000), (1, 1)]);
}

#[test]
fn copies_replace_the_originals_that_are_asked_for() {
    let work = Work::new();
    work.augment(&["--replace-originals", "train"]).unwrap();
    for row in work.result().rows {
        assert_eq!(row.replaces_original(), row.split == Split::Train, "{row:?}");
    }
    work.augment(&["--replace-originals", "all", "--force"]).unwrap();
    let rows = work.result().rows;
    assert_eq!(rows.len(), work.rows.len());
    assert!(rows.iter().all(Row::replaces_original));
    let beside = |row: &Row| work.path("augmented").join(&row.path).is_file();
    assert!(rows.iter().all(beside));
    work.augment(&["--force"]).unwrap();
    let valid_or_test = |row: &&Row| row.split != Split::Train;
    assert!(work.result().rows.iter().filter(valid_or_test).all(|row| row.augmented.is_none()));
}

#[test]
fn copies_of_a_picture_with_a_box_show_the_box_alone() {
    let mut work = Work::new();
    let still = [
        "--rotation-range=0",
        "--width-shift-range=0",
        "--height-shift-range=0",
        "--shear-range=0",
        "--zoom-range=0",
        "--format=png",
        "--contact-sheet",
    ];
    work.augment(&still).unwrap();
    let before: Vec<String> = work.copies().iter().map(|row| row.path.clone()).collect();

    let first = work.rows.iter().position(|row| row.split == Split::Train).unwrap();
    work.rows[first].crop = Some(data::manifest::Crop { left: 3, top: 2, right: 13, bottom: 17 });
    work.write_manifest();
    work.augment(&still).unwrap();
    let result = work.result();
    let copies = work.copies();
    let from = |row: &Row| row.augmented.as_ref().unwrap().source.clone();
    let copy = copies.iter().find(|row| from(row) == work.rows[first].path).unwrap();
    assert_eq!((copy.width, copy.height, copy.crop), (10, 15, None));
    let decoded = copy.decode(&copy.read(&result.resolve(copy)).unwrap()).unwrap().rgb;
    let original = &work.rows[first];
    let source = work.path("split").join(&original.path);
    assert_eq!(decoded, original.decode(&original.read(&source).unwrap()).unwrap().rgb);
    // The copies of the other pictures do not change.
    let kept = copies.iter().filter(|row| before.contains(&row.path)).count();
    assert_eq!(kept, before.len() - 1);
    assert_eq!(result.rows.iter().find(|row| row.path == original.path).unwrap().crop, original.crop);

    // Without any transformation each copy on the sheet looks like the original on its left.
    let sheet = fs::read(work.path("augmented/contact-sheet.jpg")).unwrap();
    let sheet = data::photo::decode(&sheet, &data::photo::Limits::STANDARD).unwrap().rgb;
    let (cell, copy_at) = (160, 6 + 160 + 24);
    let difference: f64 = (0..sheet.height())
        .flat_map(|y| (6..6 + cell).map(move |x| (x, y)))
        .map(|(x, y)| {
            let (left, right) = (sheet.get_pixel(x, y), sheet.get_pixel(x - 6 + copy_at, y));
            (0..3).map(|c| f64::from(left[c].abs_diff(right[c]))).sum::<f64>()
        })
        .sum();
    let mean = difference / f64::from(3 * cell * sheet.height());
    assert!(mean < 2.0, "{mean} levels apart");
}
