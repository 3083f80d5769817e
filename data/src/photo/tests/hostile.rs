//! Malicious and damaged files.

use super::*;

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
        .args([
            "--exact",
            "--nocapture",
            "photo::tests::hostile::a_panic_is_caught_and_only_that_one_is_quiet",
        ])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{stderr}");
    assert!(stderr.contains("the loud one") && !stderr.contains("the quiet one"), "{stderr}");
}
