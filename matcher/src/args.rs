//! Command-line arguments.

use data::stage::CommonArgs;

use crate::{classify, decide};

/// The command-line arguments.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "matcher",
    version,
    about = "Classify dog photos, and like or pass on dating profiles by their dogs",
    long_about = "Classifies photos with a trained model: dog or not, which breed, which size. `classify` prints \
                  the result for photos. `decide` classifies the photos of a table of profiles, compares their \
                  dogs with yours by a rule, and writes decisions.csv and the page matches.html.",
    after_help = "Example:\n  matcher classify --model W/model --weights W/weights/vgg16.safetensors rex.jpg\n  matcher decide \
                  --model W/model --weights W/weights/vgg16.safetensors --profiles W/profiles/profiles.csv \
                  --my-dog beagle --out W/matches"
)]
pub struct Args {
    /// The command to run.
    #[command(subcommand)]
    pub command: Command,
    /// Arguments that all programs share.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The commands of the program.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum Command {
    /// Print for each photo whether it shows a dog, of which breed and of which size
    Classify(classify::ClassifyArgs),
    /// Decide like or pass for every profile of a table, with the reason
    Decide(Box<decide::DecideArgs>),
}
