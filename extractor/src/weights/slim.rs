//! The slim file: the convolutions alone, with where they came from and their digest.

use std::path::Path;

use anyhow::Context;
use data::commit;
use data::provenance::{Provenance, canonical_json};
use safetensors::tensor::{Dtype, Metadata, TensorView};
use serde::Serialize;

use super::Weights;
use crate::vgg16::Layer;

/// The one metadata key: several come out in random order.
pub(super) const METADATA_KEY: &str = "tindogr";

/// Where the weights of a slim file came from.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Origin<'a> {
    /// `hub:timm/vgg16.tv_in1k`, or the name of a file.
    pub(super) weights: String,
    /// The commit of the hub's repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) revision: Option<&'a str>,
    /// What the weights may be used for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) licence: Option<&'a str>,
    /// [`Weights::sha256`].
    pub(super) weights_sha256: &'a str,
}

/// Writes the convolutions of `layers` as `path`. `whole` is the name and sha256 of the file that they are
/// a part of, where that is known.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(
    path: &Path,
    layers: &[Layer],
    weights: &Weights,
    origin: &Origin<'_>,
    whole: Option<(&str, &str)>,
) -> anyhow::Result<()> {
    let mut data = Vec::with_capacity(2 * layers.len());
    for (layer, convolution) in layers.iter().zip(&weights.convolutions) {
        for ((name, shape), values) in
            layer.tensors().into_iter().zip([&convolution.weight, &convolution.bias])
        {
            data.push((name, shape, values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()));
        }
    }
    let mut views = Vec::with_capacity(data.len());
    for (name, shape, bytes) in &data {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes)?));
    }
    let mut made_by = Provenance::new("extractor", origin)?;
    made_by.inputs.extend(whole.map(|(name, sha256)| (name.to_owned(), sha256.to_owned())));
    let metadata = [(METADATA_KEY.to_owned(), canonical_json(&made_by)?)].into();
    let bytes = safetensors::serialize(views, Some(metadata)).context("cannot lay out the weights")?;
    commit::write_bytes(path, &bytes)
}

/// The digest that a slim file records of its weights; `None` in other files.
pub(super) fn recorded_sha256(header: &Metadata) -> Option<String> {
    let text = header.metadata().as_ref()?.get(METADATA_KEY)?;
    let made_by: Provenance = serde_json::from_str(text).ok()?;
    Some(made_by.parameters.get("weights_sha256")?.as_str()?.to_owned())
}

/// Removes from `dir` the weights files that this program made: they say so themselves.
///
/// # Errors
/// If one cannot be removed.
pub(crate) fn remove_made(dir: &Path) -> anyhow::Result<()> {
    let Ok(entries) = dir.read_dir() else { return Ok(()) };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_link = path.is_symlink();
        let made = !is_link
            && data::weights::File::open(&path).is_ok_and(|file| {
                let text =
                    file.header.tensors.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
                text.and_then(|text| serde_json::from_str::<Provenance>(text).ok())
                    .is_some_and(|p| p.stage == "extractor")
            });
        if made {
            commit::remove(&path)?;
        }
    }
    // Fails where something is left in it.
    let _ = std::fs::remove_dir(dir);
    Ok(())
}
