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
use std::path::Path;

use anyhow::Context;
use data::backbone::Backbone;
use data::regular;
use data::weights::{Part, TensorValues, collect};

use crate::names::{Names, Stated};
use container::{Container, Foreign, LEGACY_START, ZIP_START};
use state_dict::Tensor;

/// Whether the file at `path` begins as one of PyTorch's.
pub(crate) fn is_pth(path: &Path) -> bool {
    let mut start = Vec::new();
    let read =
        regular::open(path).and_then(|file| file.take(LEGACY_START.len() as u64).read_to_end(&mut start));
    read.is_ok() && (start.starts_with(&ZIP_START) || start == LEGACY_START)
}

/// Reads one part of `backbone` from the state dict at `path`.
///
/// # Errors
/// Names the file, lists everything that is wrong with its tensors at once, and says how to convert a file that is no
/// plain state dict.
pub(crate) fn read(path: &Path, backbone: &Backbone, part: Part) -> anyhow::Result<Vec<TensorValues>> {
    let named = || format!("cannot read {} as a state dict of PyTorch", path.display());
    // The prefix of the names is found by the first tensor, under any of its names.
    let first = &backbone.features[0];
    let first = [Some(first.name), first.other.map(|(name, _)| name)];
    let opened =
        Container::open(path, &first.into_iter().flatten().collect::<Vec<_>>()).map_err(|error| match error
            .is::<Foreign>(
        ) {
            true => anyhow::anyhow!("{error:#}; {}", advice(path)),
            false => error,
        });
    let (mut container, tensors) = opened.with_context(named)?;
    let names = names(path, backbone, part, &tensors)?;
    collect(part.tensors(backbone), |tensor| {
        let name = names.of(tensor)?;
        let tensor = tensors.get(name).with_context(|| format!("{name} is missing"))?;
        let read = container.read(tensor).and_then(|bytes| tensor.floats(&bytes));
        read.with_context(|| format!("cannot read {name}"))
    })
    .with_context(named)
}

fn names(
    path: &Path,
    backbone: &Backbone,
    part: Part,
    tensors: &BTreeMap<String, Tensor>,
) -> anyhow::Result<Names> {
    let names: Vec<String> = tensors.keys().cloned().collect();
    Names::find(&path.display(), backbone, part, &names, |name| {
        let Tensor { storage, shape, .. } = tensors.get(name)?;
        let dtype = format!("{:?}", storage.kind);
        Some(Stated { shape: shape.clone(), dtype, is_float: storage.kind.is_float() })
    })
}

/// Says what makes a safetensors file of a model that was saved whole, of a module for TorchScript, or of tensors of a
/// special kind.
fn advice(path: &Path) -> String {
    let quoted = format!("'{}'", path.display().to_string().replace('\'', r"'\''"));
    format!(
        "where PyTorch and what the file was made with are installed, and if you trust the file (it may run \
         anything), this makes a safetensors file of one:\n  python3 -c \"{PYTHON}\" {quoted} converted.safetensors\nand `weights --from converted.safetensors` reads it"
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
