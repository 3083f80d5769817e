//! The warp: computes the copy from the decoded picture in one pass.
//!
//! Every output pixel is looked up in the source through one inverse matrix that combines rotation,
//! shift, shear, zoom, flip and resize. If an output pixel covers more than [`HALVE_ABOVE`] source pixels, the
//! source is halved first, to avoid aliasing.

mod blend;
mod fill;
mod source;

use std::borrow::Cow;
use std::ops::Range;

use image::RgbImage;

use crate::transform::{Affine, Parameters, Size};
use blend::{BATCH, Weights, blend};
use fill::{FRACTION_BITS, ONE, last};
use source::{CHANNELS, Padded};

pub use fill::Fill;
pub use source::Source;

/// Source pixels per output pixel, horizontally or vertically, above which the source is halved in that direction,
/// repeatedly. Bilinear interpolation reads two pixels, so up to this limit it skips no source pixel.
pub const HALVE_ABOVE: f64 = 1.5;

/// Makes a copy of `source` with the size `to`.
pub fn warp(source: &Source, parameters: &Parameters, to: Size, fill: Fill) -> RgbImage {
    let mut affine = parameters.affine(source.size(), to);
    let mut source = Cow::Borrowed(source);
    loop {
        let (across, down) = affine.footprint();
        let (across, down) = (across > HALVE_ABOVE, down > HALVE_ABOVE);
        if !across && !down {
            break;
        }
        source = Cow::Owned(source.halved(across, down));
        affine = affine.after_halving(across, down);
    }
    let mut copy = sample(&Padded::new(source), &affine, to, fill);
    if parameters.brightness != 1.0 {
        brighten(&mut copy, parameters.brightness);
    }
    copy
}

/// Looks every output pixel up in `source`, with bilinear interpolation.
fn sample(source: &Padded, affine: &Affine, to: Size, fill: Fill) -> RgbImage {
    let n_across = to.width as usize;
    let mut out = RgbImage::new(to.width, to.height);
    let step = (fixed(affine.xx), fixed(affine.yx));
    for (row, line) in out.chunks_exact_mut(n_across * CHANNELS).enumerate() {
        let start = (fixed(affine.xy * row as f64 + affine.x0), fixed(affine.yy * row as f64 + affine.y0));
        // Within the span every point is in the source, so no point needs folding.
        let span = intersection(
            span(start.0, step.0, source.size.width, n_across),
            span(start.1, step.1, source.size.height, n_across),
        );
        let (pixels, _) = line.as_chunks_mut::<CHANNELS>();
        let (before, rest) = pixels.split_at_mut(span.start);
        let (inside, after) = rest.split_at_mut(span.len());
        sample_outside(source, fill, before, start, step);
        sample_folded(source, |at, _| at, inside, along(start, step, span.start), step);
        sample_outside(source, fill, after, along(start, step, span.end), step);
    }
    out
}

/// A point of the source, (column, row), in fixed-point numbers.
type Point = (i64, i64);

fn fixed(value: f64) -> i64 {
    (value * ONE as f64).round() as i64
}

fn along(start: Point, step: Point, n: usize) -> Point {
    let n = n as i64;
    (start.0 + step.0 * n, start.1 + step.1 * n)
}

/// Returns the range of the `n_across` output columns for which `start + step * column` is in [0, n - 1].
fn span(start: i64, step: i64, n: u32, n_across: usize) -> Range<usize> {
    let last = last(n);
    let all = n_across as i64;
    if step == 0 {
        return if (0..=last).contains(&start) { 0..n_across } else { 0..0 };
    }
    // A negative step is a positive one in the mirrored source.
    let (start, step) = if step > 0 { (start, step) } else { (last - start, -step) };
    let first = (-start).div_euclid(step) + i64::from((-start).rem_euclid(step) != 0);
    let end = (last - start).div_euclid(step) + 1;
    let first = first.clamp(0, all);
    first as usize..end.clamp(first, all) as usize
}

fn intersection(a: Range<usize>, b: Range<usize>) -> Range<usize> {
    let start = a.start.max(b.start);
    start..a.end.min(b.end).max(start)
}

fn sample_outside(source: &Padded, fill: Fill, pixels: &mut [[u8; CHANNELS]], start: Point, step: Point) {
    match fill {
        Fill::Nearest => sample_folded(source, fill::nearest, pixels, start, step),
        Fill::Constant(colour) => pixels.fill(colour),
        Fill::Reflect => sample_folded(source, fill::reflect, pixels, start, step),
        Fill::Wrap => sample_folded(source, fill::wrap, pixels, start, step),
    }
}

/// Samples points outside the source, too; `fold` maps a coordinate into the source, given the size of its axis.
#[inline(always)]
fn sample_folded(
    source: &Padded,
    fold: impl Fn(i64, u32) -> i64,
    pixels: &mut [[u8; CHANNELS]],
    start: Point,
    step: Point,
) {
    let Size { width, height } = source.size;
    let stride = width as usize * CHANNELS;
    let (mut x, mut y) = start;
    let mut places = [0; BATCH];
    let (mut right, mut lower) = ([0; BATCH], [0; BATCH]);
    for batch in pixels.chunks_mut(BATCH) {
        for i in 0..BATCH {
            let (x_folded, y_folded) = (fold(x, width), fold(y, height));
            let (column, row) = ((x_folded >> FRACTION_BITS) as usize, (y_folded >> FRACTION_BITS) as usize);
            places[i] = row.wrapping_mul(stride).wrapping_add(column.wrapping_mul(CHANNELS));
            (right[i], lower[i]) = (x_folded as u32, y_folded as u32);
            x = x.wrapping_add(step.0);
            y = y.wrapping_add(step.1);
        }
        let weights = Weights::new(&right, &lower);
        // In the last column and row the second neighbour is padding, with a weight of 0.
        for (i, pixel) in batch.iter_mut().enumerate() {
            let top = eight_bytes(&source.pixels, places[i]);
            let bottom = eight_bytes(&source.pixels, places[i].wrapping_add(stride));
            *pixel = blend(top, bottom, weights.of(i));
        }
    }
}

#[inline(always)]
fn eight_bytes(pixels: &[u8], at: usize) -> u64 {
    let bytes = pixels[at..].first_chunk().expect("the source is padded");
    u64::from_le_bytes(*bytes)
}

/// Multiplies every channel, rounds and clips at 255.
fn brighten(picture: &mut RgbImage, factor: f64) {
    let table: [u8; 256] = std::array::from_fn(|v| (v as f64 * factor).round().clamp(0.0, 255.0) as u8);
    for channel in picture.iter_mut() {
        *channel = table[usize::from(*channel)];
    }
}

#[cfg(test)]
mod tests;
