//! Draws a dog: trunk, legs, tail and coat around a skeleton; the head has its own module.

use data::draw::Stream;

use crate::breeds::Painted;
use crate::builds::{Build, Tail, Trim};
use crate::coats::{Coat, Mark};
use crate::colour::{BLACK, Rgb};
use crate::figure::{Figure, Hair, Part};
use crate::pose::{Leg, Pose, Skeleton};
use crate::shapes::{Outline, Point, between, towards};

mod head;

/// Draws a dog of a breed, in a random coat and pose, facing right.
pub(crate) fn draw(painted: &Painted, draws: &mut Stream) -> Figure {
    let coat = draws.pick(painted.coats);
    let dog = Dog {
        build: individual(&painted.build, draws),
        base: coat.base.varied(draws),
        coat,
        pose: Pose::draw(draws),
    };
    let skeleton = Skeleton::new(&dog.build, &dog.pose);
    let collar = draws.chance(0.35).then(|| *draws.pick(&COLLARS));

    let tail = dog.tail(&skeleton, draws);
    let over_the_back = matches!(dog.build.tail, Tail::Curl | Tail::Fan);
    let mut parts = Vec::new();
    if !over_the_back {
        parts.push(tail.clone());
    }
    for leg in [&skeleton.far_hind, &skeleton.far_fore] {
        // Farther feet stand a little higher in the picture.
        let far = dog.leg(leg, draws).map(|(x, y)| (x, y + 0.022));
        parts.push(Part { shade: 0.3, fade: None, ..far });
    }
    parts.push(dog.trunk(&skeleton, collar, draws));
    if over_the_back {
        parts.push(tail);
    }
    parts.push(dog.leg(&skeleton.near_hind, draws));
    parts.push(dog.leg(&skeleton.near_fore, draws));
    parts.extend(head::draw(&dog, skeleton.skull, draws));
    Figure { parts }
}

/// The properties of one dog.
pub(crate) struct Dog<'a> {
    pub(crate) build: Build,
    pub(crate) coat: &'a Coat,
    pub(crate) base: Rgb,
    pub(crate) pose: Pose,
}

const COLLARS: [Rgb; 6] = [
    Rgb(168, 42, 40),
    Rgb(40, 70, 140),
    Rgb(46, 110, 70),
    Rgb(60, 52, 48),
    Rgb(190, 150, 50),
    Rgb(120, 60, 130),
];

/// Varies the build of a breed for one dog.
fn individual(build: &Build, draws: &mut Stream) -> Build {
    let mut near = |value: f32| value * between(draws, 0.94, 1.06);
    let mut one = *build;
    one.length = near(one.length);
    one.leg = near(one.leg);
    one.bone = near(one.bone);
    one.muscle = near(one.muscle);
    one.neck = near(one.neck);
    one.neck_girth = near(one.neck_girth);
    one.head.skull = near(one.head.skull);
    one.head.muzzle = near(one.head.muzzle);
    one.head.ear_size = (near(one.head.ear_size.0), near(one.head.ear_size.1));
    one.fur.depth = near(one.fur.depth);
    one
}

impl Dog<'_> {
    /// Returns the hair for a part with the direction `flow`.
    pub(crate) fn hair(&self, flow: f32) -> Hair {
        let fur = &self.build.fur;
        let curly = fur.trim == Trim::Pompons;
        Hair {
            length: if curly { 0.055 } else { (0.05 + 0.6 * fur.fringe).min(0.11) },
            flow,
            // Black strokes are invisible on black; light ones are visible.
            contrast: if self.base.luma() < 80.0 { 0.2 } else { 0.13 } * if curly { 1.7 } else { 1.0 },
            curly,
        }
    }

    /// Adds fur at the edge of `outline`; `share` is relative to the length of the breed's fur.
    fn fringe(&self, part: Part, outline: &Outline, share: f32, lean: Point, draws: &mut Stream) -> Part {
        let length = self.build.fur.fringe;
        if length < 0.02 { part } else { part.with(outline.tufts(share * length, lean, draws), self.base) }
    }

    fn trunk(&self, bones: &Skeleton, collar: Option<Rgb>, draws: &mut Stream) -> Part {
        let fur = &self.build.fur;
        let neck = Outline::limb(&bones.neck);
        let torso = bones.torso.clone();
        let shaved = fur.trim == Trim::Pompons;
        let depth = if shaved { 0.0 } else { fur.depth };
        let roundness = 0.5 * (1.0 - self.build.leg).min(0.5) * 0.6;
        let mut part = Part {
            hair: Some(Hair { curly: false, ..self.hair(std::f32::consts::PI + 0.3) }),
            ..Part::solid(torso.grown(depth), self.base, roundness)
        }
        .with(neck.grown(depth * 0.9), self.base);
        if shaved {
            part = self.mane(part, bones, draws);
        } else {
            part = self.fringe(part, &torso.grown(depth * 0.9), 1.0, (-0.45, -0.4), draws);
            part = self.fringe(part, &neck.grown(depth * 0.8), 1.0, (-0.3, -0.55), draws);
            part = self.feathers(part, bones, draws);
        }
        for &mark in self.coat.marks {
            self.mark_trunk(&mut part, mark, bones, draws);
        }
        if let Some(colour) = collar {
            let (a, b) = (bones.neck[1], bones.neck[2]);
            let at = towards((a.0, a.1), (b.0, b.1), 0.35);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let long = libm::hypotf(dx, dy).max(1e-3);
            let across = (-dy / long * 0.6, dx / long * 0.6);
            let band = [
                (at.0 + across.0, at.1 + across.1, 0.024),
                (at.0 + 0.06 * dx, at.1 - 0.02, 0.024),
                (at.0 - across.0, at.1 - across.1, 0.024),
            ];
            part.mark(Outline::limb(&band), colour, 1.0);
        }
        part
    }

    /// Adds long hair below the chest and between the forelegs.
    fn feathers(&self, part: Part, bones: &Skeleton, draws: &mut Stream) -> Part {
        let length = self.build.fur.feathers;
        if length < 0.02 {
            return part;
        }
        let half = self.build.length / 2.0;
        let line: Vec<Point> =
            [(half - 0.03, 0.72), (half - 0.08, 0.3), (half - 0.3, 0.02), (0.0, 0.1), (-0.2, 0.2)]
                .iter()
                .map(|&(x, share)| (x, self.build.leg + share * (1.0 - self.build.leg)))
                .collect();
        let nodes: Vec<_> = line
            .iter()
            .map(|&p| {
                let (x, y) = bones.placed(p);
                (x, y.max(length * 0.5), 0.03)
            })
            .collect();
        part.with(Outline::limb(&nodes).tufts(length, (-0.1, -0.75), draws), self.base)
    }

    /// Adds a poodle's mane: curls in front of the last rib; the loin behind it is shaved.
    fn mane(&self, part: Part, bones: &Skeleton, draws: &mut Stream) -> Part {
        let (half, leg) = (self.build.length / 2.0, self.build.leg);
        let chest = bones.placed((half - 0.27, leg + 0.55 * (1.0 - leg)));
        let rump = bones.placed((-half + 0.14, leg + 0.68 * (1.0 - leg)));
        let mut mane = vec![
            Outline::circle(chest, 0.315),
            Outline::circle(bones.placed((half - 0.42, leg + 0.62 * (1.0 - leg))), 0.25),
            Outline::circle(rump, 0.17),
        ];
        for &(x, y, r) in &bones.neck {
            mane.push(Outline::circle((x, y), r + 0.06));
        }
        mane.into_iter().fold(part, |part, ball| {
            let curls = ball.tufts(self.build.fur.fringe, (0.0, 0.0), draws);
            part.with(ball, self.base).with(curls, self.base)
        })
    }

    fn mark_trunk(&self, part: &mut Part, mark: Mark, bones: &Skeleton, draws: &mut Stream) {
        let (half, leg) = (self.build.length / 2.0, self.build.leg);
        let depth = 1.0 - leg;
        let height = |share: f32| leg + share * depth;
        let place = |outline: Outline| outline.map(|p| bones.placed(p));
        match mark {
            Mark::Belly(colour) => {
                let low = Outline::ellipse((0.0, height(-0.12)), (half * 0.95, depth * 0.36), 0.0);
                part.mark(place(low), colour, 0.75);
            }
            Mark::Bib(colour) => {
                let chest = Outline::patch((half - 0.02, height(0.42)), (0.17, depth * 0.5), draws);
                part.mark(place(chest), colour, 0.95);
                let (x, y, r) = bones.neck[1];
                part.mark(Outline::ellipse((x + r, y - 0.05), (r * 0.8, r * 1.2), 0.4), colour, 0.9);
            }
            Mark::Saddle(colour) => {
                let cloth = [
                    (half - 0.1, 1.25),
                    (-half - 0.1, 1.25),
                    (-half - 0.05, height(0.62)),
                    (-half * 0.5, height(between(draws, 0.4, 0.6))),
                    (0.0, height(between(draws, 0.3, 0.5))),
                    (half - 0.4 * depth, height(between(draws, 0.4, 0.6))),
                ];
                part.mark(place(Outline::blob(&cloth)), colour, 0.92);
            }
            Mark::Patches(colour) => {
                let n = 2 + draws.below(2);
                for i in 0..n {
                    let x = -half + self.build.length * (i as f32 + between(draws, 0.2, 0.8)) / n as f32;
                    let radii = (between(draws, 0.14, 0.26), between(draws, 0.16, 0.32) * depth / 0.5);
                    let at = (x, height(between(draws, 0.55, 0.95)));
                    part.mark(place(Outline::patch(at, radii, draws)), colour, 0.95);
                }
            }
            Mark::Spots(colour) => {
                for _ in 0..14 {
                    let at = (between(draws, -half, half), height(between(draws, 0.0, 1.0)));
                    let radius = between(draws, 0.03, 0.085);
                    part.mark(place(Outline::patch(at, (radius, radius), draws)), colour, 0.95);
                }
            }
            Mark::Brindle(colour) => self.stripe_trunk(part, colour, bones, draws),
            Mark::Blaze(_)
            | Mark::Ears(_)
            | Mark::Head(_)
            | Mark::Mask(_)
            | Mark::Socks(_)
            | Mark::TailTip(_) => {}
        }
    }

    fn stripe_trunk(&self, part: &mut Part, colour: Rgb, bones: &Skeleton, draws: &mut Stream) {
        let (half, leg) = (self.build.length / 2.0, self.build.leg);
        let height = |share: f32| leg + share * (1.0 - leg);
        for i in 0..26 {
            let x = -half + self.build.length * (i as f32 + between(draws, 0.1, 0.9)) / 26.0;
            let slant = between(draws, -0.06, 0.06);
            let stripe = [
                (x + slant, height(between(draws, 0.7, 1.1)), 0.006),
                (x, height(0.6), between(draws, 0.006, 0.013)),
                (x - slant, height(between(draws, 0.0, 0.5)), 0.003),
            ];
            part.mark(Outline::limb(&stripe).map(|p| bones.placed(p)), colour, 0.38);
        }
    }

    fn leg(&self, leg: &Leg, draws: &mut Stream) -> Part {
        let bone = self.build.bone;
        let fur = &self.build.fur;
        let paw = Outline::ellipse(leg.paw, (1.55 * bone, 0.85 * bone), 0.0);
        let limb = Outline::limb(&leg.joints);
        let mut part = Part {
            hair: Some(Hair { curly: false, ..self.hair(-1.4) }),
            fade: Some(leg.fade),
            ..Part::solid(limb.clone(), self.base, 0.9 * bone)
        };
        if fur.trim == Trim::Pompons {
            let (x, y, _) = leg.joints[leg.joints.len() - 2];
            let (fx, fy, _) = leg.joints[leg.joints.len() - 1];
            let ball = Outline::circle(towards((x, y), (fx, fy), 0.35), 0.105);
            let curls = ball.tufts(fur.fringe * 0.8, (0.0, 0.0), draws);
            part = part.with(ball, self.base).with(curls, self.base);
        } else {
            part = self.fringe(part, &limb, 0.55, (-0.35, -0.5), draws);
            if fur.feathers > 0.08 {
                let behind: Vec<_> = leg.joints[..leg.joints.len() - 1]
                    .iter()
                    .map(|&(x, y, r)| (x - 0.5 * r, y, 0.6 * r))
                    .collect();
                part = part
                    .with(Outline::limb(&behind).tufts(fur.feathers * 0.6, (-0.55, -0.5), draws), self.base);
            }
        }
        part = part.with(paw, self.base);
        self.mark_leg(&mut part, leg, draws);
        for toe in [0.35, 0.95] {
            let (x, y) = (leg.paw.0 + toe * bone, leg.paw.1);
            part.detail(
                Outline::limb(&[
                    (x, y - 0.55 * bone, 0.1 * bone),
                    (x - 0.15 * bone, y + 0.1 * bone, 0.06 * bone),
                ]),
                BLACK,
                0.45,
            );
        }
        part
    }

    fn mark_leg(&self, part: &mut Part, leg: &Leg, draws: &mut Stream) {
        let bone = self.build.bone;
        for &mark in self.coat.marks {
            match mark {
                Mark::Socks(colour) => {
                    let reach = 2.2 * bone + 0.13 * self.build.leg;
                    let foot = Outline::patch((leg.paw.0 - 0.4 * bone, leg.paw.1), (reach, reach), draws);
                    part.mark(foot, colour, 0.95);
                }
                Mark::Brindle(colour) => {
                    let (x, y, r) = leg.joints[0];
                    for i in 0..4 {
                        let dx = r * (i as f32 / 2.0 - 0.75);
                        let stripe = [(x + dx, y + r, 0.007), (x + dx + 0.02, y - 2.0 * r, 0.004)];
                        part.mark(Outline::limb(&stripe), colour, 0.38);
                    }
                }
                Mark::Spots(colour) => {
                    for &(x, y, r) in &leg.joints[..3] {
                        let at = (x + between(draws, -r, r), y + between(draws, -r, r));
                        let radius = between(draws, 0.02, 0.05);
                        part.mark(Outline::patch(at, (radius, radius), draws), colour, 0.95);
                    }
                }
                _ => {}
            }
        }
    }

    fn tail(&self, bones: &Skeleton, draws: &mut Stream) -> Part {
        let outline = Outline::limb(&bones.tail);
        let (x, y, _) = bones.tail[bones.tail.len() - 1];
        let mut part = Part { hair: Some(self.hair(2.6)), ..Part::solid(outline.clone(), self.base, 0.05) };
        match self.build.tail {
            Tail::Plume => {
                part = part.with(outline.tufts(0.13, (-0.35, -0.7), draws), self.base);
            }
            Tail::Hanging => {
                part = part.with(outline.tufts(0.07, (-0.3, -0.6), draws), self.base);
            }
            Tail::Fan => {
                part = part.with(outline.tufts(0.17, (0.0, 0.1), draws), self.base);
            }
            Tail::Ball => {
                let ball = Outline::circle((x, y + 0.06), 0.12);
                let curls = ball.tufts(self.build.fur.fringe, (0.0, 0.0), draws);
                part = part.with(ball, self.base).with(curls, self.base);
            }
            Tail::Bob | Tail::Curl | Tail::Flag | Tail::Whip => {
                part = self.fringe(part, &outline, 1.0, (-0.3, 0.0), draws);
            }
        }
        for &mark in self.coat.marks {
            match mark {
                Mark::TailTip(colour) => {
                    part.mark(Outline::patch((x, y), (0.1, 0.14), draws), colour, 0.95);
                }
                Mark::Saddle(colour) => {
                    let above = outline.map(|(x, y)| (x + 0.02, y + 0.05));
                    part.mark(above, colour, 0.8);
                }
                _ => {}
            }
        }
        if self.build.tail == Tail::Curl {
            // The line between the turns of the roll.
            let (inner, _) = bones.tail.split_at(bones.tail.len() - 1);
            let groove: Vec<_> =
                inner[1..].iter().map(|&(x, y, r)| (x + 0.45 * r, y - 0.35 * r, 0.007)).collect();
            part.detail(Outline::limb(&groove), BLACK, 0.3);
        }
        part
    }
}
