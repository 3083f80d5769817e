//! Paints the backgrounds: rooms, parks, beaches, streets, snow, a studio.
//!
//! All classes have the same scenes. A scene is out of focus and paler than the subject, as in a photograph.

use std::f32::consts::TAU;

use data::draw::Stream;
use tiny_skia::{Pixmap, PremultipliedColorU8, Transform};

use crate::colour::{Rgb, WHITE};
use crate::figure::{fill, soften};
use crate::shapes::{Outline, Point, between};

/// Paints a scene on the whole canvas; the unit is the canvas's height, y up from the lower edge.
/// `ground` is the height on which the subject stands.
pub(crate) fn paint(canvas: &mut Pixmap, ground: f32, draws: &mut Stream) {
    let height = canvas.height() as f32;
    let width = canvas.width() as f32 / height;
    let mut scene = Scene {
        to_pixels: Transform::from_row(height, 0.0, 0.0, -height, 0.0, height),
        width,
        horizon: ground + between(draws, 0.1, 0.3),
        canvas,
    };
    match draws.below(6) {
        0 => scene.room(draws),
        1 => scene.park(draws),
        2 => scene.beach(draws),
        3 => scene.street(draws),
        4 => scene.snow(draws),
        _ => scene.studio(draws),
    }
    recede(canvas, draws);
}

/// Paints the shadow of a subject on `ground` between `left` and `right`, all in pixels.
pub(crate) fn shadow(canvas: &mut Pixmap, left: f32, right: f32, ground: f32) {
    let half = 0.5 * (right - left);
    let centre = (0.5 * (left + right), ground);
    for (reach, cover) in [(1.08, 0.08), (0.98, 0.1), (0.86, 0.12), (0.7, 0.12)] {
        let pool = Outline::ellipse(centre, (half * reach, half * 0.14 * reach), 0.0);
        fill(canvas, &pool, Rgb(20, 20, 26), cover, Transform::identity());
    }
}

struct Scene<'a> {
    canvas: &'a mut Pixmap,
    to_pixels: Transform,
    /// Width of the canvas in units of its height.
    width: f32,
    horizon: f32,
}

impl Scene<'_> {
    fn fill(&mut self, outline: &Outline, colour: Rgb) {
        fill(self.canvas, outline, colour, 1.0, self.to_pixels);
    }

    fn rectangle(&mut self, low: Point, high: Point, colour: Rgb) {
        self.fill(&Outline::rectangle(low, high), colour);
    }

    /// Paints bands of colour from `low` to `high`.
    fn bands(&mut self, low: f32, high: f32, bottom: Rgb, top: Rgb) {
        for band in 0..12 {
            let t = band as f32 / 12.0;
            let (from, to) = (low + (high - low) * t, low + (high - low) * (t + 0.1));
            self.rectangle((0.0, from), (self.width, to.min(high)), bottom.mixed(top, t));
        }
    }

    fn anywhere(&self, draws: &mut Stream) -> f32 {
        between(draws, 0.0, self.width)
    }

    fn room(&mut self, draws: &mut Stream) {
        let walls = [Rgb(208, 198, 180), Rgb(176, 190, 196), Rgb(196, 180, 172), Rgb(186, 196, 178)];
        let floors = [Rgb(156, 122, 90), Rgb(176, 160, 140), Rgb(130, 112, 98)];
        let (wall, floor) = (draws.pick(&walls).varied(draws), draws.pick(&floors).varied(draws));
        self.bands(self.horizon, 1.0, wall.lit(0.92), wall);
        self.bands(0.0, self.horizon, floor.lit(1.08), floor.lit(0.9));
        self.rectangle((0.0, self.horizon), (self.width, self.horizon + 0.025), wall.lit(1.12));
        if draws.chance(0.6) {
            let x = self.anywhere(draws) - 0.2;
            self.rectangle((x, self.horizon + 0.3), (x + 0.4, 0.95), WHITE);
            self.rectangle((x + 0.03, self.horizon + 0.33), (x + 0.37, 0.93), Rgb(170, 200, 216));
            self.rectangle((x + 0.19, self.horizon + 0.33), (x + 0.21, 0.93), WHITE);
        }
        if draws.chance(0.6) {
            let fabrics = [Rgb(120, 96, 90), Rgb(96, 112, 130), Rgb(136, 136, 110), Rgb(150, 112, 100)];
            let fabric = draws.pick(&fabrics).varied(draws);
            let x = self.anywhere(draws) - 0.4;
            let y = self.horizon;
            self.rectangle((x, y - 0.05), (x + 0.8, y + 0.28), fabric);
            self.rectangle((x + 0.06, y - 0.05), (x + 0.74, y + 0.12), fabric.lit(1.15));
            self.rectangle((x - 0.05, y - 0.06), (x + 0.06, y + 0.18), fabric.lit(0.85));
            self.rectangle((x + 0.74, y - 0.06), (x + 0.85, y + 0.18), fabric.lit(0.85));
        }
        if draws.chance(0.5) {
            let carpet = Rgb(150, 110, 104).varied(draws);
            let centre = (self.anywhere(draws), 0.5 * self.horizon);
            self.fill(&Outline::ellipse(centre, (0.5, 0.12), 0.0), carpet);
        }
    }

    fn park(&mut self, draws: &mut Stream) {
        let sky = Rgb(172, 200, 220).varied(draws);
        let grass = Rgb(126, 148, 92).varied(draws);
        self.bands(self.horizon, 1.0, sky.mixed(WHITE, 0.5), sky);
        for _ in 0..7 {
            let centre = (self.anywhere(draws), self.horizon + between(draws, 0.05, 0.3));
            let leaves = Rgb(96, 122, 84).varied(draws);
            self.rectangle(
                (centre.0 - 0.02, self.horizon - 0.02),
                (centre.0 + 0.02, centre.1),
                Rgb(104, 88, 72),
            );
            let crown = (between(draws, 0.12, 0.26), between(draws, 0.12, 0.24));
            let crown = Outline::patch(centre, crown, draws);
            self.fill(&crown, leaves);
        }
        self.bands(0.0, self.horizon, grass.lit(0.9), grass.lit(1.1));
        for _ in 0..60 {
            let (x, y) = (self.anywhere(draws), between(draws, 0.0, self.horizon));
            let blade = Outline::limb(&[(x, y, 0.005), (x + between(draws, -0.02, 0.02), y + 0.04, 0.001)]);
            self.fill(&blade, grass.lit(between(draws, 0.8, 1.2)));
        }
    }

    fn beach(&mut self, draws: &mut Stream) {
        let sky = Rgb(168, 198, 222).varied(draws);
        let sea = Rgb(108, 150, 166).varied(draws);
        let sand = Rgb(206, 186, 150).varied(draws);
        let shore = self.horizon - between(draws, 0.06, 0.12);
        self.bands(self.horizon, 1.0, sky.mixed(WHITE, 0.5), sky);
        self.bands(shore, self.horizon, sea.lit(1.12), sea);
        self.bands(0.0, shore, sand.lit(0.95), sand.lit(1.05));
        let swell = between(draws, 0.0, TAU);
        let foam: Vec<_> = (0..9)
            .map(|k| {
                let x = self.width * k as f32 / 8.0;
                (x, shore + 0.012 * libm::sinf(swell + 1.7 * k as f32), 0.012)
            })
            .collect();
        self.fill(&Outline::limb(&foam), WHITE);
        for _ in 0..3 {
            let dune = (self.anywhere(draws), between(draws, 0.0, shore));
            self.fill(&Outline::ellipse(dune, (0.3, 0.03), 0.0), sand.lit(between(draws, 0.9, 1.05)));
        }
    }

    fn street(&mut self, draws: &mut Stream) {
        let sky = Rgb(192, 204, 212).varied(draws);
        let stone = Rgb(158, 156, 152).varied(draws);
        self.bands(self.horizon, 1.0, sky, sky.lit(0.95));
        let mut x = between(draws, -0.3, 0.0);
        while x < self.width {
            let house = between(draws, 0.3, 0.55);
            let roof = self.horizon + between(draws, 0.35, 0.8);
            let walls = [Rgb(178, 150, 132), Rgb(190, 180, 160), Rgb(160, 160, 164), Rgb(186, 160, 150)];
            let wall = draws.pick(&walls).varied(draws);
            self.rectangle((x, self.horizon), (x + house, roof), wall);
            let mut y = self.horizon + 0.12;
            while y + 0.12 < roof {
                for column in 0..3 {
                    let left = x + house * (0.12 + 0.3 * column as f32);
                    self.rectangle((left, y), (left + 0.16 * house, y + 0.09), wall.lit(0.66));
                }
                y += 0.2;
            }
            x += house + between(draws, 0.0, 0.08);
        }
        self.bands(0.0, self.horizon, stone.lit(0.9), stone.lit(1.06));
        let kerb = self.horizon - 0.05;
        self.rectangle((0.0, kerb), (self.width, kerb + 0.018), stone.lit(1.22));
    }

    fn snow(&mut self, draws: &mut Stream) {
        let sky = Rgb(186, 200, 216).varied(draws);
        let snow = Rgb(224, 228, 232).varied(draws);
        self.bands(self.horizon, 1.0, sky.mixed(WHITE, 0.4), sky);
        let hill = (self.anywhere(draws), self.horizon);
        self.fill(&Outline::ellipse(hill, (0.9, between(draws, 0.12, 0.35)), 0.0), snow.lit(0.92));
        for _ in 0..6 {
            let (x, foot) = (self.anywhere(draws), self.horizon + between(draws, -0.02, 0.05));
            let tall = between(draws, 0.25, 0.5);
            let needles = Rgb(98, 118, 108).varied(draws);
            for tier in 0..3 {
                let low = foot + tall * 0.28 * tier as f32;
                let half = tall * (0.26 - 0.06 * tier as f32);
                let tree = [(x - half, low), (x + half, low), (x, low + 0.45 * tall)];
                self.fill(&Outline::polygon(&tree), needles);
            }
        }
        self.bands(0.0, self.horizon, snow.lit(0.94), snow);
        for _ in 0..5 {
            let drift = (self.anywhere(draws), between(draws, 0.0, self.horizon));
            self.fill(&Outline::ellipse(drift, (0.25, 0.02), 0.0), snow.lit(0.93));
        }
    }

    fn studio(&mut self, draws: &mut Stream) {
        let cloths = [Rgb(170, 170, 176), Rgb(150, 160, 150), Rgb(182, 164, 150), Rgb(140, 150, 168)];
        let cloth = draws.pick(&cloths).varied(draws);
        self.bands(0.0, 1.0, cloth.lit(0.95), cloth.lit(0.85));
        let glow = (0.5 * self.width + between(draws, -0.2, 0.2), 0.6);
        for ring in 0..8 {
            let reach = 0.7 - 0.07 * ring as f32;
            self.fill(&Outline::circle(glow, reach), cloth.lit(0.9 + 0.025 * ring as f32));
        }
        self.bands(0.0, self.horizon * 0.7, cloth.lit(1.02), cloth.lit(0.92));
    }
}

/// Blurs the scene and reduces its colour and contrast.
fn recede(canvas: &mut Pixmap, draws: &mut Stream) {
    let (width, height) = (canvas.width() as usize, canvas.height() as usize);
    let radius = (height as f32 * between(draws, 0.006, 0.02)).round() as usize;
    let middle = between(draws, 146.0, 160.0);
    let contrast = between(draws, 0.52, 0.7);
    let channel = |channel: fn(&PremultipliedColorU8) -> u8, canvas: &Pixmap| {
        let mut values: Vec<f32> = canvas.pixels().iter().map(|p| f32::from(channel(p))).collect();
        soften(&mut values, width, height, radius);
        soften(&mut values, width, height, radius);
        values
    };
    let red = channel(|p| p.red(), canvas);
    let green = channel(|p| p.green(), canvas);
    let blue = channel(|p| p.blue(), canvas);
    let paler = |v: f32| (middle + (v - middle) * contrast).clamp(0.0, 255.0) as u8;
    for (i, pixel) in canvas.pixels_mut().iter_mut().enumerate() {
        if let Some(colour) =
            PremultipliedColorU8::from_rgba(paler(red[i]), paler(green[i]), paler(blue[i]), 255)
        {
            *pixel = colour;
        }
    }
}
