//! Downloads the Stanford Dogs data set, verifies it and unpacks it.
//!
//! 20,580 pictures of 120 breeds (Khosla et al., 2011) are in three archives: the pictures, the boxes around the
//! dogs, and the official split. After any interruption the next run continues; `OUT/raw/.stanford-dogs.json` lists
//! the unpacked files.
//!
//! It is a separate program so that no stage needs an HTTP client.

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
