//! The Stanford Dogs data set: downloaded, checked and unpacked.
//!
//! 20,580 pictures of 120 breeds (Khosla and others, 2011) come in three archives: the pictures, the boxes
//! around the dogs, and the official split. Whatever interrupts this program, the next run goes on there;
//! `OUT/raw/.stanford-dogs.json` lists what was unpacked.
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
use data::current::{Asked, Place, Wanted};
use data::stage::{self, Manners};
use data::{commit, forecast};
use fetch::Patience;
use serde::Serialize;
use serde_json::json;

pub use crate::archives::{Archive, Layout, pinned};
use crate::download::{Client, PATIENCE};

/// What was unpacked, in the folder of the pictures; the splitter passes over names with a dot.
const RECORD: &str = "raw/.stanford-dogs.json";

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
    /// What to do about a data set that is there already
    #[command(flatten)]
    pub wanted: Wanted,
    /// The flags that every program has
    #[command(flatten)]
    pub manners: Manners,
}

/// What stands in `OUT`.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Inventory {
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
    let made = make(cli, archives, &PATIENCE)?;
    // Nothing was made where everything is current; that has been said.
    made.map_or(Ok(()), |inventory| stage::print_summary(&cli.manners, &inventory))
}

fn make(cli: &Cli, archives: &[Archive], patience: &Patience) -> anyhow::Result<Option<Inventory>> {
    let digests: BTreeMap<_, _> = archives.iter().map(|a| (a.name, &a.sha256)).collect();
    let place = Place::new(&cli.out, RECORD, "stanford-dogs");
    let job = place.start(&cli.wanted, &cli.manners, || Asked::new(&json!({ "archives": digests })))?;
    let Some(mut job) = job else { return Ok(None) };
    // Not of OUT itself: the stages write below it, and a lock sweeps what it takes for left behind.
    let folders = ["download"].into_iter().chain(archives.iter().map(|a| a.folder));
    let _locks: Vec<_> = folders
        .map(|folder| commit::lock(&cli.out.join(folder), "stanford-dogs"))
        .collect::<anyhow::Result<_>>()?;
    ensure_space(&cli.out, archives)?;

    let client = Client::new(cli, patience);
    let mut inventory = Inventory { pictures: 0, classes: 0 };
    let mut made = Vec::new();
    for archive in archives {
        let file = client.fetch(archive)?;
        let unpacked = unpack::unpack(cli, archive, &file, &mut job)
            .with_context(|| format!("cannot unpack {}", file.display()))?;
        if archive.folder == "raw" {
            (inventory.pictures, inventory.classes) = (unpacked.n_files, unpacked.n_folders);
        }
        made.extend(unpacked.names);
    }
    job.finish(made)?;
    Ok(Some(inventory))
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
