//! Finds the dogs in profile photos, with breed and size, and decides by a rule which profiles to like.
//!
//! `matcher classify` prints what photos show; `matcher decide` reads `profiles.csv` and writes
//! `decisions.csv` and `matches.html`. A photo is preprocessed exactly as for extraction and training
//! ([`model`]); the decision is pure arithmetic ([`detect`], [`verdict`], [`filters`], [`rules`]).
//!
//! This crate only reads and writes files: it does not use the network.

use std::process::ExitCode;

pub mod album;
pub mod classify;
pub mod decide;
pub mod decisions;
pub mod detect;
pub mod filters;
pub mod gallery;
pub mod model;
pub mod my_dog;
pub mod rules;
pub mod verdict;

mod args;
mod resume;
mod run;
#[cfg(test)]
mod tests;

pub use args::{Args, Command};
pub use run::run;

/// The program `matcher`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
