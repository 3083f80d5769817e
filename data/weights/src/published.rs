//! Reading the weights files that others have published: safetensors, or state dicts of PyTorch, whatever they are
//! called.
//!
//! Tensors have torchvision's names or timm's, and f16, bf16, f32 or f64 values. Nothing in such a file is trusted.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use data::backbone::Backbone;
use data::envelope::Header;
use data::regular;
use data::weights::{Origin, Part, TensorValues, Weights, collect};

use crate::names::Names;
use crate::pth;

/// Reads the layers of `backbone` that make features from the file `path` and, with `classifier`, its dense layers.
///
/// # Errors
/// Names the file, and lists everything that is wrong with the tensors of a part at once.
pub(crate) fn read_parts(
    path: &Path,
    backbone: &Backbone,
    origin: Origin,
    classifier: bool,
) -> anyhow::Result<Vec<Weights>> {
    let features = read(path, backbone, Part::Features)?;
    let mut weights = vec![Weights::of_features(backbone, origin, features)];
    if classifier {
        weights.push(weights[0].with_classifier(read(path, backbone, Part::Classifier)?));
    }
    Ok(weights)
}

/// Reads one part of `backbone` from the file `path`. Only its tensors are read into memory, whatever else the file
/// holds.
///
/// # Errors
/// Names the file, and lists everything that is wrong with its tensors at once.
pub fn read(path: &Path, backbone: &Backbone, part: Part) -> anyhow::Result<Vec<TensorValues>> {
    if pth::is_pth(path) {
        return pth::read(path, backbone, part);
    }
    let mut file =
        regular::open(path).with_context(|| format!("cannot read the weights {}", path.display()))?;
    let header = Header::read(&mut file).with_context(|| {
        format!("{} is neither a safetensors file nor a state dict of PyTorch", path.display())
    })?;
    let names = Names::in_header(&path.display(), backbone, part, &header)?;
    collect(part.tensors(backbone), |tensor| {
        let name = names.of(tensor)?;
        let range = header.range(name)?;
        let bytes = read_range(&mut file, range.start, (range.end - range.start) as usize);
        bytes.and_then(|bytes| header.floats(name, &bytes)).with_context(|| format!("cannot read {name}"))
    })
    .with_context(|| format!("{} cannot be used", path.display()))
}

fn read_range(file: &mut File, start: u64, length: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    file.seek(SeekFrom::Start(start))?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
