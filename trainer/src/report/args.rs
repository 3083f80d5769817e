//! Command-line arguments of `trainer report`.

use std::path::PathBuf;

use data::current::RerunArgs;

/// The arguments of `trainer report`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Directory with the features (index.json)
    #[arg(long, value_name = "DIR")]
    pub features: PathBuf,
    /// Directory with the files that fit and evaluate wrote; report.html is written there
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Manifest that the features were made from
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Output directory of the splitter, for the rejected pictures and the parameters of the split
    #[arg(long, value_name = "DIR")]
    pub split_dir: Option<PathBuf>,
    /// What to do about a report that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}
