//! The `trainer` program; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    trainer::main()
}
