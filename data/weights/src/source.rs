//! Where weights may come from.

use std::path::PathBuf;
use std::str::FromStr;

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The Hugging Face hub.
    Hub,
    /// A seed.
    Seed,
    /// A safetensors file, or a state dict of PyTorch.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "hub" => Source::Hub,
            "seed" => Source::Seed,
            file => Source::File(file.into()),
        })
    }
}
