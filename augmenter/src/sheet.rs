//! The contact sheet: one row for each of some originals, with the original on the left, then its copies;
//! sorted by class.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use data::draw::stream;
use data::manifest::Crop;
use data::photo::{self, Limits};
use image::{RgbImage, imageops};

use crate::copy::Copy;
use crate::encode::Encoding;
use crate::transform::{Parameters, Size};
use crate::warp::{Fill, Source, warp};

/// Maximum number of originals on a sheet.
const MAX_ROWS: usize = 12;
/// Maximum number of copies beside an original.
const MAX_COPIES: usize = 6;
/// Side of the square that a picture is fitted into, in pixels.
const CELL: u32 = 160;
/// Gap between two pictures, in pixels.
const GAP: u32 = 6;
/// Gap between the originals and their copies, in pixels.
const WIDE_GAP: u32 = 24;
const PAPER: [u8; 3] = [255; 3];

/// An original's path and those of its copies, relative to the output directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SheetRow<'a> {
    original: &'a str,
    crop: Option<Crop>,
    copies: Vec<&'a str>,
}

/// Chooses originals from the classes in turn, so that the sheet shows as many classes as possible.
pub(crate) fn choose(copies: &[Copy], seed: u64) -> Vec<SheetRow<'_>> {
    let mut classes: BTreeMap<&str, BTreeMap<&str, Vec<&Copy>>> = BTreeMap::new();
    for copy in copies {
        let Some(from) = &copy.row.augmented else { continue };
        classes.entry(&copy.row.class).or_default().entry(&from.source).or_default().push(copy);
    }
    let mut draws = stream(seed, "augmenter/sheet", "");
    // Key: (round, turn of the class in the round); value: the row.
    let mut ranked = Vec::new();
    for (class, originals) in &classes {
        let turn = draws.unit();
        let mut originals: Vec<_> = originals.iter().collect();
        draws.shuffle(&mut originals);
        for (round, original) in originals.into_iter().take(MAX_ROWS).enumerate() {
            ranked.push((round, turn, *class, original));
        }
    }
    ranked.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    ranked.truncate(MAX_ROWS);
    ranked.sort_by_key(|&(_, _, class, (original, _))| (class, *original));
    ranked
        .into_iter()
        .map(|(_, _, _, (original, copies))| SheetRow {
            original,
            crop: copies.first().and_then(|copy| copy.source_crop),
            copies: copies.iter().map(|copy| copy.row.path.as_str()).take(MAX_COPIES).collect(),
        })
        .collect()
}

/// Draws the sheet and returns it as a JPEG file; pictures are read from below `out`.
///
/// # Errors
/// If an original or a copy can no longer be read.
pub(crate) fn draw(out: &Path, rows: &[SheetRow]) -> anyhow::Result<Vec<u8>> {
    let n_copies = rows.iter().map(|row| row.copies.len()).max().unwrap_or(0) as u32;
    let width = GAP + CELL + WIDE_GAP + n_copies * (CELL + GAP);
    let height = GAP + rows.len() as u32 * (CELL + GAP);
    let mut paper = RgbImage::from_pixel(width, height, image::Rgb(PAPER));
    for (i, row) in rows.iter().enumerate() {
        let top = GAP + i as u32 * (CELL + GAP);
        place(&mut paper, &out.join(row.original), row.crop, GAP, top)?;
        for (j, copy) in row.copies.iter().enumerate() {
            let left = GAP + CELL + WIDE_GAP + j as u32 * (CELL + GAP);
            place(&mut paper, &out.join(copy), None, left, top)?;
        }
    }
    Encoding::Jpg { quality: 90 }.encode(&paper)
}

/// Draws the picture, or the part of it in `crop`, into the centre of the cell at (`left`, `top`).
fn place(paper: &mut RgbImage, path: &Path, crop: Option<Crop>, left: u32, top: u32) -> anyhow::Result<()> {
    let named = || format!("cannot show {} on the contact sheet", path.display());
    let bytes = photo::read(path, &Limits::STANDARD).with_context(named)?;
    let photo = photo::decode(&bytes, &Limits::STANDARD).with_context(named)?;
    let picture = match crop {
        Some(crop) => crop.of(&photo.rgb),
        None => photo.rgb,
    };
    let long = picture.width().max(picture.height());
    let fitted = |n: u32| (u64::from(n) * u64::from(CELL) / u64::from(long)).max(1) as u32;
    let size = Size::new(fitted(picture.width()), fitted(picture.height()));
    let small = warp(&Source::from(picture), &Parameters::IDENTITY, size, Fill::Nearest);
    let (x, y) = (left + (CELL - size.width) / 2, top + (CELL - size.height) / 2);
    imageops::replace(paper, &small, i64::from(x), i64::from(y));
    Ok(())
}

#[cfg(test)]
mod tests {
    use data::manifest::{Augmented, Row, Split};

    use super::*;

    fn copies(classes: &[(&str, usize)], n: u32) -> Vec<Copy> {
        let mut copies = Vec::new();
        for (class, n_originals) in classes {
            for original in 0..*n_originals {
                for copy in 1..=n {
                    let row = Row {
                        path: format!("images/{class}/{original:03}-{copy}.jpg"),
                        class: class.to_string(),
                        split: Split::Train,
                        sha256: [0; 32],
                        width: 1,
                        height: 1,
                        crop: None,
                        augmented: Some(Augmented { source: format!("raw/{class}/{original:03}.jpg"), copy }),
                    };
                    let parameters = Parameters::IDENTITY;
                    let affine = parameters.affine(Size::new(1, 1), Size::new(1, 1));
                    copies.push(Copy { row, source_crop: None, parameters, affine, kept: false });
                }
            }
        }
        copies
    }

    #[test]
    fn the_rows_are_spread_over_the_classes() {
        let copies = copies(&[("a", 100), ("b", 1), ("c", 100)], 8);
        let rows = choose(&copies, 1);
        let of =
            |class: &str| rows.iter().filter(|r| r.original.starts_with(&format!("raw/{class}/"))).count();
        assert_eq!(rows.len(), MAX_ROWS);
        assert_eq!(of("b"), 1);
        assert!(of("a").abs_diff(of("c")) <= 1);
        assert!(rows.iter().all(|r| r.copies.len() == MAX_COPIES));
        assert!(rows.is_sorted_by_key(|r| r.original));
    }

    #[test]
    fn of_many_classes_each_is_seen_once_at_most() {
        let names: Vec<String> = (0..30).map(|i| format!("class{i:02}")).collect();
        let classes: Vec<(&str, usize)> = names.iter().map(|n| (n.as_str(), 4)).collect();
        let copies = copies(&classes, 1);
        let rows = choose(&copies, 1);
        let mut seen: Vec<&str> = rows.iter().map(|r| r.original.split('/').nth(1).unwrap()).collect();
        seen.dedup();
        assert_eq!(seen.len(), MAX_ROWS);
        assert_ne!(choose(&copies, 1), choose(&copies, 2));
    }
}
