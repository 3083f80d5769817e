//! Named colours and their variation.

use data::draw::Stream;

use crate::shapes::between;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rgb(pub(crate) u8, pub(crate) u8, pub(crate) u8);

impl Rgb {
    /// Returns the colour made lighter (factor above 1) or darker.
    pub(crate) fn lit(self, factor: f32) -> Self {
        self.each(|c| c * factor)
    }

    /// Interpolates to `other` by the share `t`.
    pub(crate) fn mixed(self, other: Rgb, t: f32) -> Self {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * t).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// Varies the colour for one individual: a little lighter or darker, warmer or cooler.
    pub(crate) fn varied(self, draws: &mut Stream) -> Self {
        let light = between(draws, 0.92, 1.08);
        let warm = between(draws, -0.05, 0.05);
        let channel =
            |c: u8, tint: f32| (f32::from(c) * light * (1.0 + tint)).clamp(0.0, 255.0).round() as u8;
        Self(channel(self.0, warm), channel(self.1, 0.0), channel(self.2, -warm))
    }

    /// Returns the luma, 0 (black) to 255.
    pub(crate) fn luma(self) -> f32 {
        0.299 * f32::from(self.0) + 0.587 * f32::from(self.1) + 0.114 * f32::from(self.2)
    }

    fn each(self, f: impl Fn(f32) -> f32) -> Self {
        let apply = |c: u8| f(f32::from(c)).clamp(0.0, 255.0).round() as u8;
        Self(apply(self.0), apply(self.1), apply(self.2))
    }
}

pub(crate) const BLACK: Rgb = Rgb(52, 48, 47);
pub(crate) const BLUE_GREY: Rgb = Rgb(112, 118, 128);
pub(crate) const BROWN: Rgb = Rgb(112, 76, 50);
pub(crate) const CREAM: Rgb = Rgb(226, 205, 168);
pub(crate) const FAWN: Rgb = Rgb(200, 164, 118);
pub(crate) const GOLD: Rgb = Rgb(204, 154, 88);
pub(crate) const GREY: Rgb = Rgb(150, 146, 142);
pub(crate) const RED: Rgb = Rgb(172, 104, 56);
pub(crate) const SABLE: Rgb = Rgb(146, 104, 66);
pub(crate) const TAN: Rgb = Rgb(178, 126, 76);
pub(crate) const WHITE: Rgb = Rgb(236, 232, 224);

pub(crate) const EYE: Rgb = Rgb(38, 26, 20);
pub(crate) const NOSE: Rgb = Rgb(30, 26, 27);
pub(crate) const TONGUE: Rgb = Rgb(214, 112, 120);
