//! Every program of the workspace in one binary, chosen by the name it is called by, so that Cargo
//! builds them fresh before the suite runs and the suite needs no other target directory.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let called_as = std::env::args_os().next().unwrap_or_default();
    match Path::new(&called_as).file_name().and_then(|name| name.to_str()) {
        Some("sample") => data::sample::main(),
        Some("splitter") => splitter::main(),
        Some("augmenter") => augmenter::main(),
        Some("extractor") => extractor::main(),
        Some("trainer") => trainer::main(),
        Some("matcher") => matcher::main(),
        _ => ExitCode::from(2),
    }
}
