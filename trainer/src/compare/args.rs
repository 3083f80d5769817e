//! Command-line arguments of `trainer compare`.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use data::current::RerunArgs;

/// The arguments of `trainer compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Name and directory of a finished run, with split, augmented, features and model as `make` writes them; give
    /// two or more. The others are compared with the first
    #[arg(long, value_name = "NAME=DIR", required = true)]
    pub run: Vec<NamedDir>,
    /// HTML page to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What to do about a page that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}

/// The directory of a finished run, and its name on the page.
#[derive(Debug, Clone)]
pub struct NamedDir {
    /// The name.
    pub name: String,
    /// The directory.
    pub dir: PathBuf,
}

impl FromStr for NamedDir {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('=').filter(|(name, dir)| !name.is_empty() && !dir.is_empty());
        let (name, dir) =
            parts.with_context(|| format!("{text:?} is no NAME=DIR, as in default=data/runs/mine"))?;
        Ok(Self { name: name.to_owned(), dir: dir.into() })
    }
}
