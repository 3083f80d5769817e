//! The augmenter's program; see the library.
use std::process::ExitCode;

fn main() -> ExitCode {
    augmenter::main()
}
