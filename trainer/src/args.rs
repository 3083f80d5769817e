//! Command-line arguments.

use data::stage::CommonArgs;

use crate::{compare, evaluate, fit, report};

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
pub struct Args {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// The flags that every program has.
    #[command(flatten)]
    pub common: CommonArgs,
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
