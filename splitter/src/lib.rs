//! Class folders to a stratified, seeded train/valid/test manifest.
//!
//! The stage reads every picture once, names the ones it cannot use, finds those that are the same to the
//! byte, and gives each of the rest to train, valid or test. From here on the manifest, never a directory
//! listing, says which pictures there are and in which order.
//!
//! This crate knows nothing of tensors, and of pictures only what [`data::photo`] tells: their size.

use std::process::ExitCode;

mod args;
mod assign;
mod boxes;
mod changes;
mod config;
mod duplicates;
mod inspect;
mod lists;
mod method;
mod names;
mod output;
mod places;
mod run;
mod scan;
mod summary;
#[cfg(test)]
mod tests;
mod tree;

pub use args::{Args, Duplicates, Inspect, Tree};
pub use run::run;

/// The program `splitter`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
