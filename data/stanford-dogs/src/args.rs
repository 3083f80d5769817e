//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::stage::CommonArgs;

use crate::archives;

/// Downloads the Stanford Dogs data set.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "stanford-dogs",
    about,
    long_about = "Downloads the Stanford Dogs data set, verifies it and unpacks it.\n\n\
        The archives are written to OUT/download (0.8 GB), their files to OUT/raw, OUT/annotations and OUT/lists \
        (0.8 GB more). After an interruption, the next run continues. Archives that you already have may be \
        put into OUT/download by hand. When everything is unpacked, OUT/download may be removed.",
    after_help = "Example:\n  stanford-dogs --out data/runs/stanford-dogs"
)]
pub struct Args {
    /// Folder for the data set
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// URL of the folder with images.tar, annotation.tar and lists.tar
    #[arg(long, value_name = "URL", default_value = archives::HOME, value_parser = address)]
    pub mirror: String,
    /// What to do about an existing data set
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// Arguments that all programs share
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Parses the value of `--mirror`.
fn address(text: &str) -> Result<String, String> {
    let is_web = ["http://", "https://"].iter().any(|scheme| text.to_ascii_lowercase().starts_with(scheme));
    if is_web {
        Ok(text.to_owned())
    } else {
        Err("expected an address that begins with http:// or https://".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn a_mirror_is_a_web_address() {
        let parse = |mirror: &str| Args::try_parse_from(["stanford-dogs", "--out", "x", "--mirror", mirror]);
        assert!(parse("https://example.org/dogs").is_ok());
        for wrong in ["file:///tmp", "example.org", ""] {
            assert!(parse(wrong).unwrap_err().to_string().contains("begins with http"), "{wrong}");
        }
    }
}
