//! Resizing with an antialiasing filter, level for level that of Pillow's `Image.resize`.
//!
//! Libraries that resize 8-bit pictures fast hold the weights in 16 bits and so are a level off in one
//! value of five to ten. Pillow rounds the weights to 22 bits after the point, sums in whole numbers, and
//! rounds to levels after the pass along the rows and again after the pass along the columns
//! (`src/libImaging/Resample.c` of version 13); the same sums are made here.

use std::ops::Range;

use image::RgbImage;

/// Bits of a weight after the point: 32, less 8 of the level and 2 to spare.
const PRECISION: u32 = 32 - 8 - 2;

/// The filter by which the input pixels under an output pixel are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// A triangle: Pillow's `BILINEAR`.
    Bilinear,
    /// Keys' cubic with a = -0.5: Pillow's `BICUBIC` (Keys, "Cubic convolution interpolation for digital image
    /// processing", 1981).
    Bicubic,
}

impl Filter {
    /// Half the width of the filter, in output pixels where the picture shrinks, else in input pixels.
    fn support(self) -> f64 {
        match self {
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    /// Computes the weight of a pixel `x` away from the centre; written as Pillow writes it, for the last bit.
    fn weight(self, x: f64) -> f64 {
        const A: f64 = -0.5;
        let x = x.abs();
        match self {
            Filter::Bilinear => (1.0 - x).max(0.0),
            Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            Filter::Bicubic => 0.0,
        }
    }
}

/// One side of a picture: its pixels, how many it is resized to, and which of those are computed.
#[derive(Debug, Clone)]
pub(super) struct Side {
    /// Pixels of the picture.
    pub n_in: u32,
    /// Pixels after resizing.
    pub n_out: u64,
    /// Those that are computed, of 0..`n_out`.
    pub kept: Range<u64>,
}

/// The input pixels under one output pixel, and their weights.
struct Window {
    start: usize,
    /// In units of 2^-PRECISION; they sum to about one.
    weights: Vec<i32>,
}

/// Resizes `photo` and gives the kept part as levels (height, width, 3).
///
/// Memory is bounded by one kept side times the photo's other side.
pub(super) fn resize(photo: &RgbImage, filter: Filter, across: &Side, down: &Side) -> Vec<u8> {
    let (columns, rows) = (windows(across, filter), windows(down, filter));
    let stride = 3 * photo.width() as usize;
    // The last bit depends on which pass is the first. Pillow 13 begins with the columns where the height
    // shrinks by more than twice what the width does.
    let shrinks_by = |side: &Side| i64::from(side.n_in) - side.n_out as i64;
    if shrinks_by(down) > 0 && shrinks_by(down) > 2 * shrinks_by(across) {
        let low = merge_lines(photo.as_raw(), stride, &rows, 0); // (kept rows, width, 3)
        shrink_lines(&low, stride, &columns) // (kept rows, kept columns, 3)
    } else {
        // The rows of the photo that the kept rows are made of.
        let first = rows.iter().map(|row| row.start).min().unwrap_or(0);
        let last = rows.iter().map(|row| row.start + row.weights.len()).max().unwrap_or(0);
        let lines = &photo.as_raw()[first * stride..last * stride];
        let narrow = shrink_lines(lines, stride, &columns); // (last - first, kept columns, 3)
        merge_lines(&narrow, 3 * columns.len(), &rows, first) // (kept rows, kept columns, 3)
    }
}

/// Resizes lines of `stride` levels: (n, width, 3) -> (n, kept columns, 3)
fn shrink_lines(lines: &[u8], stride: usize, columns: &[Window]) -> Vec<u8> {
    let pixel = |pixels: &[[u8; 3]], column: &Window| {
        let mut sums = [HALF; 3];
        let under = &pixels[column.start..][..column.weights.len()];
        for (&[r, g, b], weight) in under.iter().zip(&column.weights) {
            sums[0] += i32::from(r) * weight;
            sums[1] += i32::from(g) * weight;
            sums[2] += i32::from(b) * weight;
        }
        sums.map(level)
    };
    let line = |line: &[u8]| {
        let pixels = line.as_chunks::<3>().0;
        columns.iter().flat_map(|column| pixel(pixels, column)).collect::<Vec<u8>>()
    };
    lines.chunks_exact(stride).flat_map(line).collect()
}

/// Resizes columns: lines of `stride` levels, the first of them the picture's line `first` -> (kept rows, stride)
fn merge_lines(lines: &[u8], stride: usize, rows: &[Window], first: usize) -> Vec<u8> {
    let mut merged = Vec::with_capacity(rows.len() * stride);
    for row in rows {
        let mut sums = vec![HALF; stride];
        let under = lines[(row.start - first) * stride..].chunks_exact(stride);
        for (line, weight) in under.zip(&row.weights) {
            for (sum, &level) in sums.iter_mut().zip(line) {
                *sum += i32::from(level) * weight;
            }
        }
        merged.extend(sums.into_iter().map(level));
    }
    merged
}

/// Sums start with half a level, so that cutting off rounds.
const HALF: i32 = 1 << (PRECISION - 1);

fn level(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// Pillow's `precompute_coeffs` and `normalize_coeffs_8bpc` for the kept pixels.
fn windows(side: &Side, filter: Filter) -> Vec<Window> {
    let scale = f64::from(side.n_in) / side.n_out as f64;
    // Shrinking widens the filter, enlarging does not narrow it.
    let stretch = scale.max(1.0);
    let reach = filter.support() * stretch; // input pixels
    let window = |i: u64| {
        let centre = (i as f64 + 0.5) * scale;
        // Casts cut off towards zero, and what is negative becomes zero.
        let start = (centre - reach + 0.5) as usize;
        let end = ((centre + reach + 0.5) as usize).min(side.n_in as usize);
        let inverse = 1.0 / stretch;
        let weight = |x: usize| filter.weight((x as f64 - centre + 0.5) * inverse);
        let weights: Vec<f64> = (start..end).map(weight).collect();
        let total: f64 = weights.iter().sum();
        // Halves are rounded away from zero.
        let whole = |weight: f64| {
            let scaled = weight / total * f64::from(1 << PRECISION);
            (scaled + 0.5f64.copysign(scaled)) as i32
        };
        Window { start, weights: weights.into_iter().map(whole).collect() }
    };
    side.kept.clone().map(window).collect()
}
