use std::env;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use image::codecs::gif::GifEncoder;
use image::{DynamicImage, Frame, ImageBuffer, Luma, Rgb, Rgba, RgbaImage};

use super::*;
use make::{Jpeg, png};

mod colours;
mod cuts;
mod ends;
mod hostile;
mod make;
mod right;
mod upright;

/// Start of scan in a JPEG.
const SOS: u8 = 0xda;
const STANDARD: Limits = Limits::STANDARD;

/// Returns "ok", or the name of the reason.
fn verdict(bytes: &[u8]) -> &'static str {
    verdict_within(bytes, &STANDARD)
}

fn verdict_within(bytes: &[u8], limits: &Limits) -> &'static str {
    decode(bytes, limits).map_or_else(|reject| reject.reason.name(), |_| "ok")
}

fn pixels_of(bytes: &[u8]) -> RgbImage {
    decode(bytes, &STANDARD).unwrap().rgb
}

/// Makes a picture with four different corners and without flat areas.
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

/// Makes one file of each kind, with an encoder or by hand.
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
    // 0 and 9 are not orientations and are ignored.
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
fn only_the_first_frame_of_an_animation_is_decoded() {
    let single = animation(1);
    let photo = decode(&single, &STANDARD).unwrap();
    assert!(!photo.animated);
    let mut three = animation(3);
    assert!(decode(&three, &STANDARD).unwrap().animated);
    assert_eq!(pixels_of(&three), photo.rgb);
    let kept = |bytes| outline(ImageFormat::Gif, bytes, &STANDARD).unwrap().stream.len();
    assert!(kept(&three) < three.len() / 2);
    // The last frame's codes, before the end of its sub-blocks and the trailer, become invalid.
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
fn only_regular_files_within_the_size_limit_are_read() {
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
