//! Runs the program, from arguments to summary.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::Context;
use data::current::{Inputs, Place};
use data::{disk, stage};
use fetch::RetryPolicy;
use serde::Serialize;
use serde_json::json;

use crate::archives::{Archive, pinned};
use crate::args::Args;
use crate::download::{self, Client, RETRY_POLICY};
use crate::lists;
use crate::unpack;

/// Record of the unpacked files, in the folder of the pictures; the splitter ignores names with a dot.
pub(crate) const RECORD: &str = "raw/.stanford-dogs.json";

/// The counts of the data set in `OUT`.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Inventory {
    pub(crate) pictures: usize,
    pub(crate) classes: usize,
}

impl fmt::Display for Inventory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stanford Dogs: {} pictures of {} breeds", self.pictures, self.classes)
    }
}

/// Downloads and unpacks the data set into `--out`.
///
/// # Errors
/// [`stage::Exit::TryAgain`] if the server is too busy or another process writes there; other errors name the
/// archive or the entry.
pub fn run(args: &Args) -> anyhow::Result<()> {
    run_with(args, &pinned())
}

/// Runs as [`run`], but for other archives of the same layout; only tests use it.
///
/// # Errors
/// As for [`run`].
pub fn run_with(args: &Args, archives: &[Archive]) -> anyhow::Result<()> {
    let made = make(args, archives, &RETRY_POLICY)?;
    // Nothing was made if everything is current; this was already printed.
    made.map_or(Ok(()), |inventory| stage::print_summary(&args.common, &inventory))
}

pub(crate) fn make(
    args: &Args,
    archives: &[Archive],
    policy: &RetryPolicy,
) -> anyhow::Result<Option<Inventory>> {
    let digests: BTreeMap<_, _> = archives.iter().map(|a| (a.name, &a.sha256)).collect();
    // Not the lock of OUT: stages write below it, and taking its lock would remove their temporary files.
    let folders = ["download"].into_iter().chain(archives.iter().map(|a| a.folder));
    let place = Place::new(&args.out, RECORD, "stanford-dogs").of_folders(folders);
    let job = place.start(&args.rerun, &args.common, || Inputs::new(&json!({ "archives": digests })))?;
    let Some(mut job) = job else { return Ok(None) };
    let _locks = job.lock()?;
    ensure_space(&args.out, archives)?;

    let client = Client::new(args, policy);
    let mut inventory = Inventory { pictures: 0, classes: 0 };
    let mut made = Vec::new();
    for archive in archives {
        let file = client.fetch(archive)?;
        let unpacked = unpack::unpack(args, archive, &file, &mut job)
            .with_context(|| format!("cannot unpack {}", file.display()))?;
        if archive.folder == "raw" {
            (inventory.pictures, inventory.classes) = (unpacked.n_files, unpacked.n_folders);
        }
        made.extend(lists::write_as_text(&args.out, &unpacked.names, &mut job)?);
        made.extend(unpacked.names);
    }
    job.finish(made)?;
    Ok(Some(inventory))
}

/// Checks that the disk has space for the missing archives and all of their files.
fn ensure_space(out: &Path, archives: &[Archive]) -> anyhow::Result<()> {
    let mut needed = 0;
    for archive in archives {
        let file = out.join("download").join(archive.name);
        let length = |path: &Path| fs::metadata(path).map_or(0, |m| m.len());
        let fetched = length(&file).max(length(&download::part_of(&file)));
        needed += archive.size.saturating_sub(fetched);
        // An unfinished download counts as missing: the estimate is a little too high.
        needed += archive.size;
    }
    disk::ensure_space(out, needed, "the data set")
}
