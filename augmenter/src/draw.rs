//! Draws the parameters of a copy from (seed, digest of the source picture, copy number).

use data::draw::stream;
use data::provenance::to_hex;

use crate::transform::{Parameters, Size};

/// The ranges of the uniform distributions; the meaning is that of Keras' `ImageDataGenerator`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranges {
    /// Maximum rotation in degrees, in both directions.
    pub rotation: f64,
    /// Maximum horizontal shift: below 1 a share of the copy's width, else pixels of the copy.
    pub width_shift: f64,
    /// Maximum vertical shift: below 1 a share of the copy's height, else pixels of the copy.
    pub height_shift: f64,
    /// Maximum shear in degrees, in both directions.
    pub shear: f64,
    /// Zoom of each axis: a factor from 1 - zoom to 1 + zoom.
    pub zoom: f64,
    /// Minimum and maximum factor of the brightness.
    pub brightness: (f64, f64),
    /// Whether half of the copies are mirrored.
    pub horizontal_flip: bool,
}

impl Ranges {
    /// Draws the parameters of copy number `copy` (from 1), of size `to`, of the picture with the given digest.
    pub fn draw(&self, seed: u64, picture_sha256: &[u8; 32], copy: u32, to: Size) -> Parameters {
        let mut draws = stream(seed, "augmenter/copy", &format!("{}/{copy}", to_hex(picture_sha256)));
        // All parameters are drawn, in this order, for all ranges: another zoom range does not change the
        // rotation.
        let mut either_way = |range: f64| draws.uniform(-range, range);
        let theta = either_way(self.rotation);
        let tx = pixels(either_way(self.height_shift), self.height_shift, to.height);
        let ty = pixels(either_way(self.width_shift), self.width_shift, to.width);
        let shear = either_way(self.shear);
        let zx = 1.0 + either_way(self.zoom);
        let zy = 1.0 + either_way(self.zoom);
        let flip = draws.chance(0.5) && self.horizontal_flip;
        let brightness = draws.uniform(self.brightness.0, self.brightness.1);
        Parameters { theta, tx, ty, shear, zx, zy, flip, brightness }
    }
}

fn pixels(shift: f64, range: f64, n: u32) -> f64 {
    if range < 1.0 { shift * f64::from(n) } else { shift }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGES: Ranges = Ranges {
        rotation: 40.0,
        width_shift: 0.2,
        height_shift: 3.0,
        shear: 11.5,
        zoom: 0.2,
        brightness: (0.8, 1.2),
        horizontal_flip: true,
    };

    fn draws(ranges: Ranges) -> Vec<Parameters> {
        (1..=500).map(|copy| ranges.draw(42, &[7; 32], copy, Size::new(100, 50))).collect()
    }

    #[test]
    fn draws_fill_their_ranges_and_stay_within() {
        let drawn = draws(RANGES);
        let fields: [(fn(&Parameters) -> f64, f64, f64); 7] = [
            (|p| p.theta, -40.0, 40.0),
            (|p| p.tx, -3.0, 3.0),
            (|p| p.ty, -20.0, 20.0),
            (|p| p.shear, -11.5, 11.5),
            (|p| p.zx, 0.8, 1.2),
            (|p| p.zy, 0.8, 1.2),
            (|p| p.brightness, 0.8, 1.2),
        ];
        for (i, (field, low, high)) in fields.into_iter().enumerate() {
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for p in &drawn {
                (least, most) = (least.min(field(p)), most.max(field(p)));
            }
            let slack = 0.03 * (high - low);
            assert!(low <= least && least < low + slack, "field {i}: least {least} of {low}..{high}");
            assert!(high - slack < most && most <= high, "field {i}: most {most} of {low}..{high}");
        }
        let n_flipped = drawn.iter().filter(|p| p.flip).count();
        assert!((200..300).contains(&n_flipped), "{n_flipped} of 500 are flipped");
    }

    #[test]
    fn one_range_does_not_disturb_the_others() {
        let changed = draws(Ranges { zoom: 0.5, horizontal_flip: false, ..RANGES });
        for (a, b) in draws(RANGES).iter().zip(&changed) {
            assert_eq!((a.theta, a.shear, a.brightness), (b.theta, b.shear, b.brightness));
        }
    }

    #[test]
    fn seed_picture_and_copy_each_matter() {
        let size = Size::new(9, 9);
        let draw = |seed, digest, copy| RANGES.draw(seed, &[digest; 32], copy, size).theta;
        let base = draw(1, 1, 1);
        assert_eq!(base, draw(1, 1, 1));
        assert!([draw(2, 1, 1), draw(1, 2, 1), draw(1, 1, 2)].iter().all(|other| *other != base));
    }
}
