//! Bottleneck features: every picture once through the convolutions of VGG-16.
//!
//! [`run()`] is the stage: manifest in, sharded features out. The stage and the matcher both
//! use [`FeatureExtractor`], so that a photo is processed exactly as the training pictures were.
//!
//! Letters in comments: B pictures of S x S pixels, n pictures in all, D features of one picture.

use std::process::ExitCode;

mod ahead;
mod args;
mod config;
mod conv;
mod cost;
mod device;
mod extraction;
mod feature_extractor;
mod folded_lite0;
mod loading;
mod part;
pub mod preprocess;
mod run;
mod shards;
mod stored;
pub mod vgg16;

pub use args::Args;
pub use feature_extractor::FeatureExtractor;
pub use folded_lite0::FoldedLite0;
pub use preprocess::{Preset, preprocess};
pub use run::run;
pub use vgg16::Vgg16;

/// The program `extractor`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
