//! Pictures to measure on where there are none yet.

use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use crate::draw;

/// How many there are.
pub(super) const COUNT: usize = 8;
/// Width and height: those that most pictures of Stanford Dogs have.
pub(super) const SIZE: (u32, u32) = (500, 375);
/// Waves of brightness and colour in a picture.
const N_WAVES: usize = 24;
/// Levels of noise either way. With it a file has about 37 kB, as those of Stanford Dogs on average.
const NOISE: f64 = 2.5;
/// Quality of the JPEG files.
const JPEG_QUALITY: u8 = 90;

/// A wave across the picture: of each colour, `amplitude * sin(across * x + down * y + phase)`.
struct Wave {
    across: f64,
    down: f64,
    phase: f64,
    amplitude: [f64; 3],
}

/// The bytes of a JPEG of [`SIZE`] with as much detail as a photo has, the same for the same `number`.
///
/// # Errors
/// If it cannot be encoded.
pub(super) fn example(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut draws = draw::stream(0, "forecast example", &number.to_string());
    let waves: Vec<Wave> = (1..=N_WAVES)
        .map(|k| {
            // The finer a detail of a photo, the weaker it is.
            let frequency = 0.01 * k as f64;
            let (across, down) = (frequency * draws.normal(), frequency * draws.normal());
            let amplitude = [0; 3].map(|_| 30.0 * draws.normal() / k as f64);
            Wave { across, down, phase: std::f64::consts::TAU * draws.unit(), amplitude }
        })
        .collect();
    let (width, height) = SIZE;
    let mut picture = RgbImage::new(width, height);
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let mut levels = [128.0; 3];
        for wave in &waves {
            let height = libm::sin(wave.across * f64::from(x) + wave.down * f64::from(y) + wave.phase);
            (0..3).for_each(|c| levels[c] += wave.amplitude[c] * height);
        }
        *pixel = Rgb(levels.map(|level| (level + NOISE * draws.normal()).clamp(0.0, 255.0) as u8));
    }
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))
        .context("cannot encode a picture")?;
    Ok(bytes)
}
