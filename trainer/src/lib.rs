//! The head: trained and evaluated on cached bottleneck features.
//!
//! `trainer fit` makes `head.safetensors` from the features of train and valid; `trainer evaluate` opens
//! valid and test and writes `metrics.json`, `predictions.csv` and `confusion.csv`; `trainer report` puts
//! all of that, with the pictures, into one page; `trainer compare` puts runs side by side. [`Classifier`] is the head in use, for other programs.
//!
//! This crate knows features, not networks; only the report looks at pictures, to show them.

use std::fmt;
use std::process::ExitCode;

use data::stage::{self, Manners, print_summary};
use serde::Serialize;

pub mod classifier;
pub mod compare;
pub mod evaluate;
pub mod fit;
pub mod history;
pub mod imagenet;
pub mod metrics;
pub mod predictions;
pub mod report;

mod batches;
mod init;
mod loss;
mod mlp;
mod scaling;

pub use classifier::Classifier;

/// The arguments of the program.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "trainer",
    version,
    about = "Train, evaluate and report on a classifier of cached features",
    long_about = "Trains a small network (the head) on features that the extractor cached, evaluates it, and \
                  writes a report. The defaults are the post's head: Dense 2056 with ReLU, dropout 0.2, Dense \
                  1028 with ReLU, softmax; SGD at 0.01.",
    after_help = "Example:\n  trainer fit --features W/features --out W/model --epochs 20\n  \
                  trainer evaluate --features W/features --model W/model --manifest W/augmented/manifest.csv\n  \
                  trainer report --features W/features --model W/model --manifest W/augmented/manifest.csv"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The flags that every program has.
    #[command(flatten)]
    pub manners: Manners,
}

/// What to do.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Train a head on the features of train; valid chooses the best epoch
    Fit(fit::FitArgs),
    /// Measure a head on valid and test
    Evaluate(evaluate::EvaluateArgs),
    /// Write report.html: curves, confusion, mistakes, and what they were made of
    Report(report::ReportArgs),
    /// Put finished runs side by side, and say whether their figures may be compared
    Compare(compare::CompareArgs),
}

/// Runs the program.
pub fn main() -> ExitCode {
    stage::main(|cli: &Cli| &cli.manners, run)
}

/// Does what the arguments say.
///
/// # Errors
/// See [`fit::fit`], [`evaluate::evaluate`], [`report::report`] and [`compare::compare`].
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let manners = &cli.manners;
    match &cli.command {
        Command::Fit(args) => {
            print_if_made(manners, fit::fit(&fit::Config::new(args, manners.seed)?, manners)?)
        }
        Command::Evaluate(args) => print_if_made(manners, evaluate::evaluate(args, manners)?),
        Command::Report(args) => print_if_made(manners, report::report(args, manners)?),
        Command::Compare(args) => print_if_made(manners, compare::compare(args, manners)?),
    }
}

/// Nothing was made where everything is current; that has been said.
fn print_if_made<S: Serialize + fmt::Display>(manners: &Manners, summary: Option<S>) -> anyhow::Result<()> {
    summary.map_or(Ok(()), |summary| print_summary(manners, &summary))
}

// The synthetic data also serves the tests of the program, where this crate has a name.
#[cfg(test)]
extern crate self as trainer;
#[cfg(test)]
mod synthetic;
