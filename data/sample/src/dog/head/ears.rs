//! Draws the ears.

use data::draw::Stream;

use super::Face;
use crate::builds::{Ear, Trim};
use crate::colour::Rgb;
use crate::figure::Part;
use crate::shapes::{Outline, Point, turned};

impl Face<'_> {
    fn ear(&self, outline: Outline, draws: &mut Stream) -> Part {
        let fur = &self.dog.build.fur;
        let curly = fur.trim == Trim::Pompons;
        let tufts = (fur.fringe >= 0.02).then(|| {
            let length = if curly { fur.fringe } else { 0.6 * fur.fringe };
            outline.tufts(length, (-0.1, if curly { -0.2 } else { 0.1 }), draws)
        });
        let part = Part { hair: self.hair(-1.5), ..Part::solid(outline, self.ears, 0.03) };
        match tufts {
            Some(tufts) => part.with(tufts, self.ears),
            None => part,
        }
    }

    /// Draws the far ear and the near one.
    pub(super) fn profile_ears(&self, draws: &mut Stream) -> (Part, Part) {
        let r = self.r;
        let near_ear = self.profile_ear(0.0);
        let far_ear = Part { shade: 0.25, ..self.ear(self.profile_ear(0.34 * r), draws) };
        let mut near = self.ear(near_ear.clone(), draws);
        if matches!(self.dog.build.head.ear, Ear::Erect | Ear::Flared) {
            let (x, y) = (-0.12 * r, 0.62 * r);
            let inside = near_ear.map(|p| (x + 0.06 * r + 0.52 * (p.0 - x), y + 0.68 * (p.1 - y)));
            near.mark(inside, Rgb(150, 98, 90), 0.55);
        }
        (far_ear, near)
    }

    fn profile_ear(&self, ahead: f32) -> Outline {
        let (r, head) = (self.r, &self.dog.build.head);
        let (length, w) = head.ear_size;
        let points: Vec<Point> = match head.ear {
            Ear::Erect | Ear::Flared => {
                let x = -0.14 * r;
                let lean = if head.ear == Ear::Flared { 0.32 } else { 0.05 };
                [
                    (x - 0.5 * w, 0.42 * r),
                    (x - 0.52 * w, 0.7 * r + 0.4 * length),
                    (x - 0.14 * w, 0.7 * r + 0.95 * length),
                    (x - 0.04 * w, 0.7 * r + 0.96 * length),
                    (x + 0.4 * w, 0.7 * r + 0.42 * length),
                    (x + 0.5 * w, 0.55 * r),
                ]
                .map(|p| turned(p, (x, 0.6 * r), lean))
                .to_vec()
            }
            Ear::Drop => {
                let x = -0.4 * r;
                vec![
                    (x + 0.3 * w, 0.66 * r),
                    (x - 0.35 * w, 0.66 * r),
                    (x - 0.6 * w, 0.5 * r - 0.42 * length),
                    (x - 0.3 * w, 0.6 * r - 0.97 * length),
                    (x + 0.15 * w, 0.6 * r - 0.97 * length),
                    (x + 0.45 * w, 0.5 * r - 0.45 * length),
                ]
            }
            Ear::Button => {
                let x = -0.25 * r;
                vec![
                    (x - 0.45 * w, 0.72 * r),
                    (x - 0.1 * w, 1.02 * r),
                    (x + 0.5 * w, 0.9 * r),
                    (x + 0.5 * w, 0.86 * r - 0.75 * length),
                    (x + 0.36 * w, 0.86 * r - length),
                    (x - 0.1 * w, 0.7 * r - 0.4 * length),
                ]
            }
            Ear::Rose => vec![
                (0.05 * r, 0.72 * r),
                (-0.45 * r, 1.02 * r),
                (-0.5 * r - length, 0.62 * r),
                (-0.5 * r - 0.4 * length, 0.62 * r - w),
                (-0.3 * r, 0.35 * r),
            ],
        };
        Outline::blob(&points.iter().map(|p| (p.0 + ahead, p.1)).collect::<Vec<_>>())
    }

    /// Draws the ears behind the skull and the ears in front of it.
    pub(super) fn front_ears(&self, draws: &mut Stream) -> (Vec<Part>, Vec<Part>) {
        let r = self.r;
        let (mut behind, mut before) = (Vec::new(), Vec::new());
        for side in [-1.0, 1.0] {
            let outline = self.front_ear(side);
            let mut ear = self.ear(outline.clone(), draws);
            if matches!(self.dog.build.head.ear, Ear::Erect | Ear::Flared) {
                let (x, y) = (side * 0.6 * r, 0.6 * r);
                let inside = outline.map(|p| (x + 0.58 * (p.0 - x), y + 0.7 * (p.1 - y)));
                ear.mark(inside, Rgb(158, 104, 96), 0.6);
                behind.push(ear);
            } else {
                before.push(ear);
            }
        }
        (behind, before)
    }

    fn front_ear(&self, side: f32) -> Outline {
        let (r, head) = (self.r, &self.dog.build.head);
        let (length, w) = head.ear_size;
        let points: Vec<Point> = match head.ear {
            Ear::Erect | Ear::Flared => {
                let x = 0.58 * r;
                let lean = if head.ear == Ear::Flared { -0.55 } else { -0.08 };
                [
                    (x - 0.52 * w, 0.66 * r),
                    (x - 0.3 * w, 0.72 * r + 0.55 * length),
                    (x + 0.06 * w, 0.72 * r + 0.97 * length),
                    (x + 0.16 * w, 0.72 * r + 0.96 * length),
                    (x + 0.48 * w, 0.66 * r + 0.48 * length),
                    (x + 0.52 * w, 0.34 * r),
                ]
                .map(|p| turned(p, (x, 0.6 * r), lean))
                .to_vec()
            }
            Ear::Drop => vec![
                (0.52 * r, 0.84 * r),
                (0.98 * r, 0.66 * r),
                (0.92 * r + 0.75 * w, 0.35 * r - 0.4 * length),
                (0.95 * r + 0.45 * w, 0.6 * r - 0.97 * length),
                (0.95 * r + 0.05 * w, 0.6 * r - 0.93 * length),
                (0.78 * r, 0.3 * r - 0.25 * length),
            ],
            Ear::Button => vec![
                (0.38 * r, 0.92 * r),
                (0.8 * r, 0.98 * r),
                (0.95 * r + 0.3 * w, 0.7 * r),
                (0.95 * r + 0.1 * w, 0.8 * r - length),
                (0.82 * r, 0.78 * r - 0.9 * length),
                (0.55 * r, 0.62 * r),
            ],
            Ear::Rose => vec![
                (0.42 * r, 0.86 * r),
                (0.95 * r, 1.05 * r),
                (0.85 * r + length, 0.72 * r),
                (0.85 * r + 0.4 * length, 0.72 * r - w),
                (0.86 * r, 0.4 * r),
            ],
        };
        Outline::blob(&points.iter().map(|p| (p.0 * side, p.1)).collect::<Vec<_>>())
    }
}
