//! Draws things other than dogs: cats, people, cars, houses, trees, bicycles, boats, plants.
//!
//! Each stands on y = 0 and is about 1 high or long; framing and light are those of the dogs.

use data::draw::Stream;

use crate::colour::{BLACK, BLUE_GREY, BROWN, CREAM, EYE, FAWN, GREY, RED, Rgb, WHITE};
use crate::figure::{Figure, Hair, Part};
use crate::shapes::{Outline, Point, between};

/// Draws a random one of them.
pub(crate) fn draw(draws: &mut Stream) -> Figure {
    let all: [fn(&mut Stream) -> Figure; 8] = [cat, person, car, house, tree, bicycle, boat, plant];
    draws.pick(&all)(draws)
}

const PAINTS: [Rgb; 8] = [
    Rgb(164, 52, 46),
    Rgb(52, 84, 140),
    Rgb(70, 112, 80),
    Rgb(196, 164, 72),
    Rgb(200, 198, 194),
    Rgb(66, 66, 72),
    Rgb(140, 96, 124),
    Rgb(190, 130, 84),
];

fn paint(draws: &mut Stream) -> Rgb {
    draws.pick(&PAINTS).varied(draws)
}

fn cat(draws: &mut Stream) -> Figure {
    let coats = [BLACK, GREY, Rgb(196, 140, 84), WHITE, BLUE_GREY, FAWN, CREAM, BROWN];
    let coat = draws.pick(&coats).varied(draws);
    let striped = draws.chance(0.5);
    let hair = Some(Hair { length: 0.05, flow: -1.2, contrast: 0.14, curly: false });
    let sheet = |outline: Outline, roundness: f32| Part { hair, ..Part::solid(outline, coat, roundness) };
    let sway = between(draws, -0.06, 0.06);

    let (mut body, head_at, mut parts) = if draws.chance(0.6) {
        // Sitting upright, the tail around the feet.
        let tail = [(-0.2, 0.08, 0.05), (-0.45, 0.07, 0.045), (-0.4, 0.3 + sway, 0.04), (-0.5, 0.42, 0.03)];
        let body = Outline::blob(&[
            (-0.02, 0.78),
            (-0.2, 0.55),
            (-0.32, 0.22),
            (-0.26, 0.0),
            (0.2, 0.0),
            (0.24, 0.3),
            (0.18, 0.62),
        ]);
        let leg = |x: f32| Outline::limb(&[(x, 0.42, 0.08), (x + 0.01, 0.2, 0.05), (x + 0.02, 0.05, 0.05)]);
        (
            sheet(body, 0.12).with(leg(0.16), coat),
            (0.08, 0.92),
            vec![sheet(Outline::limb(&tail), 0.04), sheet(leg(0.06), 0.04)],
        )
    } else {
        // Standing, slender, the tail up.
        let tail = [(-0.5, 0.52, 0.045), (-0.66, 0.68, 0.04), (-0.7 + sway, 0.95, 0.035), (-0.62, 1.1, 0.03)];
        let body = Outline::blob(&[
            (0.35, 0.68),
            (0.0, 0.64),
            (-0.4, 0.66),
            (-0.54, 0.5),
            (-0.4, 0.34),
            (0.0, 0.32),
            (0.36, 0.36),
            (0.46, 0.55),
        ]);
        let leg = |x: f32, swing: f32| {
            Outline::limb(&[(x, 0.5, 0.1), (x + 0.5 * swing, 0.24, 0.048), (x + swing, 0.03, 0.045)])
        };
        let far = |x, swing| Part { shade: 0.3, ..sheet(leg(x, swing), 0.04) };
        let body = sheet(body, 0.11).with(leg(0.32, 0.06), coat).with(leg(-0.4, -0.05), coat);
        (body, (0.5, 0.82), vec![sheet(Outline::limb(&tail), 0.03), far(0.38, -0.08), far(-0.34, 0.08)])
    };
    if striped {
        for i in 0..8 {
            let x = -0.5 + 0.13 * i as f32;
            let stripe = [(x, 0.9, 0.02), (x + 0.03, 0.55, 0.018), (x, 0.3, 0.006)];
            body.mark(Outline::limb(&stripe), coat.lit(0.5), 0.6);
        }
    }
    parts.push(body);
    parts.extend(cat_face(coat, head_at, hair, draws));
    Figure { parts }
}

fn cat_face(coat: Rgb, at: Point, hair: Option<Hair>, draws: &mut Stream) -> Vec<Part> {
    let r = between(draws, 0.19, 0.23);
    let place = |outline: Outline| outline.map(|(x, y)| (at.0 + r * x, at.1 + r * y));
    let ear = |side: f32| {
        let outline = Outline::polygon(&[(0.25 * side, 0.8), (0.85 * side, 1.5), (1.02 * side, 0.35)]);
        let inner = Outline::polygon(&[(0.42 * side, 0.8), (0.8 * side, 1.3), (0.9 * side, 0.5)]);
        let mut part = Part { hair, ..Part::solid(place(outline), coat.lit(0.92), 0.02) };
        part.mark(place(inner), Rgb(176, 122, 112), 0.7);
        part
    };
    let mut face =
        Part { hair, ..Part::solid(place(Outline::ellipse((0.0, 0.0), (1.08, 0.92), 0.0)), coat, 0.1) };
    face.mark(place(Outline::ellipse((0.0, -0.42), (0.5, 0.36), 0.0)), WHITE, 0.35);
    let irises = [Rgb(172, 170, 70), Rgb(110, 150, 90), Rgb(120, 160, 190), Rgb(190, 140, 60)];
    let iris = *draws.pick(&irises);
    for side in [-1.0, 1.0] {
        face.detail(place(Outline::ellipse((0.45 * side, 0.12), (0.24, 0.2), 0.25 * side)), iris, 1.0);
        face.detail(place(Outline::ellipse((0.45 * side, 0.12), (0.07, 0.18), 0.0)), EYE, 1.0);
        for whisker in [-0.12, 0.0, 0.12] {
            let line =
                [(0.3 * side, -0.4 + 0.5 * whisker, 0.018), (1.25 * side, -0.42 + 2.0 * whisker, 0.006)];
            face.detail(place(Outline::limb(&line)), WHITE, 0.7);
        }
        let mouth = [(0.0, -0.42, 0.025), (0.1 * side, -0.52, 0.025), (0.26 * side, -0.48, 0.015)];
        face.detail(place(Outline::limb(&mouth)), BLACK, 0.7);
    }
    face.detail(
        place(Outline::polygon(&[(-0.11, -0.26), (0.11, -0.26), (0.0, -0.4)])),
        Rgb(190, 120, 118),
        1.0,
    );
    vec![ear(-1.0), ear(1.0), face]
}

/// Draws a person from head to feet.
pub(crate) fn person(draws: &mut Stream) -> Figure {
    let skins = [Rgb(232, 194, 166), Rgb(206, 158, 122), Rgb(150, 104, 74), Rgb(100, 68, 50)];
    let hairs = [Rgb(50, 38, 32), Rgb(110, 76, 48), Rgb(196, 160, 100), Rgb(150, 146, 142), Rgb(140, 66, 40)];
    let (skin, hair) = (draws.pick(&skins).varied(draws), draws.pick(&hairs).varied(draws));
    let (shirt, trousers) = (paint(draws), paint(draws).lit(0.8));
    let stride = between(draws, 0.02, 0.14);
    let limb = |nodes: &[_], colour| Part::solid(Outline::limb(nodes), colour, 0.03);
    let leg = |swing: f32| {
        let foot = Outline::ellipse((swing + 0.03, 0.025), (0.06, 0.028), 0.0);
        limb(&[(0.0, 0.5, 0.075), (0.4 * swing, 0.27, 0.055), (swing, 0.05, 0.04)], trousers)
            .with(foot, Rgb(50, 44, 42))
    };
    let raised = between(draws, -0.1, 0.3);
    let arm = |side: f32| {
        let hand = (0.2 * side + 0.05, 0.46 + raised * (side + 1.0) * 0.5);
        limb(
            &[(0.11 * side, 0.78, 0.05), (0.19 * side, 0.62 + 0.3 * raised, 0.042), (hand.0, hand.1, 0.03)],
            shirt,
        )
        .with(Outline::circle(hand, 0.035), skin)
    };
    let trunk = Outline::blob(&[
        (-0.13, 0.8),
        (-0.12, 0.62),
        (-0.1, 0.46),
        (0.1, 0.46),
        (0.12, 0.62),
        (0.13, 0.8),
        (0.0, 0.84),
    ]);
    let mut head = Part::solid(Outline::ellipse((0.0, 0.95), (0.082, 0.1), 0.0), skin, 0.04)
        .with(Outline::limb(&[(0.0, 0.82, 0.035), (0.0, 0.9, 0.035)]), skin);
    let fringe = Outline::blob(&[
        (-0.09, 0.96),
        (-0.08, 1.05),
        (0.0, 1.08),
        (0.08, 1.05),
        (0.09, 0.96),
        (0.05, 1.02),
        (-0.04, 1.02),
    ]);
    head.detail(fringe, hair, 1.0);
    for side in [-1.0, 1.0] {
        head.detail(Outline::ellipse((0.03 * side, 0.965), (0.013, 0.01), 0.0), EYE, 1.0);
        if draws.chance(0.3) {
            head.detail(Outline::limb(&[(0.08 * side, 1.02, 0.022), (0.092 * side, 0.86, 0.026)]), hair, 1.0);
        }
    }
    head.detail(
        Outline::limb(&[(-0.025, 0.905, 0.006), (0.0, 0.898, 0.008), (0.025, 0.905, 0.006)]),
        Rgb(150, 70, 66),
        1.0,
    );
    let trunk = Part::solid(trunk, shirt, 0.07);
    Figure { parts: vec![leg(-stride), leg(stride), arm(-1.0), trunk, arm(1.0), head] }
}

fn car(draws: &mut Stream) -> Figure {
    let paint = paint(draws);
    let roof = between(draws, 0.5, 0.62);
    let rear = between(draws, -0.72, -0.5);
    let body = Outline::blob(&[
        (-0.9, 0.16),
        (-0.93, 0.34),
        (-0.6, 0.4),
        (0.4, 0.4),
        (0.88, 0.34),
        (0.95, 0.2),
        (0.85, 0.13),
        (0.0, 0.11),
    ]);
    let cabin = Outline::blob(&[(rear, 0.38), (rear + 0.16, roof), (0.1, roof + 0.01), (0.46, 0.38)]);
    let mut hull = Part::solid(body, paint, 0.09).with(cabin.clone(), paint);
    let glass = |low: f32, high: f32| {
        Outline::polygon(&[(low, 0.4), (low + 0.05, roof - 0.05), (high - 0.08, roof - 0.05), (high, 0.4)])
    };
    hull.mark(glass(rear + 0.1, -0.1), Rgb(120, 140, 152), 1.0);
    hull.mark(glass(-0.07, 0.36), Rgb(120, 140, 152), 1.0);
    hull.detail(Outline::limb(&[(-0.1, 0.38, 0.006), (-0.1, 0.16, 0.006)]), BLACK, 0.6);
    hull.detail(Outline::limb(&[(0.02, 0.33, 0.012), (0.1, 0.33, 0.012)]), BLACK, 0.6);
    hull.detail(Outline::ellipse((0.88, 0.29), (0.05, 0.035), 0.0), Rgb(240, 230, 180), 1.0);
    hull.detail(Outline::ellipse((-0.9, 0.3), (0.03, 0.04), 0.0), Rgb(190, 50, 40), 1.0);
    let wheel = |x: f32| {
        Part::solid(Outline::circle((x, 0.135), 0.135), Rgb(44, 42, 44), 0.03)
            .with(Outline::circle((x, 0.135), 0.075), Rgb(170, 172, 176))
            .with(Outline::circle((x, 0.135), 0.03), Rgb(90, 90, 96))
    };
    Figure { parts: vec![hull, wheel(-0.55), wheel(0.56)] }
}

fn house(draws: &mut Stream) -> Figure {
    let (wall, tiles) = (
        draws.pick(&[CREAM, WHITE, RED, FAWN, GREY]).varied(draws),
        draws.pick(&[RED, BROWN, BLUE_GREY]).varied(draws),
    );
    let half = between(draws, 0.42, 0.6);
    let eaves = between(draws, 0.42, 0.6);
    let mut front = Part::solid(Outline::rectangle((-half, 0.0), (half, eaves)), wall, 0.02);
    let window = |x: f32, y: f32, part: &mut Part| {
        part.mark(Outline::rectangle((x - 0.085, y - 0.085), (x + 0.085, y + 0.085)), WHITE, 1.0);
        part.mark(Outline::rectangle((x - 0.07, y - 0.07), (x - 0.006, y + 0.07)), Rgb(96, 120, 140), 1.0);
        part.mark(Outline::rectangle((x + 0.006, y - 0.07), (x + 0.07, y + 0.07)), Rgb(96, 120, 140), 1.0);
    };
    for x in [-0.6, 0.6] {
        window(x * half, 0.62 * eaves, &mut front);
    }
    let door = paint(draws);
    front.mark(Outline::rectangle((-0.08, 0.0), (0.08, 0.27)), door, 1.0);
    let peak = eaves + between(draws, 0.28, 0.42);
    let roof = Outline::polygon(&[
        (-half - 0.08, eaves),
        (half + 0.08, eaves),
        (half * 0.45, peak),
        (-half * 0.45, peak),
    ]);
    let mut roof = Part::solid(roof, tiles, 0.02);
    for row in 1..6 {
        let y = eaves + (peak - eaves) * row as f32 / 6.0;
        roof.mark(Outline::rectangle((-1.0, y), (1.0, y + 0.008)), BLACK, 0.35);
    }
    let x = half * 0.3;
    let chimney = Part::solid(Outline::rectangle((x, eaves), (x + 0.1, peak + 0.12)), tiles.lit(0.8), 0.02);
    Figure { parts: vec![chimney, front, roof] }
}

fn tree(draws: &mut Stream) -> Figure {
    let leaves =
        draws.pick(&[Rgb(84, 116, 62), Rgb(116, 130, 62), Rgb(176, 116, 54), Rgb(70, 98, 72)]).varied(draws);
    let hair = Some(Hair { length: 0.07, flow: 0.6, contrast: 0.3, curly: true });
    let lean = between(draws, -0.06, 0.06);
    let trunk = Part::solid(
        Outline::limb(&[(0.0, 0.0, 0.09), (0.02 + lean, 0.3, 0.06), (lean, 0.6, 0.05)]),
        BROWN.varied(draws),
        0.04,
    );
    let mut parts = vec![trunk];
    if draws.chance(0.35) {
        for tier in 0..4 {
            let low = 0.16 + 0.2 * tier as f32;
            let half = 0.42 - 0.08 * tier as f32;
            let outline = Outline::polygon(&[(-half, low), (half, low), (0.02, low + 0.38)]);
            let needles = outline.tufts(0.06, (0.0, -0.5), draws);
            parts.push(Part { hair, ..Part::solid(outline, leaves, 0.06) }.with(needles, leaves));
        }
    } else {
        let mut crown = Part { hair, roundness: 0.1, ..Part::default() };
        for _ in 0..7 {
            let centre = (lean + between(draws, -0.26, 0.26), between(draws, 0.56, 0.92));
            let cluster = Outline::patch(centre, (0.24, 0.2), draws);
            crown = crown.with(cluster.tufts(0.06, (0.0, 0.0), draws), leaves).with(cluster, leaves);
        }
        parts.push(crown);
    }
    Figure { parts }
}

fn bicycle(draws: &mut Stream) -> Figure {
    let frame = paint(draws);
    let mut wheels = Part::default();
    for x in [-0.48, 0.48] {
        for (k, spoke) in [0.0f32, 0.63, 1.26, 1.88, 2.51].iter().enumerate() {
            let (dx, dy) = (0.27 * libm::cosf(*spoke), 0.27 * libm::sinf(*spoke));
            let width = if k == 0 { 0.008 } else { 0.006 };
            wheels = wheels.with(
                Outline::limb(&[(x - dx, 0.3 - dy, width), (x + dx, 0.3 + dy, width)]),
                Rgb(150, 150, 154),
            );
        }
        let rim: Vec<_> = (0..=16)
            .map(|k| {
                let angle = std::f32::consts::TAU * k as f32 / 16.0;
                (x + 0.28 * libm::cosf(angle), 0.3 + 0.28 * libm::sinf(angle), 0.024)
            })
            .collect();
        wheels = wheels.with(Outline::limb(&rim), Rgb(52, 50, 52));
    }
    let tube = |a: Point, b: Point| Outline::limb(&[(a.0, a.1, 0.024), (b.0, b.1, 0.024)]);
    let (seat, crank, fork, bars) = ((-0.2, 0.68), (-0.06, 0.3), (0.34, 0.66), (0.3, 0.82));
    let frame = Part::solid(tube(seat, crank), frame, 0.02)
        .with(tube(crank, fork), frame)
        .with(tube((-0.18, 0.62), fork), frame)
        .with(tube(crank, (-0.48, 0.3)), frame)
        .with(tube((-0.18, 0.6), (-0.48, 0.3)), frame)
        .with(tube(bars, (0.48, 0.3)), frame)
        .with(Outline::limb(&[(-0.32, 0.72, 0.03), (-0.1, 0.71, 0.022)]), BLACK)
        .with(Outline::limb(&[(0.2, 0.86, 0.02), (0.3, 0.82, 0.02), (0.4, 0.84, 0.02)]), BLACK)
        .with(Outline::circle(crank, 0.06), Rgb(110, 110, 116));
    Figure { parts: vec![wheels, frame] }
}

fn boat(draws: &mut Stream) -> Figure {
    let hull = Outline::polygon(&[(-0.62, 0.24), (0.72, 0.28), (0.48, 0.0), (-0.46, 0.0)]);
    let colour = paint(draws);
    let mut hull = Part::solid(hull, colour, 0.06);
    hull.mark(Outline::rectangle((-1.0, 0.19), (1.0, 0.3)), WHITE, 0.9);
    let mast = Part::solid(Outline::limb(&[(0.0, 0.24, 0.02), (0.0, 1.2, 0.014)]), BROWN, 0.01);
    let cloth = draws.pick(&[WHITE, CREAM, RED, BLUE_GREY]).varied(draws);
    let belly = between(draws, 0.02, 0.12);
    let main = Outline::blob(&[
        (-0.03, 0.36),
        (-0.03, 0.8),
        (-0.02, 1.18),
        (-0.3 - belly, 0.7),
        (-0.56, 0.36),
        (-0.3, 0.34),
    ]);
    let jib = Outline::blob(&[
        (0.05, 0.4),
        (0.04, 1.05),
        (0.06, 1.08),
        (0.34 + belly, 0.66),
        (0.58, 0.36),
        (0.3, 0.36),
    ]);
    Figure {
        parts: vec![mast, Part::solid(main, cloth, 0.06), Part::solid(jib, cloth.lit(0.94), 0.06), hull],
    }
}

fn plant(draws: &mut Stream) -> Figure {
    let clay = paint(draws);
    let leaf = draws.pick(&[Rgb(78, 116, 66), Rgb(100, 130, 70), Rgb(66, 100, 84)]).varied(draws);
    let mut parts = Vec::new();
    for i in 0..9 {
        let angle = 0.35 + 2.4 * (i as f32 + between(draws, -0.3, 0.3)) / 8.0;
        let reach = between(draws, 0.4, 0.62);
        let (dx, dy) = (reach * libm::cosf(angle), reach * libm::sinf(angle));
        let blade = [(0.0, 0.36, 0.015), (0.5 * dx, 0.4 + 0.65 * dy, 0.075), (dx, 0.4 + dy * 0.9, 0.008)];
        let mut part = Part::solid(Outline::limb(&blade), leaf.lit(between(draws, 0.8, 1.15)), 0.04);
        part.detail(
            Outline::limb(&[
                (0.0, 0.38, 0.006),
                (0.5 * dx, 0.4 + 0.65 * dy, 0.006),
                (dx, 0.4 + dy * 0.9, 0.003),
            ]),
            leaf.lit(1.3),
            0.8,
        );
        parts.push(part);
    }
    let pot = Outline::polygon(&[(-0.25, 0.38), (0.25, 0.38), (0.17, 0.0), (-0.17, 0.0)]);
    let rim = Outline::rectangle((-0.28, 0.34), (0.28, 0.42));
    parts.push(Part::solid(pot, clay, 0.09).with(rim, clay.lit(1.1)));
    Figure { parts }
}
