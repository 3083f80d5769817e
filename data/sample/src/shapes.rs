//! Outlines: smooth blobs, tapering limbs, ellipses, tufts of fur. Pure geometry, no pixels.
//!
//! Lengths are in the drawing's own unit (a dog's is its height at the withers), x to the right,
//! y up. Curves are converted to corners here, finer than a pixel at the painted sizes.

use std::f32::consts::{PI, TAU};

use data::draw::Stream;

/// x, y.
pub(crate) type Point = (f32, f32);
/// x, y, radius: a joint of a limb.
pub(crate) type Node = (f32, f32, f32);

/// Corners between two given points of a curve.
const STEPS: usize = 8;

/// Draws a uniform number in [`low`, `high`) as f32.
pub(crate) fn between(draws: &mut Stream, low: f32, high: f32) -> f32 {
    draws.uniform(f64::from(low), f64::from(high)) as f32
}

/// Closed contours that are filled as their union.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outline {
    /// The corners of each contour.
    pub(crate) contours: Vec<Vec<Point>>,
}

impl Outline {
    /// Returns one contour with straight sides.
    pub(crate) fn polygon(corners: &[Point]) -> Self {
        Self { contours: vec![counter_clockwise(corners.to_vec())] }
    }

    /// Returns a closed smooth curve through `points` (Catmull-Rom).
    pub(crate) fn blob(points: &[Point]) -> Self {
        let n = points.len();
        let mut corners = Vec::with_capacity(n * STEPS);
        for i in 0..n {
            let four = [points[(i + n - 1) % n], points[i], points[(i + 1) % n], points[(i + 2) % n]];
            for step in 0..STEPS {
                let t = step as f32 / STEPS as f32;
                corners.push((
                    catmull_rom(four.map(|p| p.0), t), //
                    catmull_rom(four.map(|p| p.1), t),
                ));
            }
        }
        Self { contours: vec![counter_clockwise(corners)] }
    }

    /// Returns a smooth limb along `nodes`, with the radius of each node and round ends.
    pub(crate) fn limb(nodes: &[Node]) -> Self {
        let spine = smooth_spine(nodes);
        let direction = |i: usize| {
            let (a, b) = (spine[i.saturating_sub(1)], spine[(i + 1).min(spine.len() - 1)]);
            let length = libm::hypotf(b.0 - a.0, b.1 - a.1).max(1e-6);
            ((b.0 - a.0) / length, (b.1 - a.1) / length)
        };
        let side = |i: usize, sign: f32| {
            let ((x, y, r), (dx, dy)) = (spine[i], direction(i));
            (x - sign * dy * r, y + sign * dx * r)
        };
        let cap = |i: usize, sign: f32| {
            let ((x, y, r), (dx, dy)) = (spine[i], direction(i));
            (1..STEPS).map(move |k| {
                let angle = PI * (k as f32 / STEPS as f32 - 0.5);
                let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
                (x + sign * r * (dx * cos - dy * sin), y + sign * r * (dy * cos + dx * sin))
            })
        };
        let last = spine.len() - 1;
        let mut corners: Vec<Point> = (0..=last).map(|i| side(i, -1.0)).collect();
        corners.extend(cap(last, 1.0));
        corners.extend((0..=last).rev().map(|i| side(i, 1.0)));
        corners.extend(cap(0, -1.0));
        Self { contours: vec![counter_clockwise(corners)] }
    }

    /// Returns an ellipse whose first radius is turned by `tilt` radians.
    pub(crate) fn ellipse(centre: Point, radii: Point, tilt: f32) -> Self {
        let (sin, cos) = (libm::sinf(tilt), libm::cosf(tilt));
        let corner = |k: usize| {
            let angle = TAU * k as f32 / 32.0;
            let (x, y) = (radii.0 * libm::cosf(angle), radii.1 * libm::sinf(angle));
            (centre.0 + x * cos - y * sin, centre.1 + x * sin + y * cos)
        };
        Self { contours: vec![(0..32).map(corner).collect()] }
    }

    /// Returns a circle.
    pub(crate) fn circle(centre: Point, radius: f32) -> Self {
        Self::ellipse(centre, (radius, radius), 0.0)
    }

    /// Returns a rectangle from its lower left to its upper right corner.
    pub(crate) fn rectangle(low: Point, high: Point) -> Self {
        Self::polygon(&[low, (high.0, low.1), high, (low.0, high.1)])
    }

    /// Returns a patch with an uneven edge around `centre`.
    pub(crate) fn patch(centre: Point, radii: Point, draws: &mut Stream) -> Self {
        let corners: Vec<Point> = (0..9)
            .map(|k| {
                let angle = TAU * k as f32 / 9.0;
                let reach = between(draws, 0.72, 1.2);
                (
                    centre.0 + radii.0 * reach * libm::cosf(angle),
                    centre.1 + radii.1 * reach * libm::sinf(angle),
                )
            })
            .collect();
        Self::blob(&corners)
    }

    /// Returns tufts of fur along the outline, about `length` long, bent towards `lean`.
    pub(crate) fn tufts(&self, length: f32, lean: Point, draws: &mut Stream) -> Self {
        let spacing = length * 0.34;
        let mut contours = Vec::new();
        for contour in &self.contours {
            let mut left = 0.0;
            for (i, &a) in contour.iter().enumerate() {
                let b = contour[(i + 1) % contour.len()];
                let side = libm::hypotf(b.0 - a.0, b.1 - a.1);
                if side < 1e-6 {
                    continue;
                }
                let (tx, ty) = ((b.0 - a.0) / side, (b.1 - a.1) / side);
                let (nx, ny) = (ty, -tx); // outwards: contours run counter-clockwise
                while left < side {
                    let (x, y) = (a.0 + tx * left, a.1 + ty * left);
                    let reach = length * between(draws, 0.55, 1.1);
                    let sway = between(draws, -0.35, 0.35);
                    let tip = (
                        x + reach * (0.55 * nx + lean.0 + sway * tx),
                        y + reach * (0.55 * ny + lean.1 + sway * ty),
                    );
                    let half = spacing * 0.95;
                    let (ix, iy) = (x - nx * half, y - ny * half);
                    contours.push(counter_clockwise(vec![
                        (ix - tx * half, iy - ty * half),
                        (ix + tx * half, iy + ty * half),
                        (x + tx * half * 0.8, y + ty * half * 0.8),
                        tip,
                        (x - tx * half * 0.8, y - ty * half * 0.8),
                    ]));
                    left += spacing * between(draws, 0.7, 1.3);
                }
                left -= side;
            }
        }
        Self { contours }
    }

    /// Returns the outline with every corner moved by `f`.
    pub(crate) fn map(&self, f: impl Fn(Point) -> Point) -> Self {
        Self { contours: self.contours.iter().map(|c| c.iter().map(|&p| f(p)).collect()).collect() }
    }

    /// Returns the outline enlarged by `margin`.
    pub(crate) fn grown(&self, margin: f32) -> Self {
        let grow = |contour: &Vec<Point>| {
            let n = contour.len();
            let corner = |i: usize| {
                let (a, b, p) = (contour[(i + n - 1) % n], contour[(i + 1) % n], contour[i]);
                let length = libm::hypotf(b.0 - a.0, b.1 - a.1).max(1e-6);
                (p.0 + margin * (b.1 - a.1) / length, p.1 - margin * (b.0 - a.0) / length)
            };
            (0..n).map(corner).collect()
        };
        Self { contours: self.contours.iter().map(grow).collect() }
    }
}

/// Returns `p` turned around `pivot` by `angle` radians, counter-clockwise.
pub(crate) fn turned(p: Point, pivot: Point, angle: f32) -> Point {
    let (sin, cos) = (libm::sinf(angle), libm::cosf(angle));
    let (x, y) = (p.0 - pivot.0, p.1 - pivot.1);
    (pivot.0 + x * cos - y * sin, pivot.1 + x * sin + y * cos)
}

/// Interpolates from `a` to `b` by the share `t`.
pub(crate) fn towards(a: Point, b: Point, t: f32) -> Point {
    (a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t)
}

fn smooth_spine(nodes: &[Node]) -> Vec<Node> {
    let last = nodes.len() - 1;
    let mut spine = Vec::with_capacity(last * STEPS + 1);
    for i in 0..last {
        let four = [nodes[i.saturating_sub(1)], nodes[i], nodes[i + 1], nodes[(i + 2).min(last)]];
        for step in 0..STEPS {
            let t = step as f32 / STEPS as f32;
            spine.push((
                catmull_rom(four.map(|n| n.0), t),
                catmull_rom(four.map(|n| n.1), t),
                catmull_rom(four.map(|n| n.2), t).max(0.0),
            ));
        }
    }
    spine.push(nodes[last]);
    spine
}

/// Interpolates from `p[1]` (t = 0) to `p[2]` (t = 1) with the slopes of the neighbours.
fn catmull_rom(p: [f32; 4], t: f32) -> f32 {
    let (a, b) = (2.0 * p[1], p[2] - p[0]);
    let c = 2.0 * p[0] - 5.0 * p[1] + 4.0 * p[2] - p[3];
    let d = 3.0 * (p[1] - p[2]) + p[3] - p[0];
    0.5 * (a + t * (b + t * (c + t * d)))
}

/// Orders the corners counter-clockwise, so that overlapping contours never cancel each other.
fn counter_clockwise(mut corners: Vec<Point>) -> Vec<Point> {
    let n = corners.len();
    let twice_area: f32 = (0..n)
        .map(|i| {
            let (a, b) = (corners[i], corners[(i + 1) % n]);
            a.0 * b.1 - b.0 * a.1
        })
        .sum();
    if twice_area < 0.0 {
        corners.reverse();
    }
    corners
}
