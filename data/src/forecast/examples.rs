//! Generates pictures to measure on if there are none yet.

use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage};

use crate::draw;

/// Number of generated pictures.
pub(super) const COUNT: usize = 8;
/// Width and height of most pictures of Stanford Dogs.
pub(super) const SIZE: (u32, u32) = (500, 375);
/// Number of waves of brightness and colour in a picture.
const N_WAVES: usize = 24;
/// Amplitude of the noise in levels. With it a file has about 37 kB, the mean of Stanford Dogs.
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

/// Returns a JPEG file of [`SIZE`] with as much detail as a photo, the same for the same `number`.
///
/// # Errors
/// If it cannot be encoded.
pub(super) fn example(number: usize) -> anyhow::Result<Vec<u8>> {
    let mut draws = draw::stream(0, "forecast example", &number.to_string());
    let waves: Vec<Wave> = (1..=N_WAVES)
        .map(|k| {
            // As in photos, finer details have a smaller amplitude.
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
