//! The Stanford Dogs data set: downloaded, checked and unpacked.
//!
//! 20,580 pictures of 120 breeds (Khosla and others, 2011) come in three archives: the pictures, the boxes
//! around the dogs, and the official split. Whatever interrupts this program, the next run goes on there;
//! `OUT/raw/.stanford-dogs.json` is written last and says that everything stands.
//!
//! It is a program of its own so that no stage needs an HTTP client.

mod archives;
mod download;
#[cfg(test)]
mod tests;
mod unpack;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use data::stage::{self, Manners};
use data::{commit, forecast, regular};
use fetch::Patience;
use serde::{Deserialize, Serialize};

pub use crate::archives::{Archive, Layout, pinned};
use crate::download::{Client, PATIENCE};

/// Written last, in the folder of the pictures; the splitter passes over names with a dot.
const TARGET: &str = "raw/.stanford-dogs.json";

/// Fetches the Stanford Dogs data set.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "stanford-dogs",
    about,
    long_about = "Fetches the Stanford Dogs data set, checks it and unpacks it.\n\n\
        The archives go to OUT/download (0.8 GB), their files to OUT/raw, OUT/annotations and OUT/lists \
        (0.8 GB again). A run that is interrupted goes on where it was. Archives that you have already may be \
        put into OUT/download by hand. Once all is unpacked, OUT/download may be removed.",
    after_help = "Example:\n  stanford-dogs --out data/runs/stanford-dogs"
)]
pub struct Cli {
    /// Folder for the data set
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where images.tar, annotation.tar and lists.tar are fetched from
    #[arg(long, value_name = "URL", default_value = archives::HOME)]
    pub mirror: String,
    /// The flags that every program has
    #[command(flatten)]
    pub manners: Manners,
}

/// What stands in `OUT`, as the target file says it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Inventory {
    /// sha256 of each archive.
    archives: BTreeMap<String, String>,
    pictures: usize,
    classes: usize,
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stanford Dogs: {} pictures of {} breeds", self.pictures, self.classes)
    }
}

/// The program.
pub fn main() -> ExitCode {
    stage::main(|cli: &Cli| &cli.manners, run)
}

/// Makes the data set stand in `--out`.
///
/// # Errors
/// [`stage::Exit::TryAgain`] if the server is too busy or another process writes there; anything else names
/// the archive or the entry.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    run_with(cli, &pinned())
}

/// [`run`] for other archives of the same layout; the program has no option for it.
///
/// # Errors
/// As [`run`].
pub fn run_with(cli: &Cli, archives: &[Archive]) -> anyhow::Result<()> {
    let inventory = make(cli, archives, &PATIENCE)?;
    stage::print_summary(&cli.manners, &inventory)
}

fn make(cli: &Cli, archives: &[Archive], patience: &Patience) -> anyhow::Result<Inventory> {
    let digests: BTreeMap<_, _> = archives.iter().map(|a| (a.name.to_owned(), a.sha256.clone())).collect();
    let target = cli.out.join(TARGET);
    if let Some(inventory) = finished(&target)?.filter(|i| i.archives == digests) {
        return Ok(inventory);
    }
    // Not of OUT itself: the stages write below it, and a lock sweeps what it takes for left behind.
    let folders = ["download"].into_iter().chain(archives.iter().map(|a| a.folder));
    let _locks: Vec<_> = folders
        .map(|folder| commit::lock(&cli.out.join(folder), "stanford-dogs"))
        .collect::<anyhow::Result<_>>()?;
    ensure_space(&cli.out, archives)?;

    let client = Client::new(cli, patience);
    let mut inventory = Inventory { archives: digests, pictures: 0, classes: 0 };
    for archive in archives {
        let file = client.fetch(archive)?;
        let unpacked = unpack::unpack(cli, archive, &file)
            .with_context(|| format!("cannot unpack {}", file.display()))?;
        if archive.folder == "raw" {
            (inventory.pictures, inventory.classes) = (unpacked.n_files, unpacked.n_folders);
        }
    }
    commit::write_bytes(&target, serde_json::to_string_pretty(&inventory)?.as_bytes())?;
    Ok(inventory)
}

fn finished(target: &Path) -> anyhow::Result<Option<Inventory>> {
    let text = match regular::read(target, regular::MAX_TEXT_BYTES) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("cannot read {}", target.display()))?,
    };
    let inventory = serde_json::from_slice(&text);
    inventory.map(Some).with_context(|| format!("{} is damaged; remove it and run again", target.display()))
}

/// Refuses a disk that the rest of the archives and all of their files will not fit on.
fn ensure_space(out: &Path, archives: &[Archive]) -> anyhow::Result<()> {
    let mut needed = 0;
    for archive in archives {
        let file = out.join("download").join(archive.name);
        let length = |path: &Path| fs::metadata(path).map_or(0, |m| m.len());
        let fetched = length(&file).max(length(&download::part_of(&file)));
        needed += archive.size.saturating_sub(fetched);
        // Begun is counted as not begun: a little too careful.
        needed += archive.size;
    }
    forecast::ensure_space(out, needed, "the data set")
}
