//! Runs the command of the program.

use data::stage::print_summary;

use crate::args::{Args, Command};
use crate::{classify, decide};

/// Runs the command that the arguments name.
///
/// # Errors
/// Those of [`classify::classify`] and [`decide::decide`].
pub fn run(args: &Args) -> anyhow::Result<()> {
    let common = &args.common;
    match &args.command {
        Command::Classify(args) => classify::classify(&classify::Config::new(args)?, common),
        Command::Decide(args) => {
            let made = decide::decide(&decide::Config::new(args)?, common)?;
            // No summary if nothing was written; decide has printed why.
            made.map_or(Ok(()), |summary| print_summary(common, &summary))
        }
    }
}
