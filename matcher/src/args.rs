//! Command-line arguments.

use data::stage::CommonArgs;

use crate::{classify, decide};

/// The arguments of the program.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "matcher",
    version,
    about = "Say what photos show, and whom to swipe right on",
    long_about = "Looks at photos with a trained model: dog or not, which breed, which size. `classify` prints \
                  that for photos; `decide` applies it to a table of profiles, with a rule that compares their \
                  dogs with yours, and writes decisions.csv and a page to look at.",
    after_help = "Example:\n  matcher classify --model W/model --weights W/weights/vgg16.safetensors rex.jpg\n  matcher decide \
                  --model W/model --weights W/weights/vgg16.safetensors --profiles W/profiles/profiles.csv \
                  --my-dog beagle --out W/matches"
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
    /// Say of each photo whether it shows a dog, of which breed and of which size
    Classify(classify::ClassifyArgs),
    /// Like or pass on every profile of a table, with the reason
    Decide(Box<decide::DecideArgs>),
}
