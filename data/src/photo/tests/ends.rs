//! Files with complete pixels and a missing or damaged end.

use super::*;

/// Returns bytes that may follow the last pixel instead of the end that the format requires.
fn ends() -> Vec<Vec<u8>> {
    let junk = (0..300u32).map(|i| (i * 7919 % 251) as u8).collect();
    vec![Vec::new(), vec![0], vec![0; 3], vec![0; 500], junk, b"<html>".to_vec()]
}

#[test]
fn a_gif_whose_first_frame_is_complete_is_decoded() {
    for frames in [1, 3] {
        let gif = animation(frames);
        let right = pixels_of(&animation(1));
        for n in 13..gif.len() {
            match decode(&gif[..n], &STANDARD) {
                Ok(photo) => assert_eq!(photo.rgb, right, "cut at {n}"),
                Err(reject) => assert_eq!(reject.reason, Reason::Truncated, "cut at {n}"),
            }
        }
        // Without the trailer, and with anything in its place.
        let (body, trailer) = gif.split_at(gif.len() - 1);
        assert_eq!(trailer, [0x3b]);
        for end in ends() {
            let photo = decode(&[body, &end].concat(), &STANDARD).unwrap();
            assert_eq!((photo.rgb, photo.animated), (right.clone(), frames > 1), "{end:?}");
        }
        // Without the mark that ends the frame's data.
        if frames == 1 {
            assert_eq!(pixels_of(&gif[..gif.len() - 2]), right);
            assert_eq!(verdict(&gif[..gif.len() - 3]), "truncated");
        }
    }
}

#[test]
fn a_jpeg_that_lacks_only_its_end_is_decoded() {
    let painting = painting(61, 43);
    for (name, jpeg) in [
        ("colour", encoded(painting.clone(), ImageFormat::Jpeg)),
        ("grey", encoded(DynamicImage::from(painting).into_luma8(), ImageFormat::Jpeg)),
        ("restarts", Jpeg { restarts: 3, ..Jpeg::default() }.bytes()),
    ] {
        let whole = &jpeg[..jpeg.len() - 2];
        for end in [&b""[..], &[0xff], &[0], &[0; 3]] {
            let bytes = [whole, end].concat();
            assert_eq!(pixels_of(&bytes), pixels_of(&jpeg), "{name} with {end:?}");
            assert!(header(&bytes, &STANDARD).is_ok());
        }
        for n in 1..20 {
            assert_eq!(verdict(&whole[..whole.len() - n]), "truncated", "{name} less {n}");
            assert!(header(&whole[..whole.len() - n], &STANDARD).is_err());
            // A file that was partly copied, with the rest filled with zeros.
            assert_eq!(
                verdict(&[&whole[..whole.len() - n], &[0; 99]].concat()),
                "truncated",
                "{name} less {n}"
            );
        }
    }
    let progressive = Jpeg { progressive: true, ..Jpeg::default() }.bytes();
    assert_eq!(verdict(&progressive[..progressive.len() - 2]), "truncated");
}

#[test]
fn a_png_that_lacks_only_its_end_is_decoded() {
    let png = encoded(painting(23, 17), ImageFormat::Png);
    let body = &png[..png.len() - 12];
    for n in 0..12 {
        assert_eq!(pixels_of(&png[..png.len() - 12 + n]), pixels_of(&png), "{n} bytes of the last chunk");
    }
    for end in ends() {
        assert_eq!(pixels_of(&[body, &end].concat()), pixels_of(&png), "{end:?}");
    }
    for n in 1..body.len() - 45 {
        let cut = &body[..body.len() - n];
        assert_eq!(verdict(cut), "truncated", "less {n}");
        assert_ne!(verdict(&[cut, &[0; 500]].concat()), "ok", "less {n}, then zeros");
    }
}

#[test]
fn a_webp_that_lacks_only_what_follows_its_frame_is_decoded() {
    let webp = encoded(painting(24, 16), ImageFormat::WebP);
    let right = pixels_of(&webp);
    let with_exif = make::webp_with(&webp, (24, 16), b"EXIF", &make::exif(6, true));
    let frame_ends = with_exif.len() - 8 - make::exif(6, true).len();
    for n in 13..with_exif.len() {
        match n < frame_ends {
            true => assert_eq!(verdict(&with_exif[..n]), "truncated", "cut at {n}"),
            false => assert_eq!(pixels_of(&with_exif[..n]), right, "cut at {n}"),
        }
    }
    let frames =
        [[1, 2, 3], [4, 5, 6]].map(|p| encoded(RgbImage::from_pixel(4, 2, Rgb(p)), ImageFormat::WebP));
    let animated = make::animated_webp((4, 2), &frames);
    let photo = decode(&animated[..animated.len() - 3], &STANDARD).unwrap();
    assert_eq!(photo.rgb.get_pixel(3, 1).0, [1, 2, 3]);
}
