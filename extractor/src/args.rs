//! Command-line arguments.

use std::path::PathBuf;

use clap::Parser;
use data::current::RerunArgs;
use data::device::Device;
use data::features::Dtype;
use data::forecast::PlanArgs;
use data::recipe::Pool;
use data::rejects::MaxBad;
use data::stage::CommonArgs;

use crate::part::Part;

/// Computes the bottleneck features of every picture of a manifest with the convolutions of a network
///
/// Writes one file for every 256 pictures of a split and, last, index.json. Run again after an
/// interruption, or after the manifest has changed, and only the pictures without features are computed:
/// a picture is known by the digest of its bytes.
///
/// To share the work, run with --shard 0/2 on one machine and --shard 1/2 on another, copy the files of
/// both into one directory, and run there once without --shard: nothing is computed again, and the index
/// is written. All machines need the same weights file and the same manifest.
#[derive(Debug, Parser)]
#[command(
    name = "extractor",
    version,
    after_help = "Example:\n  extractor --manifest W/augmented/manifest.csv --out W/features \
                  --weights W/weights/vgg16.safetensors --pool avg\n\n\
                  Environment:\n  TINDOGR_CONV3X3=amx|avx512|avx2|neon|portable|candle  what computes the convolutions on a CPU, instead of \
                  the best that it can run; only the last digits of features depend on it"
)]
pub struct Args {
    /// The manifest of the augmenter or the splitter
    #[arg(long)]
    pub manifest: PathBuf,
    /// Directory for the features
    #[arg(long)]
    pub out: PathBuf,
    /// The network: vgg16, efficientnet-lite0, resnet50, convnext-tiny or convnext-nano
    #[arg(long, default_value = "vgg16")]
    pub backbone: String,
    /// The weights file of the network, which the program `weights` makes
    #[arg(long)]
    pub weights: PathBuf,
    /// Preprocessing that the weights were trained with. For vgg16: torchvision (also timm's), caffe (also Keras'),
    /// tindogr-2018; each other network has one [default: the network's first]
    #[arg(long)]
    pub preset: Option<String>,
    /// Pixels a side of the network's input, a multiple of 32 [default: the preset's, 224 or 64]
    #[arg(long)]
    pub image_size: Option<u32>,
    /// Pooling of the last map: none (vgg16 and efficientnet-lite0) keeps all C x (S/32) x (S/32) values, avg takes the
    /// mean of each of the C channels [default: none for vgg16, avg for the other networks]
    #[arg(long, value_name = "none|avg")]
    pub pool: Option<Pool>,
    /// How features are stored: f16 takes half the disk
    #[arg(long, value_name = "f16|f32", default_value_t = Dtype::F32)]
    pub dtype: Dtype,
    /// Pictures that go through the network at a time; more takes more memory
    #[arg(long, default_value_t = 16)]
    pub batch_size: usize,
    /// Compute only the i-th of n parts, i from 0
    #[arg(long, value_name = "i/n", default_value = "0/1")]
    pub shard: Part,
    /// Where to compute
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub device: Device,
    /// How many rejected pictures to tolerate, as a count or a share
    #[arg(long, default_value = "1%")]
    pub max_bad: MaxBad,
    /// What to do about features that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The cost of a run
    #[command(flatten)]
    pub plan: PlanArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
}
