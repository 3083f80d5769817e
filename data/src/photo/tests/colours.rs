//! Tests of the conversion of other colours to RGB.

use super::*;

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
        // Stored inverted, 255 is no ink: 200 x 153 / 255, and so on
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
