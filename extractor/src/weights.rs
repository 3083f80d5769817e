//! The weights of the convolutions: a checked file, always.
//!
//! Wherever weights come from, they end as a safetensors file under torchvision's names, which
//! [`Weights::read`] checks before any work. timm gives the convolutions the same names; the dense layers
//! that both carry are not read.

mod file;
mod hub;
mod pth;
mod seeded;
mod slim;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use data::stage::CommonArgs;
use data::weights::Digest;

use crate::vgg16::{LAYERS, Layer};
pub use seeded::write_seeded;
pub(crate) use slim::remove_made;

/// One convolution's weights.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvWeights {
    /// Channels out.
    pub n_out: usize,
    /// Channels in.
    pub n_in: usize,
    /// (n_out, n_in, 3, 3)
    pub weight: Vec<f32>,
    /// (n_out)
    pub bias: Vec<f32>,
}

/// The weights of [`crate::vgg16::LAYERS`].
#[derive(Debug)]
pub struct Weights {
    /// In the order of the forward pass.
    pub convolutions: Vec<ConvWeights>,
    /// Their digest, whatever file they were read from; see [`data::recipe::Recipe::weights_sha256`].
    pub sha256: String,
}

impl Weights {
    /// The convolutions of `layers`; `values_of` gives a tensor's values by its name.
    ///
    /// # Errors
    /// Those of `values_of`, or the list of tensors with values that are no finite numbers.
    fn collect(
        layers: &[Layer],
        mut values_of: impl FnMut(&str) -> anyhow::Result<Vec<f32>>,
    ) -> anyhow::Result<Self> {
        let mut convolutions = Vec::with_capacity(layers.len());
        let mut digest = Digest::default();
        let mut problems = Vec::new();
        for layer in layers {
            let mut take = |(name, shape): (String, Vec<usize>)| -> anyhow::Result<Vec<f32>> {
                let values = values_of(&name)?;
                if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                    problems.push(format!("{name}: value {i} is {}, expected a finite number", values[i]));
                }
                digest.add(&name, &shape, &values);
                Ok(values)
            };
            let [weight, bias] = layer.tensors();
            let (weight, bias) = (take(weight)?, take(bias)?);
            convolutions.push(ConvWeights { n_out: layer.n_out, n_in: layer.n_in, weight, bias });
        }
        anyhow::ensure!(
            problems.is_empty(),
            "there are weights that are no numbers:\n  {}",
            problems.join("\n  ")
        );
        Ok(Self { convolutions, sha256: digest.finish() })
    }
}

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Random ones, drawn from the seed.
    Seeded,
    /// ImageNet's, from the Hugging Face hub.
    Hub {
        /// The dense layers as well: the whole file, into the shared cache.
        full: bool,
    },
    /// A safetensors file, or a state dict of PyTorch.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "seeded" => Source::Seeded,
            "hub" => Source::Hub { full: false },
            file => Source::File(file.into()),
        })
    }
}

impl Source {
    /// The weights file if it stands already as it is read: nothing is made or fetched.
    pub fn at_hand(&self, weights_dir: &Path) -> Option<PathBuf> {
        let path = match self {
            Source::Seeded => return None,
            Source::Hub { .. } => hub::slim_path(&hub::PINNED, weights_dir),
            Source::File(path) if pth::is_pth(path) => return None,
            Source::File(path) => path.clone(),
        };
        path.exists().then_some(path)
    }

    /// What a run depends on for its weights, whether or not it is there yet: the file that is named, or the one
    /// that [`Source::provide`] makes.
    pub fn depends_on(&self, seed: u64, weights_dir: &Path) -> PathBuf {
        match self {
            Source::Seeded => seeded::seeded_path(seed, weights_dir),
            Source::Hub { .. } => hub::slim_path(&hub::PINNED, weights_dir),
            Source::File(path) => path.clone(),
        }
    }

    /// What a recipe calls them.
    pub fn name(&self, seed: u64) -> String {
        match self {
            Source::Seeded => format!("seeded:{seed}"),
            Source::Hub { .. } => format!("hub:{}", hub::PINNED.repository),
            Source::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }

    /// The weights file, made or fetched where it has to be.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn provide(&self, common: &CommonArgs, weights_dir: &Path) -> anyhow::Result<PathBuf> {
        match self {
            Source::Seeded => {
                let seed = common.seed;
                let path = write_seeded(seed, weights_dir)?;
                tracing::warn!(
                    "the weights are random, drawn from seed {seed}: the features know nothing of dogs; \
                     give --weights hub for real results"
                );
                Ok(path)
            }
            Source::Hub { full } => hub::provide(&hub::PINNED, *full, common, weights_dir),
            Source::File(path) if pth::is_pth(path) => pth::convert(path, weights_dir, &LAYERS),
            Source::File(path) => Ok(path.clone()),
        }
    }
}
