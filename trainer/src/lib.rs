//! The head: a classifier trained and evaluated on extracted features.
//!
//! `trainer fit` trains `head.safetensors` on the features of train and valid, from random weights or from those of the
//! classifier that the network was published with; `trainer evaluate` reads the features of
//! valid and test and writes `metrics.json`, `predictions.csv` and `confusion.csv`; `trainer report` writes a page with
//! all of these and with example pictures; `trainer pretrained` makes a head of the classifier that a network was published
//! with, without training; `trainer compare` compares finished runs. [`Classifier`] predicts with a
//! trained head, also for other programs.
//!
//! This crate reads features, not networks; only the report decodes pictures, to show them.

use std::process::ExitCode;

pub mod classifier;
pub mod compare;
pub mod confusion;
pub mod evaluate;
pub mod fit;
pub mod history;
pub mod imagenet;
pub mod prediction;
pub mod predictions;
pub mod pretrained;
pub mod report;

mod args;
mod batches;
mod init;
mod loss;
mod manifest;
mod metrics;
mod mlp;
mod run;
mod scaling;
mod sgd;
mod sign_test;
mod start_penalty;

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
