//! The sample data set: paints pictures of dogs, of other things, and profiles of people with dogs,
//! so that every stage can run from nothing, without a network.
//!
//! The pictures are drawings. They are made so that a breed can be learnt by its build, as in
//! photographs: pose, scale, coat, markings, light, background and noise vary within a class, and
//! coats, scenes and framing are the same draws for all classes.

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
