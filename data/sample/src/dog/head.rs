//! Draws a dog's head, from the side or from the front. The middle of the skull is (0, 0) here.

use data::draw::Stream;

use crate::builds::Trim;
use crate::coats::Mark;
use crate::colour::{BLACK, EYE, NOSE, Rgb, TONGUE, WHITE};
use crate::dog::Dog;
use crate::figure::{Hair, Part};
use crate::pose::Gaze;
use crate::shapes::{Outline, Point, turned};

mod ears;

/// Draws the parts of the head around `skull`, from back to front.
pub(crate) fn draw(dog: &Dog<'_>, skull: Point, draws: &mut Stream) -> Vec<Part> {
    let face = Face::new(dog);
    let parts = match dog.pose.gaze {
        Gaze::Ahead => face.profile(draws),
        Gaze::AtUs(turn) => face.front(turn, draws),
    };
    let tilt = dog.pose.tilt;
    parts
        .iter()
        .map(|part| {
            part.map(|p| {
                let (x, y) = turned(p, (0.0, 0.0), tilt);
                (x + skull.0, y + skull.1)
            })
        })
        .collect()
}

struct Face<'a> {
    dog: &'a Dog<'a>,
    /// Radius of the skull.
    r: f32,
    coat: Rgb,
    ears: Rgb,
    mask: Option<Rgb>,
    blaze: Option<Rgb>,
}

impl<'a> Face<'a> {
    fn new(dog: &'a Dog<'a>) -> Self {
        let mut face = Self {
            dog,
            r: dog.build.head.skull,
            coat: dog.base,
            ears: dog.base.lit(0.9),
            mask: None,
            blaze: None,
        };
        for &mark in dog.coat.marks {
            match mark {
                Mark::Head(colour) => (face.coat, face.ears) = (colour, colour.lit(0.9)),
                Mark::Ears(colour) => face.ears = colour,
                Mark::Mask(colour) => face.mask = Some(colour),
                Mark::Blaze(colour) => face.blaze = Some(colour),
                _ => {}
            }
        }
        face
    }

    fn hair(&self, flow: f32) -> Option<Hair> {
        Some(Hair { curly: false, length: self.dog.hair(flow).length * 0.8, ..self.dog.hair(flow) })
    }

    /// Draws skull and muzzle as one part, with fur at the edge.
    fn mass(&self, outlines: Vec<Outline>, furred: usize, draws: &mut Stream) -> Part {
        let fur = &self.dog.build.fur;
        let mut part = Part { hair: self.hair(2.4), roundness: 0.4 * self.r, ..Part::default() };
        for outline in &outlines {
            part = part.with(outline.clone(), self.coat);
        }
        if fur.trim == Trim::Natural && fur.fringe >= 0.02 {
            for outline in &outlines[..furred] {
                let grown = outline.grown(0.35 * fur.depth);
                let tufts = grown.tufts(fur.fringe * 0.8, (-0.2, -0.3), draws);
                part = part.with(grown, self.coat).with(tufts, self.coat);
            }
        }
        part
    }

    /// Draws a poodle's ball of hair around `middle`.
    fn topknot(&self, middle: Point, draws: &mut Stream) -> Option<Part> {
        if self.dog.build.fur.trim != Trim::Pompons {
            return None;
        }
        let ball = Outline::ellipse(middle, (1.25 * self.r, 0.95 * self.r), 0.0);
        let curls = ball.tufts(self.dog.build.fur.fringe, (0.0, 0.1), draws);
        let hair = Some(self.dog.hair(1.5));
        Some(Part { hair, ..Part::solid(ball, self.coat, 0.08) }.with(curls, self.coat))
    }

    fn eye(&self, part: &mut Part, at: Point, size: (f32, f32)) {
        // A paler rim keeps dark eyes visible in dark coats.
        let rim = if self.coat.luma() < 90.0 { self.coat.mixed(WHITE, 0.25) } else { self.coat.lit(0.62) };
        part.detail(Outline::ellipse(at, (size.0 * 1.4, size.1 * 1.4), 0.0), rim, 0.8);
        part.detail(Outline::ellipse(at, size, 0.0), EYE, 1.0);
        let glint = (at.0 + 0.25 * size.0, at.1 + 0.35 * size.1);
        part.detail(Outline::circle(glint, 0.3 * size.0), WHITE, 0.95);
    }

    fn profile(&self, draws: &mut Stream) -> Vec<Part> {
        let (r, head) = (self.r, &self.dog.build.head);
        let (m, (base, tip)) = (head.muzzle, head.depth);
        let nose_x = r + m;
        let line = -0.34 * r; // height of the muzzle's middle at the nose
        let mut outlines = vec![
            Outline::ellipse((0.0, 0.0), (r, 0.94 * r), 0.0),
            Outline::ellipse((0.2 * r, -0.3 * r), (0.78 * r, 0.64 * r), 0.0),
            Outline::limb(&[
                (0.3 * r, -0.2 * r, base),
                (0.6 * r + 0.5 * m, -0.29 * r, 0.5 * (base + tip)),
                (nose_x - tip, line, tip),
            ]),
        ];
        if head.lips > 0.0 {
            let lip = (r + 0.45 * m - 0.2 * tip, line - 0.55 * tip - 0.2 * head.lips);
            outlines.push(Outline::ellipse(lip, (0.5 * m + 0.55 * tip, 0.4 * tip + 0.8 * head.lips), -0.1));
        }
        if self.dog.pose.panting {
            let jaw =
                [(0.5 * r, line - 0.5 * base, 0.5 * tip), (nose_x - 1.2 * tip, line - 1.5 * tip, 0.35 * tip)];
            outlines.push(Outline::limb(&jaw));
        }
        let mut part = self.mass(outlines, 2, draws);
        if let Some(colour) = self.mask {
            let over =
                Outline::patch((r + 0.5 * m, line - 0.05 * r), (0.75 * m + 0.42 * r, base * 1.25), draws);
            part.mark(over, colour, 0.88);
        }
        if let Some(colour) = self.blaze {
            let stripe = [
                (0.0, 1.02 * r, 0.1 * r),
                (0.72 * r, 0.62 * r, 0.13 * r),
                (0.95 * r + 0.3 * m, line + 1.0 * tip, 0.4 * tip),
                (nose_x, line, 1.1 * tip),
            ];
            part.mark(Outline::limb(&stripe), colour, 0.97);
            let below =
                Outline::ellipse((r + 0.3 * m, line - 0.8 * tip), (0.9 * m + 0.2 * r, 0.75 * tip), 0.0);
            part.mark(below, colour, 0.9);
        }
        self.profile_mouth(&mut part, (nose_x, line));
        let nose = (0.46 * tip).max(0.032);
        let nose_at = (nose_x - 0.3 * nose, line + 0.5 * tip);
        part.detail(Outline::ellipse(nose_at, (nose, 0.85 * nose), -0.3), NOSE, 1.0);
        part.detail(
            Outline::circle((nose_at.0 - 0.1 * nose, nose_at.1 + 0.4 * nose), 0.2 * nose),
            WHITE,
            0.55,
        );
        let eye = 0.1 * r + 0.012;
        self.eye(&mut part, (0.52 * r, 0.2 * r), (eye, 0.95 * eye));

        let (far_ear, near) = self.profile_ears(draws);
        let mut parts = vec![far_ear, part];
        parts.extend(self.topknot((-0.25 * r, 1.05 * r), draws));
        parts.push(near);
        parts
    }

    /// Draws tongue and lips of a muzzle that ends at `nose`.
    fn profile_mouth(&self, part: &mut Part, nose: Point) {
        let (r, head) = (self.r, &self.dog.build.head);
        let (m, (base, tip)) = (head.muzzle, head.depth);
        let (nose_x, line) = nose;
        let mouth_y = line - 0.5 * tip - 0.35 * head.lips;
        if self.dog.pose.panting {
            let tongue =
                [(r + 0.3 * m, mouth_y, 0.2 * tip), (nose_x - 0.75 * tip, mouth_y - 0.75 * tip, 0.28 * tip)];
            part.detail(Outline::limb(&tongue), TONGUE, 1.0);
        }
        let mouth = [
            (nose_x - 0.12 * tip, line - 0.15 * tip, 0.008),
            (nose_x - 0.35 * tip, mouth_y, 0.01),
            (0.72 * r, mouth_y - 0.15 * base, 0.006),
        ];
        part.detail(Outline::limb(&mouth), BLACK, 0.75);
    }

    /// Draws the head from the front, with the muzzle turned to the right by `turn` of the skull's radius.
    fn front(&self, turn: f32, draws: &mut Stream) -> Vec<Part> {
        let (r, head) = (self.r, &self.dog.build.head);
        let (m, (base, tip)) = (head.muzzle, head.depth);
        let aside = turn * (r + 0.5 * m);
        let wide = 1.12 * base.max(tip);
        let chin = -0.42 * r - 0.42 * m; // height of the muzzle's middle
        let mut outlines = vec![
            Outline::ellipse((0.0, 0.05 * r), (1.02 * r, 0.98 * r), 0.0),
            Outline::ellipse((0.1 * aside, -0.32 * r), (0.86 * r, 0.66 * r), 0.0),
            Outline::limb(&[(0.4 * aside, -0.1 * r, 0.95 * base), (aside, chin, 0.55 * base + 0.45 * tip)]),
            Outline::ellipse((aside, chin - 0.1 * tip), (wide, 0.85 * tip + 0.1 * base), 0.0),
        ];
        if head.lips > 0.0 {
            for side in [-1.0, 1.0] {
                let lip = (aside + side * 0.5 * wide, chin - 0.35 * tip - 0.4 * head.lips);
                outlines.push(Outline::ellipse(
                    lip,
                    (0.62 * wide, 0.35 * tip + 0.8 * head.lips),
                    side * 0.15,
                ));
            }
        }
        let mut part = self.mass(outlines, 2, draws);
        if let Some(colour) = self.mask {
            let over = Outline::patch((aside, chin + 0.1 * r), (wide * 1.3, 0.8 * tip + 0.35 * r), draws);
            part.mark(over, colour, 0.88);
        }
        if let Some(colour) = self.blaze {
            let stripe = [
                (0.0, 1.02 * r, 0.12 * r),
                (0.15 * aside, 0.45 * r, 0.1 * r),
                (0.5 * aside, -0.15 * r, 0.2 * r),
                (aside, chin, 1.1 * wide),
            ];
            part.mark(Outline::limb(&stripe), colour, 0.97);
        }
        let nose = (0.5 * tip).max(0.035);
        let nose_at = (aside, chin + 0.3 * tip);
        self.front_mouth(&mut part, (aside, chin), wide, nose_at.1 - 0.5 * nose);
        part.detail(Outline::ellipse(nose_at, (1.15 * nose, 0.85 * nose), 0.0), NOSE, 1.0);
        let glint =
            Outline::ellipse((aside - 0.1 * nose, nose_at.1 + 0.4 * nose), (0.4 * nose, 0.16 * nose), 0.0);
        part.detail(glint, WHITE, 0.5);
        let eye = 0.105 * r + 0.012;
        let apart = 0.44 * r;
        for side in [-1.0, 1.0] {
            let squeeze = 1.0 - 0.25 * (side * turn).max(0.0); // the farther eye is narrower
            self.eye(&mut part, (0.3 * aside + side * apart * squeeze, 0.14 * r), (eye * squeeze, eye));
        }

        let (mut parts, before) = self.front_ears(draws);
        parts.push(part);
        parts.extend(self.topknot((0.0, 1.35 * r), draws));
        parts.extend(before);
        parts
    }

    /// Draws tongue and lips of a muzzle with its middle at `middle`; `top` is where the lips meet the nose.
    fn front_mouth(&self, part: &mut Part, middle: Point, wide: f32, top: f32) {
        let head = &self.dog.build.head;
        let ((aside, chin), tip) = (middle, head.depth.1);
        let mouth_y = chin - 0.3 * tip - 0.3 * head.lips;
        if self.dog.pose.panting {
            let tongue = [(aside, mouth_y, 0.45 * wide), (aside, mouth_y - 1.1 * tip, 0.34 * wide)];
            part.detail(Outline::limb(&tongue), TONGUE, 1.0);
        }
        for side in [-1.0, 1.0] {
            let lip = [
                (aside, top, 0.008),
                (aside + 0.03 * side * wide, mouth_y + 0.1 * tip, 0.01),
                (aside + 0.45 * side * wide, mouth_y - 0.05 * tip, 0.009),
                (aside + 0.85 * side * wide, mouth_y + 0.12 * tip, 0.005),
            ];
            part.detail(Outline::limb(&lip), BLACK, 0.75);
        }
    }
}
