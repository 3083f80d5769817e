//! Command-line arguments.

use std::path::PathBuf;

use clap::Parser;
use data::current::RerunArgs;
use data::stage::CommonArgs;

use crate::source::Source;

/// Fetches, converts or draws the weights of a network and writes one checked safetensors file
///
/// Writes OUT/vgg16.safetensors: the layers that make features, with where they come from, their licence and their
/// digest. This is the file that the extractor and the matcher take. An interrupted download is resumed.
#[derive(Debug, Parser)]
#[command(
    name = "weights",
    version,
    after_help = "Examples:\n  weights --from hub --out W/weights\n  weights --from vgg16-397923af.pth --out W/weights --full\n\n\
                  Environment:\n  HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, ...  as in Python's huggingface_hub"
)]
pub struct Args {
    /// The network
    #[arg(long, default_value = "vgg16")]
    pub backbone: String,
    /// `hub` fetches the weights that were trained on ImageNet from the Hugging Face hub; `seed` draws random ones
    /// from --seed; a safetensors file or a state dict of PyTorch (.pth) is converted, with torchvision's or timm's
    /// names
    #[arg(long, value_name = "hub|seed|FILE")]
    pub from: Source,
    /// Directory for the weights
    #[arg(long)]
    pub out: PathBuf,
    /// Also write the dense layers of the published network, OUT/vgg16-classifier.safetensors, which `trainer evaluate
    /// --imagenet` takes; from the hub this fetches 553 instead of 59 MB
    #[arg(long)]
    pub full: bool,
    /// What to do about weights that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
}
