//! The program `matcher`.

use std::process::ExitCode;

fn main() -> ExitCode {
    matcher::main()
}
