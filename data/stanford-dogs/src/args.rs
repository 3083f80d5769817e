//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::stage::CommonArgs;

use crate::archives;

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
pub struct Args {
    /// Folder for the data set
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Where images.tar, annotation.tar and lists.tar are fetched from
    #[arg(long, value_name = "URL", default_value = archives::HOME)]
    pub mirror: String,
    /// What to do about a data set that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
}
