//! Paints one picture: a scene, its subject, and the effects of the camera.

use anyhow::Context;
use data::draw::Stream;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use tiny_skia::{Pixmap, Transform};

use crate::breeds::Painted;
use crate::figure::Figure;
use crate::shapes::{Point, between};
use crate::{dog, finish, scenes, things};

/// Quality of the JPEG files.
const JPEG_QUALITY: u8 = 90;

/// The subject of a picture.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    Dog(&'static Painted),
    /// Anything but a dog.
    Thing,
    /// A person alone.
    Person,
    /// A dog with a person behind it.
    DogWithPerson(&'static Painted),
}

/// Aspect ratios of the pictures: width to height.
const SHAPES: [(f32, f32); 4] = [(1.0, 1.0), (1.14, 0.86), (0.86, 1.14), (1.0, 1.0)];

/// Paints `subject`. The picture has about `size` * `size` pixels, its shorter side at least 0.8 * `size`.
pub(crate) fn paint(subject: Subject, size: u32, draws: &mut Stream) -> RgbImage {
    let (wide, high) = *draws.pick(&SHAPES);
    let scale = size as f32 * between(draws, 0.94, 1.1);
    let (width, height) = ((scale * wide) as u32, (scale * high) as u32);
    let mut canvas = Pixmap::new(width, height).expect("the size was checked to be neither 0 nor huge");

    let figure = match subject {
        Subject::Dog(painted) | Subject::DogWithPerson(painted) => dog::draw(painted, draws),
        Subject::Thing => things::draw(draws),
        Subject::Person => things::person(draws),
    };
    let frame = Frame::around(&figure, width as f32, height as f32, draws);
    let light = draw_light(draws);
    scenes::paint(&mut canvas, 1.0 - frame.ground / height as f32, draws);
    if let Subject::DogWithPerson(_) = subject {
        let owner = things::person(draws);
        let behind = frame.behind(&owner, width as f32, draws);
        owner.paint(&mut canvas, behind, light, draws);
    }
    let (left, right) = frame.feet;
    scenes::shadow(&mut canvas, left, right, frame.ground);
    figure.paint(&mut canvas, frame.to_pixels, light, draws);
    finish::develop(&canvas, draws)
}

/// Encodes `picture` as a JPEG file.
pub(crate) fn jpeg(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))
        .context("cannot encode a picture")?;
    Ok(bytes)
}

/// Draws the direction of the light: from above, from the left or the right.
fn draw_light(draws: &mut Stream) -> Point {
    let angle = between(draws, 0.9, 2.25);
    (libm::cosf(angle), -libm::sinf(angle))
}

/// The position of a figure in the picture.
struct Frame {
    to_pixels: Transform,
    /// Pixels from the upper edge to the ground that the figure stands on.
    ground: f32,
    /// Left and right end of the figure's shadow, pixels.
    feet: (f32, f32),
}

impl Frame {
    /// Places the figure in 84 to 92 percent of the picture's middle square, facing left or right.
    fn around(figure: &Figure, width: f32, height: f32, draws: &mut Stream) -> Self {
        let bounds = figure.bounds();
        let (wide, high) = (bounds.high.0 - bounds.low.0, bounds.high.1 - bounds.low.1);
        let square = width.min(height);
        let scale = square * between(draws, 0.84, 0.92) / wide.max(high);
        let slack = |extent: f32, room: f32| 0.5 * (room - extent * scale).max(0.0);
        let jitter = between(draws, -0.02, 0.02) * square;
        let middle = 0.5 * width + jitter;
        // Low in the frame, as in most pictures of a standing dog, but not at its edge.
        let lower = height - 0.5 * (height - square) - square * between(draws, 0.04, 0.08);
        let ground = lower - 0.45 * slack(high, square * 0.9);
        let facing = if draws.chance(0.5) { 1.0 } else { -1.0 };
        let centre = 0.5 * (bounds.low.0 + bounds.high.0);
        let to_pixels =
            Transform::from_row(facing * scale, 0.0, 0.0, -scale, middle - facing * scale * centre, ground);
        let half = 0.5 * wide * scale;
        Self { to_pixels, ground, feet: (middle - 0.9 * half, middle + 0.9 * half) }
    }

    /// Returns a place for a person, behind the figure and at the side of the picture.
    fn behind(&self, owner: &Figure, width: f32, draws: &mut Stream) -> Transform {
        let bounds = owner.bounds();
        let scale = self.ground * between(draws, 0.8, 0.93) / (bounds.high.1 - bounds.low.1);
        let x = if draws.chance(0.5) { 0.12 } else { 0.88 };
        Transform::from_row(scale, 0.0, 0.0, -scale, x * width, self.ground - 0.03 * width)
    }
}
