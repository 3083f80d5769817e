//! Reading a weights file that anybody may have made.

use std::fmt;
use std::path::Path;

use anyhow::Context;
use data::recipe::Recipe;
use data::weights::{self, Header};
use safetensors::tensor::Dtype;

use super::{Weights, pth, slim};
use crate::vgg16::{LAYERS, Layer};

impl Weights {
    /// Reads and checks the weights file `path`, safetensors or a state dict of PyTorch, whatever it is called: its header, every tensor's presence, shape and type, and
    /// that every weight is finite. f16 and bf16 are widened, f64 is rounded. A file that the extractor fetched or
    /// converted also records the digest of its weights, and they must have it.
    ///
    /// Only the convolutions are read into memory, whatever else the file holds.
    ///
    /// # Errors
    /// Names the file, and lists everything that is wrong with its tensors at once.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::read_layers(path, &LAYERS)
    }

    /// [`Weights::read`] for a network of other layers.
    pub(super) fn read_layers(path: &Path, layers: &[Layer]) -> anyhow::Result<Self> {
        if pth::is_pth(path) {
            return pth::read(path, layers);
        }
        let mut file = weights::File::open(path)?;
        check_header(&path.display(), layers, &file.header)?;
        let weights = Self::collect(layers, |name| file.floats(name))
            .with_context(|| format!("{} cannot be used", path.display()))?;
        if let Some(recorded) = slim::recorded_sha256(&file.header.tensors) {
            anyhow::ensure!(
                weights.sha256 == recorded,
                "{} is damaged: its weights have the sha256 {}, it records {recorded}; remove it and run the \
                 extractor again",
                path.display(),
                weights.sha256
            );
        }
        Ok(weights)
    }

    /// The weights with the digest of `recipe`: of the file `path` ([`Weights::read`]), or of one in the directory
    /// `path`, whatever its files are called.
    ///
    /// # Errors
    /// If the file cannot be read or has other weights, or there is none in the directory.
    pub fn of_recipe(path: &Path, recipe: &Recipe) -> anyhow::Result<Self> {
        if path.is_dir() {
            return Self::find(path, recipe);
        }
        let weights = Self::read(path)?;
        anyhow::ensure!(
            weights.sha256 == recipe.weights_sha256,
            "{} is not the weights file of the features ({}): its weights have the sha256 {}, expected {}",
            path.display(),
            recipe.weights,
            weights.sha256,
            recipe.weights_sha256
        );
        Ok(weights)
    }

    fn find(dir: &Path, recipe: &Recipe) -> anyhow::Result<Self> {
        let named = || format!("cannot list {}", dir.display());
        let mut files = Vec::new();
        for entry in dir.read_dir().with_context(named)? {
            files.push(entry.with_context(named)?.path());
        }
        files.retain(|file| pth::is_pth(file) || weights::File::open(file).is_ok());
        files.sort();
        for file in &files {
            match Self::read(file) {
                Ok(weights) if weights.sha256 == recipe.weights_sha256 => return Ok(weights),
                Ok(_) => {}
                Err(error) => tracing::warn!("{error:#}"),
            }
        }
        anyhow::bail!(
            "{} holds no weights with the sha256 {}, with which the model's features were made ({}); name the \
             file that the extractor used",
            dir.display(),
            recipe.weights_sha256,
            recipe.weights
        )
    }
}

/// Checks that `file`, with this header, holds the convolutions of `layers`.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check_header(file: &dyn fmt::Display, layers: &[Layer], header: &Header) -> anyhow::Result<()> {
    check_tensors(file, layers, &header.tensors.offset_keys(), |name| {
        let info = header.tensors.info(name)?;
        let is_float = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64);
        Some(Stated { shape: info.shape.clone(), dtype: format!("{:?}", info.dtype), is_float })
    })
}

/// What a file says of one of its tensors.
pub(super) struct Stated {
    pub(super) shape: Vec<usize>,
    /// As an error names it.
    pub(super) dtype: String,
    /// f32, f16, bf16 or f64.
    pub(super) is_float: bool,
}

/// Checks that `file`, with tensors called `names`, holds the convolutions of `layers`.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check_tensors(
    file: &dyn fmt::Display,
    layers: &[Layer],
    names: &[String],
    stated: impl Fn(&str) -> Option<Stated>,
) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for (name, shape) in layers.iter().flat_map(Layer::tensors) {
        let Some(stated) = stated(&name) else {
            problems.push(format!("{name} is missing"));
            continue;
        };
        if stated.shape != shape {
            problems.push(format!("{name} has shape {:?}, expected {shape:?}", stated.shape));
        }
        if !stated.is_float {
            problems.push(format!("{name} is {}, expected F32, F16, BF16 or F64", stated.dtype));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    if problems.len() == 2 * layers.len() && problems.iter().all(|p| p.ends_with("is missing")) {
        let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
        problems = vec![format!(
            "none of its {} tensors is there, such as features.0.weight; it has {} tensors: {}{}",
            2 * layers.len(),
            names.len(),
            shown.join(", "),
            if names.len() > shown.len() { ", ..." } else { "" }
        )];
    }
    anyhow::bail!("{file} does not hold the convolutions of VGG-16:\n  {}", problems.join("\n  "))
}
