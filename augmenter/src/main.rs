//! The program `augmenter`.
use std::process::ExitCode;

fn main() -> ExitCode {
    augmenter::main()
}
