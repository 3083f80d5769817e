//! Whom to swipe right on: dogs in profile photos, their breed, their size, and a rule.
//!
//! `matcher classify` says what photos show; `matcher decide` goes through `profiles.csv` and writes
//! `decisions.csv` and `matches.html`. A photo is looked at exactly as extraction and training looked at
//! theirs ([`model`]); what is then decided is pure arithmetic ([`detect`], [`verdict`], [`filters`],
//! [`rules`]).
//!
//! This crate knows files only: it swipes nowhere and fetches nothing.

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
