//! Small copies of the pictures, embedded in the page as data URIs.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use data::manifest::{Manifest, Row};
use data::photo::{Reason, Reject};
use image::codecs::jpeg::JpegEncoder;
use image::{RgbImage, imageops};
use maud::{Markup, html};
use rayon::prelude::*;

/// Pixels along the longer side: sharp at 112 CSS pixels on a screen of twice the density.
const LONGER_SIDE: f64 = 224.0;
const JPEG_QUALITY: u8 = 78;

/// The pictures that the report shows, by path.
#[derive(Debug)]
pub(super) struct Pictures(BTreeMap<String, Result<String, Reject>>);

impl Pictures {
    /// Reads the pictures `paths` of `manifest`.
    pub(super) fn load(manifest: &Manifest, paths: &BTreeSet<&str>) -> Self {
        let rows: Vec<&Row> = manifest.rows.iter().filter(|row| paths.contains(row.path.as_str())).collect();
        let load = |row: &&Row| (row.path.clone(), of_row(manifest, row));
        Self(rows.par_iter().map(load).collect())
    }

    pub(super) fn n_read(&self) -> usize {
        self.0.values().filter(|picture| picture.is_ok()).count()
    }

    pub(super) fn n_unreadable(&self) -> usize {
        self.0.len() - self.n_read()
    }

    /// The picture, or the reason why it cannot be shown.
    pub(super) fn show(&self, path: &str) -> Markup {
        match self.0.get(path) {
            Some(Ok(uri)) => html! { img src=(uri) alt=(path) title=(path) loading="lazy"; },
            Some(Err(reject)) => {
                html! { div.missing title=(reject) { "not readable: " (reject.reason.name()) } }
            }
            None => html! { div.missing title=(path) { "not in the manifest" } },
        }
    }
}

fn of_row(manifest: &Manifest, row: &Row) -> Result<String, Reject> {
    data_uri(&small(&row.decode(&row.read(&manifest.resolve(row))?)?.rgb))
}

/// Reduces a picture to the size that the page shows.
pub(super) fn small(rgb: &RgbImage) -> RgbImage {
    let scale = (LONGER_SIDE / f64::from(rgb.width().max(rgb.height()))).min(1.0);
    let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
    imageops::resize(rgb, side(rgb.width()), side(rgb.height()), imageops::FilterType::Triangle)
}

/// Encodes a picture as a data URI.
pub(super) fn data_uri(small: &RgbImage) -> Result<String, Reject> {
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY)
        .encode_image(small)
        .map_err(|error| Reject::new(Reason::DecodeError, error))?;
    Ok(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}
