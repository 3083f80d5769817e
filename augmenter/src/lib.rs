//! More training pictures: seeded affine copies of the train rows, and nothing of valid and test but on
//! the explicit `--replace-originals all`.
//!
//! Reads the splitter's manifest and writes another one with all of its rows and those of the copies,
//! the copies themselves, and `transforms.csv` with what was done to each. A copy's parameters are
//! drawn from (seed, picture's digest, copy), so they depend on no other picture and no thread.

use std::process::ExitCode;

pub mod config;
pub mod draw;
pub mod transform;
pub mod warp;

mod args;
mod copy;
mod cost;
mod counts;
mod encode;
mod paths;
mod run;
mod sheet;

pub use args::{Args, FillMode, Format, Replaced};
pub use run::run;

/// The program `augmenter`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
