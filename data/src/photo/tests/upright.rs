//! Tests of the places from which the orientation is read.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

use super::make::chunk;
use super::*;

/// Packets as programs write them: an attribute, an element, single quotes.
const PACKETS: [&str; 3] = [
    r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Make="x" tiff:Orientation="6"/></x:xmpmeta>"#,
    "<rdf:Description><tiff:Orientation>6</tiff:Orientation></rdf:Description>",
    "<rdf:Description tiff:Orientation = '6' />",
];

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(text).unwrap();
    zlib.finish().unwrap()
}

/// Makes a profile as text, as ImageMagick writes it.
fn raw_profile(kind: &str, data: &[u8]) -> String {
    let mut text = format!("\n{kind}\n{:8}\n", data.len());
    for line in data.chunks(36) {
        text.extend(line.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    text
}

fn png_with(kind: &[u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let png = encoded(painting(24, 16), ImageFormat::Png);
    let end_of_header = 8 + 25;
    [&png[..end_of_header], &chunk(kind, &parts.concat()), &png[end_of_header..]].concat()
}

fn jpeg_with(segment: &[u8]) -> Vec<u8> {
    let jpeg = encoded(painting(24, 16), ImageFormat::Jpeg);
    [&jpeg[..2], &[0xff, 0xe1], &(segment.len() as u16 + 2).to_be_bytes(), segment, &jpeg[2..]].concat()
}

fn webp_with(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let webp = encoded(painting(24, 16), ImageFormat::WebP);
    make::webp_with(&webp, (24, 16), kind, data)
}

fn orientation_of(bytes: &[u8]) -> u8 {
    let photo = decode(bytes, &STANDARD).unwrap();
    let header = header(bytes, &STANDARD).unwrap();
    assert_eq!((header.width, header.height, header.orientation), {
        let (width, height) = photo.rgb.dimensions();
        (width, height, photo.orientation)
    });
    header.orientation.to_exif()
}

#[test]
fn orientation_is_found_in_all_places_where_programs_write_it() {
    let exif = make::exif(6, true);
    let prefixed = [b"Exif\0\0", &exif[..]].concat();
    let mut cases = vec![
        ("eXIf".to_owned(), png_with(b"eXIf", &[&exif])),
        ("eXIf with a prefix".to_owned(), png_with(b"eXIf", &[&prefixed])),
        ("EXIF with a prefix".to_owned(), webp_with(b"EXIF", &prefixed)),
    ];
    let xmp_segment = |packet: &str| [b"http://ns.adobe.com/xap/1.0/\0", packet.as_bytes()].concat();
    let mut raw = Vec::new();
    for data in [&exif, &prefixed] {
        raw.extend(["exif", "APP1", "app1"].map(|kind| (kind, raw_profile(kind, data))));
    }
    for packet in PACKETS {
        raw.push(("xmp", raw_profile("xmp", packet.as_bytes())));
        raw.push(("APP1", raw_profile("generic", &xmp_segment(packet))));
        let keyword = b"XML:com.adobe.xmp\0";
        let squeezed = deflated(packet.as_bytes());
        cases.extend([
            (packet.to_owned(), jpeg_with(&xmp_segment(packet))),
            (packet.to_owned(), webp_with(b"XMP ", packet.as_bytes())),
            (packet.to_owned(), png_with(b"iTXt", &[keyword, &[0, 0], b"\0\0", packet.as_bytes()])),
            (packet.to_owned(), png_with(b"iTXt", &[keyword, &[1, 0], b"en\0x\0", &squeezed])),
        ]);
    }
    for (kind, text) in raw {
        let keyword = format!("Raw profile type {kind}\0");
        let squeezed = deflated(text.as_bytes());
        cases.extend([
            (kind.to_owned(), png_with(b"tEXt", &[keyword.as_bytes(), text.as_bytes()])),
            (kind.to_owned(), png_with(b"zTXt", &[keyword.as_bytes(), &[0], &squeezed])),
            (kind.to_owned(), png_with(b"iTXt", &[keyword.as_bytes(), &[0, 0], b"\0\0", text.as_bytes()])),
            (kind.to_owned(), png_with(b"iTXt", &[keyword.as_bytes(), &[1, 0], b"\0\0", &squeezed])),
        ]);
    }
    for (name, bytes) in &cases {
        assert_eq!(orientation_of(bytes), 6, "{name}, in a {:?}", sniff::format(bytes));
    }
    assert!(cases.len() > 40);
}

#[test]
fn exif_wins_over_xmp_and_the_first_of_each_counts() {
    let jpeg = jpeg_with(&[b"http://ns.adobe.com/xap/1.0/\0", PACKETS[0].as_bytes()].concat());
    for (exif, expected) in [(make::exif(3, false), 3), (make::exif(1, false), 1), (make::exif(9, false), 6)]
    {
        // Before the packet, and after it.
        let before = make::jpeg_with_exif(&jpeg, &exif);
        assert_eq!(orientation_of(&before), expected);
        let segment = [b"Exif\0\0", &exif[..]].concat();
        let own = jpeg_with(&segment);
        let end_of_own = 2 + 4 + segment.len();
        let after_start = jpeg.len() - (own.len() - end_of_own);
        let after = [&jpeg[..after_start], &own[2..end_of_own], &jpeg[after_start..]].concat();
        assert_eq!(orientation_of(&after), expected);
    }
    let twice = make::jpeg_with_exif(
        &make::jpeg_with_exif(&encoded(painting(24, 16), ImageFormat::Jpeg), &make::exif(8, true)),
        &make::exif(3, true),
    );
    assert_eq!(orientation_of(&twice), 3);
}

#[test]
fn text_that_says_nothing_of_orientation_does_no_harm() {
    let bomb = deflated(&vec![b'0'; 64 << 20]);
    let key = b"Raw profile type exif\0";
    for (kind, parts) in [
        (b"tEXt", vec![&b"Title\0tiff:Orientation=\"6\""[..]]),
        (b"tEXt", vec![key]),
        (b"tEXt", vec![key, b"\nexif\n"]),
        (b"tEXt", vec![key, b"\nexif\n 12\nno digits"]),
        (b"tEXt", vec![b"no zero"]),
        (b"zTXt", vec![key]),
        (b"zTXt", vec![key, b"\0no zlib"]),
        (b"zTXt", vec![key, b"\x07", &bomb]),
        (b"zTXt", vec![key, b"\0", &bomb]),
        (b"iTXt", vec![key, b"\x01\0\0"]),
        (b"iTXt", vec![b"XML:com.adobe.xmp\0\0\0\0\0", b"tiff:Orientation=\"0\" tiff:Orientation"]),
        (b"iTXt", vec![b"XML:com.adobe.xmp\0\0\0\0\0", b"tiff:Orientation=\"66\""]),
    ] {
        assert_eq!(orientation_of(&png_with(kind, &parts)), 1, "{}", parts.concat().escape_ascii());
    }
    // Also if there are many of them.
    let bomb = chunk(b"zTXt", &[key, &b"\0"[..], &bomb].concat());
    let png = encoded(painting(24, 16), ImageFormat::Png);
    let start = Instant::now();
    assert_eq!(verdict(&[&png[..33], &bomb.repeat(200), &png[33..]].concat()), "ok");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}
