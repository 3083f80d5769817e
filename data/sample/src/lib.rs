//! Paints the sample data set: pictures of dogs and of other things, and profiles of people with dogs, so that every
//! stage can run without other data and without a network.
//!
//! The pictures are drawings. A breed can be learnt by its build, as in photographs: pose, scale, coat, markings,
//! light, background and noise vary within a class, and coats, scenes and framing have the same distribution in all
//! classes.

use std::process::ExitCode;

mod args;
mod breeds;
mod builds;
mod classes;
mod coats;
mod colour;
mod config;
mod dog;
mod figure;
mod finish;
mod output;
mod people;
mod picture;
mod pose;
mod run;
mod scenes;
mod shapes;
#[cfg(test)]
mod tests;
mod things;

pub use args::Args;
pub use run::run;

/// The program `sample`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
