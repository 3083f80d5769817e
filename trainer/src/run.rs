//! The program, from arguments to summary.

use std::fmt;

use data::stage::{CommonArgs, print_summary};
use serde::Serialize;

use crate::args::{Args, Command};
use crate::{compare, evaluate, fit, pretrained, report};

/// Runs the subcommand.
///
/// # Errors
/// See [`fit::run`], [`pretrained::run`], [`evaluate::run`], [`report::run`] and [`compare::run`].
pub fn run(args: &Args) -> anyhow::Result<()> {
    let common = &args.common;
    match &args.command {
        Command::Fit(args) => print(common, fit::run(&fit::Config::new(args, common)?)?),
        Command::Pretrained(args) => print(common, pretrained::run(&pretrained::Config::new(args, common))?),
        Command::Evaluate(args) => print(common, evaluate::run(&evaluate::Config::new(args, common)?)?),
        Command::Report(args) => print(common, report::run(&report::Config::new(args, common))?),
        Command::Compare(args) => print(common, compare::run(&compare::Config::new(args, common)?)?),
    }
}

/// Prints the summary; without one everything is up to date, and [`data::current`] has said so.
fn print<S: Serialize + fmt::Display>(common: &CommonArgs, summary: Option<S>) -> anyhow::Result<()> {
    summary.map_or(Ok(()), |summary| print_summary(common, &summary))
}
