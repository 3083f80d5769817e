//! Makes more training pictures: seeded affine copies of the train pictures. Copies of valid and test pictures
//! are made only with `--replace-originals all`.
//!
//! Reads the splitter's manifest. Writes the copies, a manifest with all of its rows and those of the copies,
//! and `transforms.csv` with the transformation of each copy. A copy's parameters are drawn from (seed, digest of
//! the source picture, copy number), so they do not depend on other pictures or on threads.

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
