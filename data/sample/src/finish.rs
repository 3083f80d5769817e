//! Converts the painted canvas to a photograph: exposure, colour cast, vignette, focus, noise.

use data::draw::Stream;
use image::RgbImage;
use tiny_skia::Pixmap;

use crate::figure::soften;
use crate::shapes::between;

/// Converts the canvas to a photograph.
pub(crate) fn develop(canvas: &Pixmap, draws: &mut Stream) -> RgbImage {
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let exposure = between(draws, 0.93, 1.08);
    let warmth = between(draws, -0.04, 0.04);
    let gains = [exposure * (1.0 + warmth), exposure, exposure * (1.0 - warmth)];
    let vignette = between(draws, 0.0, 0.15);
    let grain = between(draws, 3.0, 9.0);
    let out_of_focus = draws.chance(0.35);

    let mut planes: [Vec<f32>; 3] = [0, 1, 2].map(|channel| {
        canvas.data().iter().skip(channel).step_by(4).map(|&v| f32::from(v) * gains[channel]).collect()
    });
    if out_of_focus {
        for plane in &mut planes {
            soften(plane, width, height, (height / 256).max(1));
        }
    }
    let (middle_x, middle_y) = (0.5 * width as f32, 0.5 * height as f32);
    RgbImage::from_fn(canvas.width(), canvas.height(), |x, y| {
        let (dx, dy) = ((x as f32 - middle_x) / middle_x, (y as f32 - middle_y) / middle_y);
        let fall_off = 1.0 - 0.5 * vignette * (dx * dx + dy * dy);
        let at = y as usize * width + x as usize;
        let noise = grains(draws);
        let value = |channel: usize| {
            (planes[channel][at] * fall_off + grain * noise[channel] + 0.5).clamp(0.0, 255.0) as u8
        };
        image::Rgb([value(0), value(1), value(2)])
    })
}

/// Draws noise for three channels in (-1, 1), mostly common to them, from one draw.
///
/// The sum of two bytes has a triangular distribution, similar to the normal distribution of a sensor.
fn grains(draws: &mut Stream) -> [f32; 3] {
    let bits = (draws.unit() * (1u64 << 53) as f64) as u64;
    let byte = |i: u32| ((bits >> (8 * i)) & 0xff) as f32;
    let triangle = |i: u32| (byte(i) + byte(i + 1) - 255.0) / 255.0;
    let common = triangle(0);
    [2, 3, 4].map(|i| 0.75 * common + 0.25 * triangle(i))
}
