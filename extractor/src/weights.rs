//! The weights of the convolutions: a checked file, always.
//!
//! Wherever weights come from, they end as a safetensors file under torchvision's names, which
//! [`Weights::read`] checks before any work. timm gives the convolutions the same names; the dense layers
//! that both carry are not read.

mod file;
mod seeded;

use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use seeded::write_seeded;

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
    /// Digest of the whole file they were read from.
    pub sha256: String,
}

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Random ones, drawn from the seed.
    Seeded,
    /// A safetensors file.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        match text {
            "seeded" => Ok(Source::Seeded),
            "hub" => anyhow::bail!(
                "this version does not fetch weights; give a safetensors file of VGG-16 (timm's or \
                 torchvision's), or seeded for random weights"
            ),
            file => Ok(Source::File(file.into())),
        }
    }
}

impl Source {
    /// The weights file, made where it has to be, and its name for people.
    ///
    /// # Errors
    /// If it cannot be made.
    pub fn provide(&self, seed: u64, weights_dir: &Path) -> anyhow::Result<(PathBuf, String)> {
        match self {
            Source::Seeded => {
                let path = write_seeded(seed, weights_dir)?;
                tracing::warn!(
                    "the weights are random, drawn from seed {seed}: the features know nothing of dogs; \
                     give --weights a file of trained weights for real results"
                );
                Ok((path, format!("seeded:{seed}")))
            }
            Source::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                Ok((path.clone(), name.to_string_lossy().into_owned()))
            }
        }
    }
}
