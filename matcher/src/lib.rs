//! Whom to swipe right on: dogs in profile photos, their breed, their size, and a rule.
//!
//! `matcher classify` says what photos show; `matcher decide` goes through `profiles.csv` and writes
//! `decisions.csv` and `matches.html`. A photo is looked at exactly as extraction and training looked at
//! theirs ([`model`]); what is then decided is pure arithmetic ([`detect`], [`verdict`], [`filters`],
//! [`rules`]).
//!
//! This crate knows files only: it swipes nowhere and fetches nothing.

use std::process::ExitCode;

use data::stage::{self, Manners, print_summary};

pub mod album;
pub mod classify;
pub mod decide;
pub mod decisions;
pub mod detect;
pub mod filters;
pub mod gallery;
pub mod model;
pub mod my_dog;
pub mod profiles;
mod resume;
pub mod rules;
pub mod verdict;

/// The arguments of the program.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "matcher",
    version,
    about = "Say what photos show, and whom to swipe right on",
    long_about = "Looks at photos with a trained model: dog or not, which breed, which size. `classify` prints \
                  that for photos; `decide` applies it to a table of profiles, with a rule that compares their \
                  dogs with yours, and writes decisions.csv and a page to look at.",
    after_help = "Example:\n  matcher classify --model W/model --weights W/weights rex.jpg\n  matcher decide \
                  --model W/model --weights W/weights --profiles W/profiles/profiles.csv --my-dog beagle \
                  --out W/matches"
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
    /// Say of each photo whether it shows a dog, of which breed and of which size
    Classify(classify::ClassifyArgs),
    /// Like or pass on every profile of a table, with the reason
    Decide(Box<decide::DecideArgs>),
}

/// Runs the program.
pub fn main() -> ExitCode {
    stage::main(|cli: &Cli| &cli.manners, run)
}

/// Does what the arguments say.
///
/// # Errors
/// See [`classify::classify`] and [`decide::decide`].
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let manners = &cli.manners;
    match &cli.command {
        Command::Classify(args) => classify::classify(&classify::Config::new(args)?, manners),
        Command::Decide(args) => {
            let made = decide::decide(&decide::Config::new(args)?, manners)?;
            // Nothing was made where everything is current; that has been said.
            made.map_or(Ok(()), |summary| print_summary(manners, &summary))
        }
    }
}

#[cfg(test)]
mod tests;
