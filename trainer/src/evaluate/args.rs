//! Command-line arguments of `trainer evaluate`.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::manifest::Split;

/// The arguments of `trainer evaluate`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Directory with the features (index.json)
    #[arg(long, value_name = "DIR")]
    pub features: PathBuf,
    /// Directory with head.safetensors; metrics.json, predictions.csv and confusion.csv are written there
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Manifest that the features were made from; it has the paths of the pictures
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Splits to evaluate on [default: test, and valid where it has pictures]
    #[arg(long, value_delimiter = ',')]
    pub split: Vec<Split>,
    /// The dense layers that the network was published with (`weights --full` writes OUT/vgg16-classifier.safetensors):
    /// this classifier, restricted to the classes at hand, is evaluated beside the trained head
    #[arg(long, value_name = "FILE")]
    pub imagenet: Option<PathBuf>,
    /// What to do about metrics that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}
