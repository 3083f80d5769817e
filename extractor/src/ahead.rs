//! Decoding ahead: the next pictures are read and prepared while the network computes the features of the last ones.

use std::sync::mpsc::SyncSender;

use anyhow::Context;
use data::manifest::Manifest;
use data::photo::{self, Limits, Reason, Reject};
use image::RgbImage;
use rayon::prelude::*;

use crate::feature_extractor::FeatureExtractor;

/// Pictures whose features are computed together.
pub(crate) type Batch = Vec<Prepared>;

/// One picture, ready for the network or rejected.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// Row number of the manifest.
    pub(crate) row: u32,
    /// The network's input, (3, S, S).
    pub(crate) input: Result<Vec<f32>, Reject>,
}

/// Prepares `rows`, `batch_size` at a time, and sends each batch; `false` if the receiver has gone.
pub(crate) fn prepare_batches(
    manifest: &Manifest,
    extractor: &FeatureExtractor,
    rows: &[u32],
    batch_size: usize,
    batches: &SyncSender<Batch>,
) -> bool {
    rows.chunks(batch_size).all(|rows| {
        let batch = rows.par_iter().map(|&row| prepare(manifest, extractor, row)).collect();
        batches.send(batch).is_ok()
    })
}

fn prepare(manifest: &Manifest, extractor: &FeatureExtractor, number: u32) -> Prepared {
    let row = &manifest.rows[number as usize];
    let photo = row.read(&manifest.resolve(row)).and_then(|bytes| row.decode(&bytes));
    Prepared { row: number, input: photo.and_then(|photo| prepare_photo(extractor, &photo.rgb)) }
}

/// Prepares the network's input, (3, S, S), from a picture's bytes.
pub(crate) fn prepare_bytes(extractor: &FeatureExtractor, bytes: &[u8]) -> Result<Vec<f32>, Reject> {
    prepare_photo(extractor, &photo::decode(bytes, &Limits::STANDARD)?.rgb)
}

fn prepare_photo(extractor: &FeatureExtractor, photo: &RgbImage) -> Result<Vec<f32>, Reject> {
    extractor
        .prepare(photo)
        .context("cannot prepare it")
        .map_err(|e| Reject::new(Reason::DecodeError, format!("{e:#}")))
}
