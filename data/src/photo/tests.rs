use std::env;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageBuffer, Luma, Rgb, Rgba, RgbaImage};

use super::*;
use make::{Jpeg, png};

mod ends;
mod make;
mod right;
mod upright;

const STANDARD: Limits = Limits::STANDARD;

/// "ok", or the reason's name.
fn verdict(bytes: &[u8]) -> &'static str {
    verdict_within(bytes, &STANDARD)
}

fn verdict_within(bytes: &[u8], limits: &Limits) -> &'static str {
    decode(bytes, limits).map_or_else(|reject| reject.reason.name(), |_| "ok")
}

fn pixels_of(bytes: &[u8]) -> RgbImage {
    decode(bytes, &STANDARD).unwrap().rgb
}

/// No two of its corners look alike, and no part of it is flat.
fn painting(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let ripple = (x * 37 + y * 61 + x * y * 5) % 64;
        Rgb([(x * 191 / width + ripple) as u8, (y * 191 / height + ripple) as u8, (255 - ripple * 2) as u8])
    })
}

fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// One of each kind that the tests can make, with the formats' own encoders or by hand.
fn good_files() -> Vec<(&'static str, Vec<u8>)> {
    let painting = painting(23, 17);
    vec![
        ("jpeg", encoded(painting.clone(), ImageFormat::Jpeg)),
        ("grey jpeg", encoded(DynamicImage::from(painting.clone()).into_luma8(), ImageFormat::Jpeg)),
        ("progressive jpeg", Jpeg { progressive: true, ..Jpeg::default() }.bytes()),
        ("jpeg with restarts", Jpeg { restarts: 3, ..Jpeg::default() }.bytes()),
        ("png", encoded(painting.clone(), ImageFormat::Png)),
        ("gif", animation(2)),
        ("webp", encoded(painting.clone(), ImageFormat::WebP)),
        ("bmp", encoded(painting, ImageFormat::Bmp)),
    ]
}

fn animation(frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    for i in 0..frames {
        encoder
            .encode_frame(Frame::new(RgbaImage::from_pixel(9, 5, Rgba([i as u8 * 90, 40, 200, 255]))))
            .unwrap();
    }
    drop(encoder);
    bytes
}

fn bad_images() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bad-images");
    let folder = env::var_os("BAD_IMAGES").map_or(default, PathBuf::from);
    folder.is_dir().then_some(folder)
}

#[test]
fn the_verdict_on_every_bad_image_is_pinned() {
    let Some(folder) = bad_images() else { return };
    let mut wrong = Vec::new();
    for line in include_str!("tests/expected.tsv").lines() {
        let (name, expected) = line.split_once('\t').unwrap();
        let path = folder.join(name);
        if !path.exists() {
            continue; // BAD_IMAGES may name another collection
        }
        let start = Instant::now();
        let found = match read(&path, &STANDARD).and_then(|bytes| decode(&bytes, &STANDARD)) {
            Ok(photo) => {
                let (width, height) = photo.rgb.dimensions();
                let animated = if photo.animated { " animated" } else { "" };
                format!("ok {} {width}x{height}{animated}", photo.format.extensions_str()[0])
            }
            Err(reject) => reject.reason.name().to_owned(),
        };
        assert!(start.elapsed() < Duration::from_secs(2), "{name} took {:?}", start.elapsed());
        if found != expected {
            wrong.push(format!("{name}: expected {expected}, found {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn cmyk_looks_like_its_rgb_twin() {
    let Some(folder) = bad_images() else { return };
    let [cmyk, rgb] =
        ["Pillow__pil_sample_cmyk.jpg", "Pillow__pil_sample_rgb.jpg"].map(|name| folder.join(name));
    if !cmyk.exists() || !rgb.exists() {
        return;
    }
    let [cmyk, rgb] = [cmyk, rgb].map(|path| pixels_of(&read(&path, &STANDARD).unwrap()));
    let difference: u64 = cmyk.iter().zip(rgb.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(difference < 12 * cmyk.len() as u64, "mean {}", difference / cmyk.len() as u64);
}

#[test]
fn good_files_are_decoded() {
    for (name, bytes) in good_files() {
        assert_eq!(verdict(&bytes), "ok", "{name}: {:?}", decode(&bytes, &STANDARD).err());
    }
    let painting = painting(23, 17);
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
        assert_eq!(pixels_of(&encoded(painting.clone(), format)), painting, "{format:?}");
    }
    for (width, height) in [(1, 1), (1, 16_384), (16_384, 1)] {
        let thin = encoded(RgbImage::new(width, height), ImageFormat::Png);
        assert_eq!(pixels_of(&thin).dimensions(), (width, height));
    }
}

#[test]
fn every_cut_is_found() {
    let first_frame = animation(1).len() - 2;
    for (name, bytes) in good_files() {
        for n in 0..bytes.len() {
            let found = verdict(&bytes[..n]);
            let expected: &[&str] = match (name, n) {
                (_, 0) => &["empty"],
                (_, 1..12) => &["unknown_format", "truncated"],
                // Some encoders pad: nothing is lost with the last bytes.
                ("bmp", _) if n + 2 >= bytes.len() => &["truncated", "ok"],
                // Nothing but the end, as `ends.rs` has it.
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
fn a_cut_with_an_end_marker_put_behind_it_is_not_painted_grey() {
    let jpeg = encoded(painting(64, 48), ImageFormat::Jpeg);
    let scan = jpeg.windows(2).position(|pair| pair == [0xff, SOS]).unwrap() + 14;
    for n in scan..jpeg.len() - 6 {
        if jpeg[n - 1] != 0xff {
            let found = verdict(&[&jpeg[..n], &[0xff, 0xd9]].concat());
            assert_eq!(found, "decode_error", "cut at {n} of {}", jpeg.len());
        }
    }
    // Restart markers let a decoder find its feet again, so they are counted.
    let with_restarts = Jpeg { restarts: 3, ..Jpeg::default() };
    let short = Jpeg { restarts: 2, ..Jpeg::default() };
    assert_eq!(verdict(&with_restarts.bytes()), "ok");
    assert_eq!(verdict(&short.bytes()), "truncated");
}
const SOS: u8 = 0xda;

#[test]
fn what_follows_the_picture_is_ignored() {
    for (name, bytes) in good_files() {
        let followed = [&bytes[..], &[0x55; 1024], &bytes].concat();
        assert_eq!(pixels_of(&followed), pixels_of(&bytes), "{name}");
    }
}

#[test]
fn bytes_that_belong_nowhere_are_skipped() {
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

#[test]
fn the_content_decides_not_the_name() {
    let cases: [(&[u8], &str); 24] = [
        (b"<!DOCTYPE html><html>", "unknown_format"),
        (b"<html><svg>", "unknown_format"),
        (b"%PDF-1.7", "unknown_format"),
        (b"BMW is no bitmap, whatever it begins with", "unknown_format"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "unknown_format"),
        (b"P6", "unknown_format"),
        (&[0; 64], "unknown_format"),
        (b"\x89PNG\n\n\x1a\n", "unknown_format"),
        (b"II*\0\x08\0\0\0", "format_not_allowed"),
        (b"MM\0*\0\0\0\x08", "format_not_allowed"),
        (b"\0\0\x01\0\x01\0", "format_not_allowed"),
        (b"\0\0\0\x20ftypavif", "format_not_allowed"),
        (b"\0\0\0\x20ftypheic", "format_not_allowed"),
        (b"8BPS\0\x01", "format_not_allowed"),
        (b"\x76\x2f\x31\x01", "format_not_allowed"),
        (b"#?RADIANCE\n", "format_not_allowed"),
        (b"P6 1 1 255 abc", "format_not_allowed"),
        (b"\xff\x0a", "format_not_allowed"),
        (b"  <svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_allowed"),
        (b"<?xml version='1.0'?><!-- a --><svg/>", "format_not_allowed"),
        (b"qoif", "format_not_allowed"),
        (b"\xff\xd8", "truncated"),
        (b"\xff\xd8\xff\xd9", "decode_error"),
        (b"GIF89a", "truncated"),
    ];
    for (bytes, expected) in cases {
        assert_eq!(verdict(bytes), expected, "{:?}", bytes.escape_ascii().to_string());
    }
    assert_eq!(
        decode(&encoded(painting(3, 2), ImageFormat::Gif), &STANDARD).unwrap().format,
        ImageFormat::Gif
    );
}

#[test]
fn limits_hold_before_anything_is_decoded() {
    let header = |width, height| png(width, height, 8, 2, &[], &[]);
    let jpeg = |width, height| Jpeg { size: Some((width, height)), ..Jpeg::default() }.bytes();
    let gif = |width: u16, height: u16| {
        let mut gif = animation(1);
        gif[6..8].copy_from_slice(&width.to_le_bytes());
        gif[8..10].copy_from_slice(&height.to_le_bytes());
        gif
    };
    let bmp = |width: i32, height: i32| {
        let mut bmp = encoded(painting(2, 2), ImageFormat::Bmp);
        bmp[18..22].copy_from_slice(&width.to_le_bytes());
        bmp[22..26].copy_from_slice(&height.to_le_bytes());
        bmp
    };
    let cases = [
        ("png, one colour", png(20_000, 20_000, 8, 2, &[], &[]), "too_many_pixels"),
        ("png side", header(16_385, 1), "too_many_pixels"),
        ("png pixels", header(16_000, 12_501), "too_many_pixels"),
        ("png at its largest", header(u32::MAX, u32::MAX), "too_many_pixels"),
        ("png without width", header(0, 7), "zero_dimension"),
        ("jpeg", jpeg(65_535, 65_535), "too_many_pixels"),
        ("jpeg without height", jpeg(8, 0), "zero_dimension"),
        ("jpeg without width", jpeg(0, 8), "zero_dimension"),
        ("gif", gif(65_535, 65_535), "too_many_pixels"),
        ("gif without width", gif(0, 5), "zero_dimension"),
        ("bmp", bmp(3_000_000, 2_000_000), "too_many_pixels"),
        ("bmp from top to bottom", bmp(4, i32::MIN), "too_many_pixels"),
        ("bmp without height", bmp(4, 0), "zero_dimension"),
    ];
    for (name, bytes, expected) in cases {
        let start = Instant::now();
        assert_eq!(verdict(&bytes), expected, "{name}");
        assert_eq!(dimensions(&bytes, &STANDARD).unwrap_err().reason.name(), expected, "{name}");
        assert!(start.elapsed() < Duration::from_millis(500), "{name} took {:?}", start.elapsed());
    }
    let photo = encoded(painting(20, 20), ImageFormat::Jpeg);
    let size = photo.len() as u64;
    let within = |limits| verdict_within(&photo, &limits);
    assert_eq!(within(Limits { max_bytes: size, max_side: 20, max_pixels: 400, ..STANDARD }), "ok");
    assert_eq!(within(Limits { max_bytes: size - 1, ..STANDARD }), "too_large_bytes");
    assert_eq!(within(Limits { max_side: 19, ..STANDARD }), "too_many_pixels");
    assert_eq!(within(Limits { max_pixels: 399, ..STANDARD }), "too_many_pixels");
    let progressive = Jpeg { progressive: true, ..Jpeg::default() }.bytes();
    for (name, bytes) in [("progressive", progressive), ("alpha", png(2, 2, 8, 6, &[], &[0; 18]))] {
        let tight = Limits { max_alloc: 15, ..STANDARD };
        assert_eq!(verdict_within(&bytes, &tight), "too_many_pixels", "{name}");
    }
}

#[test]
fn colours_become_rgb_by_the_documented_rules() {
    // Each picture is one pixel high; the rows begin with the filter's number, 0.
    let palette = [9, 8, 7, 60, 50, 40];
    let cases: [(&str, Vec<u8>, &[[u8; 3]]); 9] = [
        ("grey", png(2, 1, 8, 0, &[], &[0, 77, 200]), &[[77; 3], [200; 3]]),
        ("1 bit", png(3, 1, 1, 0, &[], &[0, 0b1010_0000]), &[[255; 3], [0; 3], [255; 3]]),
        ("palette", png(2, 1, 8, 3, &[(b"PLTE", &palette)], &[0, 1, 0]), &[[60, 50, 40], [9, 8, 7]]),
        (
            "palette with alpha",
            png(2, 1, 8, 3, &[(b"PLTE", &palette), (b"tRNS", &[0, 0])], &[0, 1, 0]),
            &[[60, 50, 40], [9, 8, 7]],
        ),
        ("grey and alpha", png(2, 1, 8, 4, &[], &[0, 77, 0, 200, 255]), &[[77; 3], [200; 3]]),
        ("alpha", png(1, 1, 8, 6, &[], &[0, 10, 20, 30, 0]), &[[10, 20, 30]]),
        ("16 bits", png(1, 1, 16, 2, &[], &[0, 10, 255, 20, 128, 30, 0]), &[[10, 20, 30]]),
        ("16 bits and alpha", png(1, 1, 16, 6, &[], &[0, 10, 255, 20, 128, 30, 0, 0, 0]), &[[10, 20, 30]]),
        ("16 bits of grey", png(1, 1, 16, 0, &[], &[0, 199, 255]), &[[199; 3]]),
    ];
    for (name, bytes, expected) in cases {
        let found: Vec<[u8; 3]> = pixels_of(&bytes).pixels().map(|p| p.0).collect();
        assert_eq!(found, expected, "{name}");
    }
    let webp = encoded(RgbaImage::from_pixel(1, 1, Rgba([10, 20, 30, 128])), ImageFormat::WebP);
    assert_eq!(pixels_of(&webp).get_pixel(0, 0).0, [10, 20, 30]);
    let deep: ImageBuffer<Luma<u16>, Vec<u16>> = ImageBuffer::from_pixel(1, 1, Luma([0x12ff]));
    assert_eq!(pixels_of(&encoded(deep, ImageFormat::Png)).get_pixel(0, 0).0, [0x12; 3]);
}

#[test]
fn jpeg_colours_are_those_of_libjpeg() {
    let rgb_ids = [b'R', b'G', b'B', 0];
    let cases: [(&str, Jpeg, [u8; 3]); 9] = [
        ("grey", Jpeg { values: &[90], ..Jpeg::default() }, [90; 3]),
        ("YCbCr", Jpeg { values: &[90, 128, 128], ..Jpeg::default() }, [90; 3]),
        // red = 90 + 1.402 x 40, green = 90 - 0.714 x 40
        ("YCbCr, reddish", Jpeg { values: &[90, 128, 168], ..Jpeg::default() }, [146, 61, 90]),
        ("RGB by Adobe", Jpeg { values: &[200, 100, 50], adobe: Some(0), ..Jpeg::default() }, [200, 100, 50]),
        (
            "RGB by its names",
            Jpeg { values: &[200, 100, 50], ids: rgb_ids, ..Jpeg::default() },
            [200, 100, 50],
        ),
        (
            "JFIF before Adobe",
            Jpeg { values: &[90, 128, 168], adobe: Some(0), jfif: true, ..Jpeg::default() },
            [146, 61, 90],
        ),
        // Stored inverted: 255 is no ink. 200 x 153 / 255, and so on
        ("CMYK", Jpeg { values: &[200, 100, 50, 153], adobe: Some(0), ..Jpeg::default() }, [120, 60, 30]),
        ("CMYK without Adobe", Jpeg { values: &[200, 100, 50, 153], ..Jpeg::default() }, [120, 60, 30]),
        // (255 - 55) x 153 / 255
        ("YCCK", Jpeg { values: &[55, 128, 128, 153], adobe: Some(2), ..Jpeg::default() }, [120; 3]),
    ];
    for (name, jpeg, expected) in cases {
        for progressive in [false, true] {
            let rgb = pixels_of(&Jpeg { progressive, ..jpeg.clone() }.bytes());
            assert!(
                rgb.pixels().all(|p| p.0.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 1)),
                "{name}, progressive {progressive}: {:?}",
                rgb.get_pixel(0, 0)
            );
        }
    }
    for values in [&[1, 2][..], &[1, 2, 3, 4, 5]] {
        assert_eq!(verdict(&Jpeg { values, ..Jpeg::default() }.bytes()), "unsupported_colour");
    }
}

#[test]
fn pictures_are_turned_upright() {
    let (w, h) = (24, 16);
    let upright = |stored: &RgbImage, orientation: u8| {
        let size = if (5..=8).contains(&orientation) { (h, w) } else { (w, h) };
        RgbImage::from_fn(size.0, size.1, |u, v| {
            let (x, y) = match orientation {
                2 => (w - 1 - u, v),
                3 => (w - 1 - u, h - 1 - v),
                4 => (u, h - 1 - v),
                5 => (v, u),
                6 => (v, h - 1 - u),
                7 => (w - 1 - v, h - 1 - u),
                8 => (w - 1 - v, u),
                _ => (u, v),
            };
            *stored.get_pixel(x, y)
        })
    };
    let plain = |format| encoded(painting(w, h), format);
    // 0 and 9 are no orientations, and are ignored.
    for n in 0..=9 {
        for big_endian in [false, true] {
            let exif = make::exif(n, big_endian);
            let [png, webp, jpeg] = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Jpeg].map(plain);
            for (plain, turned) in [
                (&png, make::png_with_exif(&png, &exif)),
                (&webp, make::webp_with_exif(&webp, (w, h), &exif)),
                (&jpeg, make::jpeg_with_exif(&jpeg, &exif)),
            ] {
                let expected = upright(&pixels_of(plain), n);
                let photo = decode(&turned, &STANDARD).unwrap();
                assert!(photo.rgb == expected, "{:?}, orientation {n}", photo.format);
                assert_eq!(dimensions(&turned, &STANDARD).unwrap(), expected.dimensions());
            }
        }
    }
}

#[test]
fn broken_metadata_does_no_harm() {
    let jpeg = encoded(painting(23, 17), ImageFormat::Jpeg);
    let broken: [&[u8]; 7] = [
        b"\xff\xe1\0\x0aExif\0\0II",
        b"\xff\xe1\0\x10Exif\0\0II*\0\xff\xff\xff\xff",
        b"\xff\xe2\0\x12ICC_PROFILE\0\x01\x09ab",
        b"\xff\xe2\0\x06MPF\0",
        b"\xff\xed\0\x10Photoshop 3.0\0",
        b"\xff\xee\0\x07Adobe",
        b"\xff\xee\0\x0eAdobe\0\0\0\0\0\0\x77",
    ];
    for segment in broken {
        let bytes = [&jpeg[..2], segment, &jpeg[2..]].concat();
        assert_eq!(pixels_of(&bytes), pixels_of(&jpeg), "{:?}", segment.escape_ascii().to_string());
    }
    for chunk in [&b"zTXt"[..], b"iTXt", b"iCCP", b"eXIf", b"acTL", b"tRNS", b"bKGD"] {
        let kind: &[u8; 4] = chunk.try_into().unwrap();
        let bytes = png(1, 1, 8, 2, &[(kind, &[7; 9])], &[0, 1, 2, 3]);
        assert_eq!(pixels_of(&bytes).get_pixel(0, 0).0, [1, 2, 3], "{}", chunk.escape_ascii());
    }
}

#[test]
fn of_an_animation_only_the_first_frame_is_looked_at() {
    let single = animation(1);
    let photo = decode(&single, &STANDARD).unwrap();
    assert!(!photo.animated);
    let mut three = animation(3);
    assert!(decode(&three, &STANDARD).unwrap().animated);
    assert_eq!(pixels_of(&three), photo.rgb);
    let kept = |bytes| outline(ImageFormat::Gif, bytes, &STANDARD).unwrap().stream.len();
    assert!(kept(&three) < three.len() / 2);
    // The last frame's codes, before the end of its sub-blocks and the trailer, become nonsense.
    let n = three.len();
    three[n - 4] ^= 0xff;
    three[n - 3] ^= 0xff;
    assert_eq!(pixels_of(&three), photo.rgb);

    let extra: &[(&[u8; 4], &[u8])] = &[(b"acTL", &[0; 8]), (b"fdAT", b"never decoded")];
    let photo = decode(&png(1, 1, 8, 2, extra, &[0, 1, 2, 3]), &STANDARD).unwrap();
    assert!(photo.animated);
    assert_eq!(photo.rgb.get_pixel(0, 0).0, [1, 2, 3]);

    let frames =
        [[1, 2, 3], [4, 5, 6]].map(|p| encoded(RgbImage::from_pixel(4, 2, Rgb(p)), ImageFormat::WebP));
    let photo = decode(&make::animated_webp((4, 2), &frames), &STANDARD).unwrap();
    assert!(photo.animated);
    assert_eq!(photo.rgb.get_pixel(3, 1).0, [1, 2, 3]);
}

#[test]
fn corrupt_png_is_rejected() {
    let good = png(1, 1, 8, 2, &[], &[0, 1, 2, 3]);
    assert_eq!(verdict(&good), "ok");
    let header_crc = 8 + 8 + 13;
    let data = header_crc + 4 + 8;
    for at in [3, 12, header_crc, data, data + 9] {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        assert_ne!(verdict(&bad), "ok", "byte {at}");
    }
    let no_data = [&good[..header_crc + 4], &good[good.len() - 12..]].concat();
    assert_eq!(verdict(&no_data), "decode_error");
    assert_eq!(verdict(&png(2, 2, 8, 2, &[], &[0, 1, 2, 3, 4, 5, 6])), "decode_error");
}

#[test]
fn files_that_ask_for_too_much_work_are_rejected_at_once() {
    let start = Instant::now();
    let progressive = Jpeg { progressive: true, ..Jpeg::default() };
    assert_eq!(verdict(&Jpeg { extra_scans: 500, ..progressive.clone() }.bytes()), "ok");
    assert_eq!(verdict(&Jpeg { extra_scans: 300_000, ..progressive.clone() }.bytes()), "decode_timeout");
    let large = Jpeg { extra_scans: 500, size: Some((4_000, 4_000)), ..progressive };
    assert_eq!(verdict(&large.bytes()), "decode_timeout");
    let tables = [0xff, 0xc4, 0, 19].into_iter().chain([0; 17]).collect::<Vec<u8>>().repeat(300_000);
    let jpeg = Jpeg::default().bytes();
    assert_eq!(verdict(&[&jpeg[..2], &tables, &jpeg[2..]].concat()), "decode_timeout");
    let chunks: Vec<(&[u8; 4], &[u8])> = vec![(b"IDAT", b""); 1 << 20];
    assert_eq!(verdict(&png(1, 1, 8, 2, &chunks, &[0, 1, 2, 3])), "decode_timeout");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn mutated_files_neither_panic_nor_hang() {
    let n: usize = env::var("MUTATIONS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let files = good_files();
    let mut accepted = 0;
    for i in 0..n {
        let mut draws = crate::draw::stream(7, "test/photo/mutation", &i.to_string());
        let (name, bytes) = draws.pick(&files);
        let mut bytes = bytes.clone();
        for _ in 0..=draws.below(8) {
            let at = draws.below(bytes.len());
            match draws.below(3) {
                0 => bytes[at] ^= 1 << draws.below(8),
                1 => bytes[at] = draws.below(256) as u8,
                _ => drop(bytes.splice(at..(at + draws.below(9)).min(bytes.len()), [0xff; 3])),
            }
        }
        let start = Instant::now();
        let outcome = decode(&bytes, &STANDARD);
        assert!(start.elapsed() < Duration::from_secs(2), "{name} {i} took {:?}", start.elapsed());
        if let Ok(photo) = outcome {
            accepted += 1;
            assert_eq!(dimensions(&bytes, &STANDARD).ok(), Some(photo.rgb.dimensions()), "{name} {i}");
        }
    }
    assert!(0 < accepted && accepted < n, "{accepted} of {n}");
}

#[test]
fn a_panic_is_caught_and_only_that_one_is_quiet() {
    const CHILD: &str = "PHOTO_TEST_PANICS";
    if env::var_os(CHILD).is_some() {
        let reject = panics::catch::<()>(|| panic!("the {} one", "quiet")).unwrap_err();
        assert_eq!((reject.reason, &*reject.detail), (Reason::DecoderPanic, "the quiet one"));
        let reject = panics::catch::<()>(|| panics::catch(|| panic!("the quiet one within"))).unwrap_err();
        assert_eq!(reject.reason, Reason::DecoderPanic);
        std::thread::spawn(|| panic!("the loud one")).join().unwrap_err();
        return;
    }
    let child = std::process::Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "photo::tests::a_panic_is_caught_and_only_that_one_is_quiet"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{stderr}");
    assert!(stderr.contains("the loud one") && !stderr.contains("the quiet one"), "{stderr}");
}

#[test]
fn only_regular_files_of_bearable_size_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let put = |name: &str, bytes: &[u8]| crate::commit::write_bytes(&path(name), bytes).unwrap();
    put("ten", &[7; 10]);
    put("none", &[]);
    fs::create_dir(path("folder")).unwrap();
    let limits = Limits { max_bytes: 10, ..STANDARD };
    let mut cases = vec![
        ("ten", None),
        ("none", Some(Reason::Empty)),
        ("missing", Some(Reason::Unreadable)),
        ("folder", Some(Reason::NotRegularFile)),
    ];
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(path("ten"), path("link")).unwrap();
        std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(path("pipe")).status().unwrap().success());
        cases
            .extend(["link", "socket", "pipe", "/dev/zero"].map(|name| (name, Some(Reason::NotRegularFile))));
    }
    for (name, expected) in cases {
        assert_eq!(read(&path(name), &limits).err().map(|reject| reject.reason), expected, "{name}");
    }
    put("eleven", &[7; 11]);
    assert_eq!(read(&path("eleven"), &limits).unwrap_err().reason, Reason::TooLargeBytes);

    let digest = <sha2::Sha256 as sha2::Digest>::digest([7; 10]).into();
    assert_eq!(read_unchanged(&path("ten"), &digest, &limits).unwrap(), [7; 10]);
    put("ten", &[8; 10]);
    let reject = read_unchanged(&path("ten"), &digest, &limits).unwrap_err();
    assert_eq!(reject.reason, Reason::ChangedSinceSplit);
}
