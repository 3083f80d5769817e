//! The program, from arguments to summary.

use std::fmt;

use data::stage::{CommonArgs, print_summary};
use serde::Serialize;

use crate::args::{Args, Command};
use crate::{compare, evaluate, fit, report};

/// Does what the arguments say.
///
/// # Errors
/// See [`fit::fit`], [`evaluate::evaluate`], [`report::report`] and [`compare::compare`].
pub fn run(args: &Args) -> anyhow::Result<()> {
    let common = &args.common;
    match &args.command {
        Command::Fit(args) => print_if_made(common, fit::fit(&fit::Config::new(args, common.seed)?, common)?),
        Command::Evaluate(args) => print_if_made(common, evaluate::evaluate(args, common)?),
        Command::Report(args) => print_if_made(common, report::report(args, common)?),
        Command::Compare(args) => print_if_made(common, compare::compare(args, common)?),
    }
}

/// Nothing was made where everything is current; that has been said.
fn print_if_made<S: Serialize + fmt::Display>(common: &CommonArgs, summary: Option<S>) -> anyhow::Result<()> {
    summary.map_or(Ok(()), |summary| print_summary(common, &summary))
}
