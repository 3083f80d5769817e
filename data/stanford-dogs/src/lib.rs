//! The Stanford Dogs data set: downloaded, checked and unpacked.
//!
//! 20,580 pictures of 120 breeds (Khosla and others, 2011) come in three archives: the pictures, the boxes
//! around the dogs, and the official split. Whatever interrupts this program, the next run goes on there;
//! `OUT/raw/.stanford-dogs.json` lists what was unpacked.
//!
//! It is a program of its own so that no stage needs an HTTP client.

use std::process::ExitCode;

mod archives;
mod args;
mod download;
mod lists;
mod mat;
mod run;
#[cfg(test)]
mod tests;
mod unpack;

pub use archives::{Archive, Layout, pinned};
pub use args::Args;
pub use run::{run, run_with};

/// The program `stanford-dogs`.
pub fn main() -> ExitCode {
    data::stage::main(|args: &Args| &args.common, run)
}
