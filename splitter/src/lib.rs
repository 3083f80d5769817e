//! Splits class folders of pictures into a stratified, seeded train/valid/test manifest.
//!
//! The stage reads every picture once, reports those that it cannot use, finds identical ones, and assigns each
//! of the rest to train, valid or test. All later stages take the pictures and their order from the manifest,
//! never from a directory listing.
//!
//! This crate uses no tensors. Of a picture it uses only the size, from [`data::photo`].

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
