//! Command-line arguments.

use data::stage::CommonArgs;

use crate::{compare, evaluate, fit, pretrained, report};

/// The arguments of the program.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "trainer",
    version,
    about = "Trains a classifier (the head) on extracted features, evaluates it and writes a report",
    long_about = "Trains a classifier (the head) on the features that the extractor wrote, evaluates it and writes a \
                  report. The default head is Dense 2056 with ReLU, dropout 0.2, Dense 1028 with ReLU, Dense with \
                  softmax, trained by SGD with learning rate 0.01.",
    after_help = "Example:\n  trainer fit --features W/features --out W/model --epochs 20\n  \
                  trainer evaluate --features W/features --model W/model --manifest W/augmented/manifest.csv\n  \
                  trainer report --features W/features --model W/model --manifest W/augmented/manifest.csv"
)]
pub struct Args {
    /// The subcommand.
    #[command(subcommand)]
    pub command: Command,
    /// The flags that every program has.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The subcommands.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Train a head on the train split; the epoch with the highest accuracy on valid is kept
    Fit(fit::Args),
    /// Make a head without training: the classifier that the network was published with
    Pretrained(pretrained::Args),
    /// Evaluate a head on valid and test: accuracy, loss, F1, calibration
    Evaluate(evaluate::Args),
    /// Write report.html: learning curves, confusion matrix, example pictures, hyperparameters
    Report(report::Args),
    /// Compare the test metrics of finished runs, where they can be compared
    Compare(compare::Args),
}
