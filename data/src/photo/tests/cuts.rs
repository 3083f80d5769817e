//! Files that end too early, or continue after the picture.

use super::*;

#[test]
fn every_cut_is_found() {
    let first_frame = animation(1).len() - 2;
    for (name, bytes) in good_files() {
        for n in 0..bytes.len() {
            let found = verdict(&bytes[..n]);
            let expected: &[&str] = match (name, n) {
                (_, 0) => &["empty"],
                (_, 1..12) => &["unknown_format", "truncated"],
                // Some encoders add padding, so the last bytes are not needed.
                ("bmp", _) if n + 2 >= bytes.len() => &["truncated", "ok"],
                // Only the end is missing; `ends.rs` tests it.
                ("jpeg" | "grey jpeg" | "jpeg with restarts", _) if n + 2 >= bytes.len() => &["ok"],
                ("png", _) if n + 12 >= bytes.len() => &["ok"],
                ("gif", _) if n >= first_frame => &["ok"],
                ("webp", _) if n + 1 >= bytes.len() => &["truncated", "ok"],
                _ => &["truncated"],
            };
            assert!(expected.contains(&found), "{name} cut at {n} of {}: {found}", bytes.len());
            assert!(n == 0 || found == "ok" || dimensions(&bytes[..n], &STANDARD).is_err() || name == "bmp");
        }
    }
}

#[test]
fn a_cut_file_with_an_end_marker_is_not_filled_with_grey() {
    let jpeg = encoded(painting(64, 48), ImageFormat::Jpeg);
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, SOS]).unwrap() + 14;
    for n in scan..jpeg.len() - 6 {
        if jpeg[n - 1] != 0xff {
            let found = verdict(&[&jpeg[..n], &[0xff, 0xd9]].concat());
            assert_eq!(found, "decode_error", "cut at {n} of {}", jpeg.len());
        }
    }
    // Restart markers let a decoder resynchronise, so they are counted.
    let with_restarts = Jpeg { restarts: 3, ..Jpeg::default() };
    let short = Jpeg { restarts: 2, ..Jpeg::default() };
    assert_eq!(verdict(&with_restarts.bytes()), "ok");
    assert_eq!(verdict(&short.bytes()), "truncated");
}

#[test]
fn bytes_after_the_picture_are_ignored() {
    for (name, bytes) in good_files() {
        let followed = [&bytes[..], &[0x55; 1024], &bytes].concat();
        assert_eq!(pixels_of(&followed), pixels_of(&bytes), "{name}");
    }
}

#[test]
fn stray_bytes_are_skipped() {
    let jpeg = encoded(painting(23, 17), ImageFormat::Jpeg);
    let (head, end) = jpeg.split_at(jpeg.len() - 2);
    for stray in [&[0xff][..], &[0xff, 0xff, 0xff], &[0xff, 0x00], &[0xff, 0xd3]] {
        assert_eq!(pixels_of(&[head, stray, end].concat()), pixels_of(&jpeg), "{stray:02x?} before the end");
    }
    for stray in [&b"junk"[..], &[0xff], &[0xff, 0x01], &[0xff, 0xe1, 0, 2], &[0xff, 0xfe, 0, 4, 1, 2]] {
        let stray = [&jpeg[..2], stray, &jpeg[2..]].concat();
        assert_eq!(pixels_of(&stray), pixels_of(&jpeg), "{stray:02x?} after the start");
    }
}
