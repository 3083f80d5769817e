//! Paints the sample data set.

use std::process::ExitCode;

fn main() -> ExitCode {
    data::sample::main()
}
