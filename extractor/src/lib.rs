//! Bottleneck features: every picture once through the convolutions of a network ([`backbone`]).
//!
//! [`run()`] is the stage: manifest in, sharded features out. The stage and the matcher both
//! use [`FeatureExtractor`], so that a photo is processed exactly as the training pictures were.
//!
//! Letters in comments: B pictures of S x S pixels, n pictures in all, D features of one picture.

use std::process::ExitCode;

mod ahead;
mod args;
pub mod backbone;
mod config;
mod conv;
mod cost;
mod device;
mod extraction;
mod feature_extractor;
mod loading;
mod part;
pub mod preprocess;
mod run;
mod shards;
mod stored;

pub use args::Args;
pub use feature_extractor::FeatureExtractor;
pub use preprocess::{Preset, preprocess};
pub use run::run;

/// The program `extractor`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
