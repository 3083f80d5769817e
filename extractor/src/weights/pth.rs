//! State dicts of PyTorch (`.pth`, `.pt`), as torchvision offers them: a zip since PyTorch 1.6, pickles and
//! raw storages one after the other before that.
//!
//! A pickle is a program; none of it is run ([`pickle`]). Read is whatever has one meaning: tensors of f16, bf16,
//! f32 and f64 with any strides (`channels_last`), the dict within a checkpoint, names with a prefix (`module.`).

mod container;
mod pickle;
mod state_dict;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data::regular;

use super::Weights;
use super::file::{Stated, check_tensors};
use super::slim::{self, Origin};
use crate::vgg16::Layer;
use container::{Container, Foreign, LEGACY_START, ZIP_START};
use state_dict::Tensor;

/// Whether the file at `path` begins as one of PyTorch's.
pub(super) fn is_pth(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        regular::open(path).and_then(|file| file.take(LEGACY_START.len() as u64).read_to_end(&mut start));
    read.is_ok() && (start.starts_with(&ZIP_START) || start == LEGACY_START)
}

/// Writes the convolutions of the state dict at `path` as a safetensors file into `weights_dir`, unless they
/// stand there already, and gives its path.
///
/// # Errors
/// If `path` is no state dict with the convolutions of `layers`.
pub(super) fn convert(path: &Path, weights_dir: &Path, layers: &[Layer]) -> anyhow::Result<PathBuf> {
    let weights = read(path, layers)?;
    let (stem, name) = (path.file_stem().unwrap_or_default(), path.file_name().unwrap_or_default());
    let slim = weights_dir.join(format!("{}-convolutions.safetensors", stem.to_string_lossy()));
    let stands =
        slim.exists() && Weights::read_layers(&slim, layers).is_ok_and(|w| w.sha256 == weights.sha256);
    if !stands {
        let name = name.to_string_lossy().into_owned();
        let origin = Origin { weights: name, revision: None, licence: None, weights_sha256: &weights.sha256 };
        slim::write(&slim, layers, &weights, &origin, None)?;
    }
    Ok(slim)
}

/// The convolutions of the state dict at `path`.
///
/// # Errors
/// Names the file, and says how to convert one that is no plain state dict.
pub(super) fn read(path: &Path, layers: &[Layer]) -> anyhow::Result<Weights> {
    let named = || format!("cannot read {} as a state dict of PyTorch", path.display());
    let opened =
        Container::open(path, &layers[0].tensor_names().0).map_err(|error| match error.is::<Foreign>() {
            true => anyhow::anyhow!("{error:#}; {}", advice(path)),
            false => error,
        });
    let (mut container, tensors) = opened.with_context(named)?;
    check(path, layers, &tensors)?;
    Weights::collect(layers, |name| {
        let tensor = tensors.get(name).with_context(|| format!("{name} is missing"))?;
        let read = container.read(tensor).and_then(|bytes| tensor.floats(&bytes));
        read.with_context(|| format!("cannot read {name}"))
    })
    .with_context(named)
}

fn check(path: &Path, layers: &[Layer], tensors: &BTreeMap<String, Tensor>) -> anyhow::Result<()> {
    let names: Vec<String> = tensors.keys().cloned().collect();
    check_tensors(&path.display(), layers, &names, |name| {
        let Tensor { storage, shape, .. } = tensors.get(name)?;
        let dtype = format!("{:?}", storage.kind);
        Some(Stated { shape: shape.clone(), dtype, is_float: storage.kind.is_float() })
    })
}

/// What makes a safetensors file of a model that was saved whole, of a module for TorchScript, or of tensors of a
/// special kind.
fn advice(path: &Path) -> String {
    let quoted = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    format!(
        "where PyTorch and what the file was made with are installed, and if you trust the file (it may run \
         anything), this makes a safetensors file of one:\n  python3 -c \"{PYTHON}\" {quoted} vgg16.safetensors\n"
    )
}

/// Tested with PyTorch by `tests/peers/state_dicts.py --check`.
const PYTHON: &str = "\
import sys, torch, zipfile; from safetensors.torch import save_file; f = sys.argv[1]; \
script = zipfile.is_zipfile(f) and any('/code/' in n for n in zipfile.ZipFile(f).namelist()); \
d = torch.jit.load(f, map_location='cpu') if script else torch.load(f, map_location='cpu', weights_only=False); \
d = getattr(d, 'state_dict', lambda: d)(); d = d.get('state_dict', d.get('model', d)); \
d = getattr(d, 'state_dict', lambda: d)(); \
save_file({k: (v.dequantize() if v.is_quantized else v).detach().to_dense().float().contiguous().clone() \
for k, v in d.items() if torch.is_tensor(v)}, sys.argv[2])";

#[cfg(test)]
mod tests;
