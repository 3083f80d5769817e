//! The head: trained and evaluated on cached bottleneck features.
//!
//! `trainer fit` makes `head.safetensors` from the features of train and valid; `trainer evaluate` opens
//! valid and test and writes `metrics.json`, `predictions.csv` and `confusion.csv`; `trainer report` puts
//! all of that, with the pictures, into one page; `trainer compare` puts runs side by side. [`Classifier`] is the head in use, for other programs.
//!
//! This crate knows features, not networks; only the report looks at pictures, to show them.

use std::process::ExitCode;

pub mod classifier;
pub mod compare;
pub mod evaluate;
pub mod fit;
pub mod history;
pub mod imagenet;
pub mod metrics;
pub mod predictions;
pub mod report;

mod args;
mod batches;
mod init;
mod loss;
mod mlp;
mod run;
mod scaling;

pub use args::{Args, Command};
pub use classifier::Classifier;
pub use run::run;

/// The program `trainer`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}

// The synthetic data also serves the tests of the program, where this crate has a name.
#[cfg(test)]
extern crate self as trainer;
#[cfg(test)]
mod synthetic;
