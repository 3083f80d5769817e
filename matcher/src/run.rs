//! The program, from arguments to summary.

use data::stage::print_summary;

use crate::args::{Args, Command};
use crate::{classify, decide};

/// Does what the arguments say.
///
/// # Errors
/// See [`classify::classify`] and [`decide::decide`].
pub fn run(args: &Args) -> anyhow::Result<()> {
    let common = &args.common;
    match &args.command {
        Command::Classify(args) => classify::classify(&classify::Config::new(args)?, common),
        Command::Decide(args) => {
            let made = decide::decide(&decide::Config::new(args)?, common)?;
            // Nothing was made where everything is current; that has been said.
            made.map_or(Ok(()), |summary| print_summary(common, &summary))
        }
    }
}
