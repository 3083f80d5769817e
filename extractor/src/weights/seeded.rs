//! Random weights from a seed, for machines that cannot fetch trained ones.

use std::path::{Path, PathBuf};

use anyhow::Context;
use data::commit;
use data::draw;
use data::provenance::{Provenance, canonical_json, sha256_file, sha256_hex};
use data::weights::Header;
use rayon::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::Weights;
use super::slim::METADATA_KEY;
use crate::vgg16::{LAYERS, Layer};

/// Writes `vgg16-seeded-<seed>.safetensors` into `dir`, unless it stands there already with exactly the
/// bytes that it must have, and gives its path. The same seed gives the same bytes on any machine.
///
/// # Errors
/// If the file cannot be written.
pub fn write_seeded(seed: u64, dir: &Path) -> anyhow::Result<PathBuf> {
    let path = seeded_path(seed, dir);
    let bytes = seeded_file(seed)?;
    if path.exists() {
        if sha256_file(&path)? == sha256_hex(&bytes) {
            return Ok(path);
        }
        tracing::warn!("{} was damaged or changed; writing it anew", path.display());
    }
    commit::write_bytes(&path, &bytes)?;
    Ok(path)
}

/// Where [`write_seeded`] puts them.
pub(super) fn seeded_path(seed: u64, dir: &Path) -> PathBuf {
    dir.join(format!("vgg16-seeded-{seed}.safetensors"))
}

impl Weights {
    /// [`write_seeded`] and [`Weights::read`] without the file.
    ///
    /// # Errors
    /// Never: the weights are well formed.
    pub fn seeded(seed: u64) -> anyhow::Result<Self> {
        let bytes = seeded_file(seed)?;
        let header = Header::read(&mut bytes.as_slice())?;
        Self::collect(&LAYERS, |name| {
            let range = header.range(name)?;
            header.floats(name, &bytes[range.start as usize..range.end as usize])
        })
    }
}

fn seeded_file(seed: u64) -> anyhow::Result<Vec<u8>> {
    let drawn: Vec<Vec<u8>> = LAYERS.par_iter().map(|layer| he_normal(seed, layer)).collect();
    let zeros = vec![0u8; 4 * crate::vgg16::N_CHANNELS];
    let mut tensors = Vec::new();
    for (layer, weight) in LAYERS.iter().zip(&drawn) {
        let (weight_name, bias_name) = layer.tensor_names();
        let shape = vec![layer.n_out, layer.n_in, 3, 3];
        tensors.push((weight_name, TensorView::new(Dtype::F32, shape, weight)?));
        tensors.push((bias_name, TensorView::new(Dtype::F32, vec![layer.n_out], &zeros[..4 * layer.n_out])?));
    }
    let made_by = Provenance::new("extractor", &serde_json::json!({ "weights": format!("seeded:{seed}") }))?;
    let metadata = [(METADATA_KEY.to_owned(), canonical_json(&made_by)?)].into();
    safetensors::serialize(tensors, Some(metadata)).context("cannot lay out the seeded weights")
}

/// (n_out, n_in, 3, 3) normals of variance 2 / fan-in (He and others, "Delving deep into rectifiers",
/// 2015; PyTorch's `kaiming_normal_`), little-endian f32, which keeps the size of the activations from
/// layer to layer.
fn he_normal(seed: u64, layer: &Layer) -> Vec<u8> {
    let (name, _) = layer.tensor_names();
    let fan_in = layer.n_in * 9;
    let deviation = (2.0 / fan_in as f64).sqrt();
    let mut draws = draw::stream(seed, "vgg16 weights", &name);
    (0..layer.n_out * fan_in).flat_map(|_| ((deviation * draws.normal()) as f32).to_le_bytes()).collect()
}
