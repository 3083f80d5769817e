//! The weights of a network: fetched from the Hugging Face hub, converted from a file, or drawn from a seed, and
//! written as one checked safetensors file.
//!
//! [`run()`] is the program. Wherever weights come from, they end as a file of [`data::weights`], which is the only kind
//! that the extractor, the trainer and the matcher read.

use std::process::ExitCode;

mod args;
mod config;
mod hub;
mod names;
mod package;
mod pth;
pub mod published;
mod run;
mod source;
#[cfg(test)]
mod tests;

pub use args::Args;
pub use run::run;
pub use source::Source;

/// The program `weights`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
