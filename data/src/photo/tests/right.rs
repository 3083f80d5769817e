//! Compares decoded pictures with the pixels of libjpeg-turbo and Pillow.

use super::*;

/// Returns the mean difference of two pictures in levels.
fn difference(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    a.iter().zip(b.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// Returns the result for each `NAME` of `folder` that has a `NAME.right.png`.
fn verdicts(folder: &Path) -> Vec<(String, String)> {
    let mut verdicts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let right = entry.unwrap().path();
        let Some(name) = right.file_name().unwrap().to_str().unwrap().strip_suffix(".right.png") else {
            continue;
        };
        let bytes = read(&folder.join(name), &STANDARD).unwrap();
        let verdict = match decode(&bytes, &STANDARD) {
            Ok(photo) => {
                assert_eq!(dimensions(&bytes, &STANDARD).unwrap(), photo.rgb.dimensions(), "{name}");
                let right = pixels_of(&read(&right, &STANDARD).unwrap());
                match difference(&photo.rgb, &right) {
                    d if d <= 4.0 => "right".to_owned(),
                    d => format!("wrong by {d:.1}"),
                }
            }
            Err(reject) => reject.to_string(),
        };
        verdicts.push((name.to_owned(), verdict));
    }
    verdicts.sort();
    verdicts
}

/// Made with `cjpeg -scans -sample -restart` and `jpegtran` of libjpeg-turbo, in the order of their names.
#[test]
fn jpegs_of_any_scans_and_sampling_are_right() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/photo/tests/jpegs");
    let verdicts = verdicts(&folder);
    assert_eq!(verdicts.len(), 14);
    assert!(verdicts.iter().all(|(_, verdict)| verdict == "right"), "{verdicts:#?}");
    let arithmetic = read(&folder.join("arithmetic.jpg"), &STANDARD).unwrap();
    let reject = decode(&arithmetic, &STANDARD).unwrap_err();
    assert_eq!(reject.to_string(), "decode_error (coding c9 is neither baseline nor progressive)");
}

/// `RIGHT_PICTURES` names a folder of pictures with their right pixels; a checkout may have one beside it.
#[test]
fn pictures_with_their_right_pixels_are_right_or_rejected_by_name() {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/cases/pictures");
    let folder = env::var_os("RIGHT_PICTURES").map_or(default, PathBuf::from);
    if !folder.is_dir() {
        return;
    }
    let verdicts = verdicts(&folder);
    let n_right = verdicts.iter().filter(|(_, verdict)| verdict == "right").count();
    let wrong: Vec<_> = verdicts.iter().filter(|(_, verdict)| verdict.starts_with("wrong")).collect();
    assert!(wrong.is_empty() && n_right * 10 > verdicts.len() * 9, "{n_right} right; {verdicts:#?}");
}

#[test]
fn a_jpeg_without_some_of_its_components_is_truncated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/photo/tests/jpegs");
    for name in ["y_cb_cr_420.jpg", "c_m_y_k.jpg", "y11_c21_progressive.jpg"] {
        let whole = read(&folder.join(name), &STANDARD).unwrap();
        // The first scan of the progressive one has all components, so only the end is missing.
        let scans = memchr::memmem::find_iter(&whole, &[0xff, SOS]).collect::<Vec<_>>();
        for &scan in &scans[1..] {
            let cut = [&whole[..scan], &[0xff, 0xd9]].concat();
            let expected = if name.contains("progressive") { "ok" } else { "truncated" };
            assert_eq!(verdict(&cut), expected, "{name} without its scans from {scan} on");
            assert_eq!(verdict(&whole[..scan]), "truncated", "{name} that ends at {scan}");
        }
        if !name.contains("progressive") {
            for n in scans[0]..whole.len() - 2 {
                let found = verdict(&[&whole[..n], &[0xff, 0xd9]].concat());
                assert!(matches!(found, "truncated" | "decode_error"), "{name} cut at {n}: {found}");
            }
        }
    }
}
