//! A figure in the picture, as parts from back to front, and the painting of the parts.
//!
//! Every part is painted on a separate sheet: first the silhouette, then markings, stripes and hair, clipped to the
//! silhouette, then light from one side as on a cushion, and last the details that light does not change (eyes,
//! noses).

use data::draw::Stream;
use tiny_skia::{
    BlendMode, Color, FillRule, Paint, PathBuilder, Pixmap, Point, PremultipliedColorU8, Shader, Stroke,
    Transform,
};

use crate::colour::Rgb;
use crate::shapes::{self, Outline, between};

/// An outline with a colour and an opacity (0 to 1).
#[derive(Debug, Clone)]
pub(crate) struct Patch {
    pub(crate) outline: Outline,
    pub(crate) colour: Rgb,
    pub(crate) cover: f32,
}

/// Short strokes that follow the coat.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hair {
    /// Length of one stroke, in the figure's unit.
    pub(crate) length: f32,
    /// Direction of the strokes, radians.
    pub(crate) flow: f32,
    /// Difference in brightness from the coat (0 to 1).
    pub(crate) contrast: f32,
    /// Whether the hair is in curls, as a poodle's.
    pub(crate) curly: bool,
}

/// One sheet of a figure.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    /// Outlines of the part, painted in order.
    pub(crate) silhouette: Vec<(Outline, Rgb)>,
    /// Markings, clipped to the silhouette.
    pub(crate) markings: Vec<Patch>,
    pub(crate) hair: Option<Hair>,
    /// Radius of the cushion's rim in the figure's unit; 0 is flat.
    pub(crate) roundness: f32,
    /// Darkening of the whole part by what is in front of it (0 to 1).
    pub(crate) shade: f32,
    /// Details, painted last and not clipped.
    pub(crate) details: Vec<Patch>,
    /// Fades in the part: invisible at the first height, opaque at the second.
    pub(crate) fade: Option<(f32, f32)>,
}

impl Part {
    /// Returns a part of one colour.
    pub(crate) fn solid(outline: Outline, colour: Rgb, roundness: f32) -> Self {
        Self { silhouette: vec![(outline, colour)], roundness, ..Self::default() }
    }

    /// Adds to the silhouette.
    pub(crate) fn with(mut self, outline: Outline, colour: Rgb) -> Self {
        self.silhouette.push((outline, colour));
        self
    }

    /// Adds a marking.
    pub(crate) fn mark(&mut self, outline: Outline, colour: Rgb, cover: f32) {
        self.markings.push(Patch { outline, colour, cover });
    }

    /// Adds a detail.
    pub(crate) fn detail(&mut self, outline: Outline, colour: Rgb, cover: f32) {
        self.details.push(Patch { outline, colour, cover });
    }

    /// Returns the part with every point moved by `f`.
    pub(crate) fn map(&self, f: impl Fn(shapes::Point) -> shapes::Point + Copy) -> Self {
        let patch = |p: &Patch| Patch { outline: p.outline.map(f), ..p.clone() };
        Self {
            silhouette: self.silhouette.iter().map(|(outline, colour)| (outline.map(f), *colour)).collect(),
            markings: self.markings.iter().map(patch).collect(),
            details: self.details.iter().map(patch).collect(),
            ..self.clone()
        }
    }
}

/// Left, bottom, right, top.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) low: shapes::Point,
    pub(crate) high: shapes::Point,
}

/// Parts from back to front; the ground is at y = 0.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figure {
    pub(crate) parts: Vec<Part>,
}

impl Figure {
    /// Returns the box around all silhouettes.
    pub(crate) fn bounds(&self) -> Bounds {
        let outlines = self.parts.iter().flat_map(|part| part.silhouette.iter().map(|(outline, _)| outline));
        bounds(outlines)
    }

    /// Paints the figure; `light` points from the figure to the light, in pixels' directions.
    pub(crate) fn paint(
        &self,
        canvas: &mut Pixmap,
        to_pixels: Transform,
        light: shapes::Point,
        draws: &mut Stream,
    ) {
        for part in &self.parts {
            // Cannot fail, because the canvas has the same size.
            let Some(pixmap) = Pixmap::new(canvas.width(), canvas.height()) else { return };
            let mut sheet = Sheet { pixmap, to_pixels };
            sheet.paint(part, light, draws);
            lay_over(canvas, &sheet.pixmap);
        }
    }
}

fn bounds<'a>(outlines: impl Iterator<Item = &'a Outline>) -> Bounds {
    let mut around =
        Bounds { low: (f32::INFINITY, f32::INFINITY), high: (f32::NEG_INFINITY, f32::NEG_INFINITY) };
    for &(x, y) in outlines.flat_map(|outline| outline.contours.iter().flatten()) {
        around.low = (around.low.0.min(x), around.low.1.min(y));
        around.high = (around.high.0.max(x), around.high.1.max(y));
    }
    around
}

/// Fills `outline` in one colour.
pub(crate) fn fill(canvas: &mut Pixmap, outline: &Outline, colour: Rgb, cover: f32, to_pixels: Transform) {
    fill_blended(canvas, outline, colour, cover, BlendMode::SourceOver, to_pixels);
}

fn fill_blended(
    canvas: &mut Pixmap,
    outline: &Outline,
    colour: Rgb,
    cover: f32,
    blend_mode: BlendMode,
    to_pixels: Transform,
) {
    let mut builder = PathBuilder::new();
    for contour in &outline.contours {
        let Some((first, rest)) = contour.split_first() else { continue };
        builder.move_to(first.0, first.1);
        for corner in rest {
            builder.line_to(corner.0, corner.1);
        }
        builder.close();
    }
    // Without a path nothing is visible: all corners are one point.
    if let Some(path) = builder.finish() {
        let paint = Paint { shader: shader(colour, cover), blend_mode, ..Paint::default() };
        canvas.fill_path(&path, &paint, FillRule::Winding, to_pixels, None);
    }
}

fn shader(colour: Rgb, cover: f32) -> Shader<'static> {
    let Rgb(r, g, b) = colour;
    Shader::SolidColor(Color::from_rgba8(r, g, b, (cover.clamp(0.0, 1.0) * 255.0).round() as u8))
}

struct Sheet {
    pixmap: Pixmap,
    to_pixels: Transform,
}

impl Sheet {
    fn paint(&mut self, part: &Part, light: shapes::Point, draws: &mut Stream) {
        for (outline, colour) in &part.silhouette {
            fill(&mut self.pixmap, outline, *colour, 1.0, self.to_pixels);
        }
        for Patch { outline, colour, cover } in &part.markings {
            fill_blended(&mut self.pixmap, outline, *colour, *cover, BlendMode::SourceAtop, self.to_pixels);
        }
        let around = bounds(part.silhouette.iter().map(|(outline, _)| outline));
        if let Some(hair) = part.hair {
            self.comb(hair, around, draws);
        }
        if part.roundness > 0.0 || part.shade > 0.0 {
            self.light(part, light, around);
        }
        for Patch { outline, colour, cover } in &part.details {
            fill(&mut self.pixmap, outline, *colour, *cover, self.to_pixels);
        }
        if let Some((from, to)) = part.fade {
            self.fade(from, to);
        }
    }

    /// Draws short strokes on the silhouette: half of them darker than the coat, half lighter.
    fn comb(&mut self, hair: Hair, around: Bounds, draws: &mut Stream) {
        let area = (around.high.0 - around.low.0) * (around.high.1 - around.low.1);
        let n = (0.55 * area / (hair.length * hair.length)).clamp(20.0, 320.0) as usize;
        for (colour, cover) in [(Rgb(0, 0, 0), hair.contrast), (Rgb(255, 250, 240), hair.contrast * 0.7)] {
            let mut builder = PathBuilder::new();
            for _ in 0..n {
                let x = between(draws, around.low.0, around.high.0);
                let y = between(draws, around.low.1, around.high.1);
                let angle = hair.flow + between(draws, -0.45, 0.45);
                let length = hair.length * between(draws, 0.6, 1.4);
                builder.move_to(x, y);
                if hair.curly {
                    let r = length * 0.4;
                    builder.cubic_to(x + r, y + r, x + r, y - 0.6 * r, x - 0.5 * r, y - 0.5 * r);
                } else {
                    let (dx, dy) = (length * libm::cosf(angle), length * libm::sinf(angle));
                    builder.quad_to(x + 0.6 * dx, y + 0.4 * dy, x + dx, y + dy);
                }
            }
            if let Some(path) = builder.finish() {
                let paint = Paint {
                    shader: shader(colour, cover),
                    blend_mode: BlendMode::SourceAtop,
                    ..Paint::default()
                };
                let stroke = Stroke { width: hair.length * 0.14, ..Stroke::default() };
                self.pixmap.stroke_path(&path, &paint, &stroke, self.to_pixels, None);
            }
        }
    }

    /// Lights the sheet like a cushion: the blurred silhouette is its height.
    fn light(&mut self, part: &Part, light: shapes::Point, around: Bounds) {
        let scale = self.to_pixels.sy.abs();
        let radius = ((part.roundness * scale) as usize).max(1);
        let (width, height) = (self.pixmap.width() as usize, self.pixmap.height() as usize);
        let mut corners =
            [Point::from_xy(around.low.0, around.low.1), Point::from_xy(around.high.0, around.high.1)];
        self.to_pixels.map_points(&mut corners);
        let margin = 2.0 * radius as f32 + 2.0;
        let edge = |v: f32, limit: usize| v.clamp(0.0, limit as f32) as usize;
        let left = edge(corners[0].x.min(corners[1].x) - margin, width);
        let right = edge(corners[0].x.max(corners[1].x) + margin, width);
        let top = edge(corners[0].y.min(corners[1].y) - margin, height);
        let bottom = edge(corners[0].y.max(corners[1].y) + margin, height);
        let (w, h) = (right - left, bottom - top);
        if w < 3 || h < 3 {
            return;
        }
        let pixels = self.pixmap.pixels_mut();
        let mut relief = Vec::with_capacity(w * h);
        for y in top..bottom {
            relief.extend(
                pixels[y * width + left..y * width + right].iter().map(|p| f32::from(p.alpha()) / 255.0),
            );
        }
        soften(&mut relief, w, h, radius);
        soften(&mut relief, w, h, radius.div_ceil(2));
        let steepness = if part.roundness > 0.0 { 0.62 * radius as f32 } else { 0.0 };
        for y in 1..h - 1 {
            for x in 1..w - 1 {
                let pixel = &mut pixels[(y + top) * width + x + left];
                let alpha = pixel.alpha();
                if alpha == 0 {
                    continue;
                }
                let at = y * w + x;
                let slope_x = relief[at + 1] - relief[at - 1];
                let slope_y = relief[at + w] - relief[at - w];
                let facing = -(slope_x * light.0 + slope_y * light.1) * steepness;
                let factor = (1.0 + facing.clamp(-0.5, 0.32)) * (1.0 - part.shade);
                let lit = |c: u8| ((f32::from(c) * factor) as u8).min(alpha);
                let (r, g, b) = (lit(pixel.red()), lit(pixel.green()), lit(pixel.blue()));
                *pixel = premultiplied([r, g, b, alpha], [0; 4]);
            }
        }
    }

    fn fade(&mut self, from: f32, to: f32) {
        let mut ends = [Point::from_xy(0.0, from), Point::from_xy(0.0, to)];
        self.to_pixels.map_points(&mut ends);
        let (from, to) = (ends[0].y, ends[1].y);
        let width = self.pixmap.width() as usize;
        for (y, row) in self.pixmap.pixels_mut().chunks_exact_mut(width).enumerate() {
            let kept = ((y as f32 - from) / (to - from)).clamp(0.0, 1.0);
            if kept < 1.0 {
                for pixel in row.iter_mut().filter(|pixel| pixel.alpha() > 0) {
                    *pixel = scaled(*pixel, kept);
                }
            }
        }
    }
}

/// Draws `sheet` over `canvas`; both have the same size.
fn lay_over(canvas: &mut Pixmap, sheet: &Pixmap) {
    for (below, above) in canvas.pixels_mut().iter_mut().zip(sheet.pixels()) {
        match above.alpha() {
            0 => {}
            255 => *below = *above,
            alpha => {
                let seen = scaled(*below, 1.0 - f32::from(alpha) / 255.0);
                *below = premultiplied(
                    [above.red(), above.green(), above.blue(), alpha],
                    [seen.red(), seen.green(), seen.blue(), seen.alpha()],
                );
            }
        }
    }
}

fn scaled(pixel: PremultipliedColorU8, share: f32) -> PremultipliedColorU8 {
    let scale = |c: u8| (f32::from(c) * share) as u8;
    premultiplied(
        [scale(pixel.red()), scale(pixel.green()), scale(pixel.blue()), scale(pixel.alpha())],
        [0; 4],
    )
}

/// Returns the sum of two premultiplied colours; no channel exceeds the sum of the alphas.
fn premultiplied(a: [u8; 4], b: [u8; 4]) -> PremultipliedColorU8 {
    let alpha = a[3].saturating_add(b[3]);
    let sum = |i: usize| a[i].saturating_add(b[i]).min(alpha);
    PremultipliedColorU8::from_rgba(sum(0), sum(1), sum(2), alpha)
        .unwrap_or(PremultipliedColorU8::TRANSPARENT)
}

/// Replaces every pixel by the mean over a square of `2 * radius + 1` pixels around it, with repeated edges.
pub(crate) fn soften(values: &mut [f32], width: usize, height: usize, radius: usize) {
    let weight = 1.0 / (2 * radius + 1) as f32;
    let mut line = vec![0.0; width + 2 * radius + 1];
    for row in values.chunks_exact_mut(width) {
        line[..radius].fill(row[0]);
        line[radius..radius + width].copy_from_slice(row);
        line[radius + width..].fill(row[width - 1]);
        let mut sum: f32 = line[..=2 * radius].iter().sum();
        for (i, value) in row.iter_mut().enumerate() {
            *value = sum * weight;
            sum += line[i + 2 * radius + 1] - line[i];
        }
    }
    // Along the columns, all of them at the same time.
    let rows = values.to_vec();
    let row = |y: usize| {
        let start = y.saturating_sub(radius).min(height - 1) * width; // y is shifted by radius
        &rows[start..start + width]
    };
    let mut sums = vec![0.0; width];
    for y in 0..=2 * radius {
        sums.iter_mut().zip(row(y)).for_each(|(sum, value)| *sum += value);
    }
    for (y, softened) in values.chunks_exact_mut(width).enumerate() {
        let (entering, leaving) = (row(y + 2 * radius + 1), row(y));
        for (((value, sum), enters), leaves) in softened.iter_mut().zip(&mut sums).zip(entering).zip(leaving)
        {
            *value = *sum * weight;
            *sum += enters - leaves;
        }
    }
}
