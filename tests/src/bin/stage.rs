//! All programs of the workspace in one binary, selected by the name of the executable, so that Cargo builds them
//! before the suite runs and the suite needs no other target directory.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use data::provenance::sha256_file;
use stanford_dogs::Archive;

/// Variable for a folder with small archives that replace those of Stanford Dogs in tests. The program itself accepts
/// only the real archives.
const MINIATURE: &str = "MINIATURE_OF_STANFORD_DOGS";

fn main() -> ExitCode {
    let called_as = std::env::args_os().next().unwrap_or_default();
    match Path::new(&called_as).file_name().and_then(|name| name.to_str()) {
        Some("sample") => sample::main(),
        Some("stanford-dogs") => match std::env::var_os(MINIATURE) {
            None => stanford_dogs::main(),
            Some(folder) => stanford_dogs_of(&folder),
        },
        Some("splitter") => splitter::main(),
        Some("augmenter") => augmenter::main(),
        Some("weights") => weights::main(),
        Some("extractor") => extractor::main(),
        Some("trainer") => trainer::main(),
        Some("matcher") => matcher::main(),
        _ => ExitCode::from(2),
    }
}

fn stanford_dogs_of(folder: &OsStr) -> ExitCode {
    let pin = |archive: Archive| -> anyhow::Result<Archive> {
        let file = Path::new(folder).join(archive.name);
        let size = fs::metadata(&file).with_context(|| format!("cannot look at {}", file.display()))?.len();
        Ok(Archive { size, sha256: sha256_file(&file)?, counts: None, ..archive })
    };
    data::stage::main(
        |args: &stanford_dogs::Args| &args.common,
        |args| {
            let archives: Vec<Archive> =
                stanford_dogs::pinned().into_iter().map(pin).collect::<anyhow::Result<_>>()?;
            stanford_dogs::run_with(args, &archives)
        },
    )
}
