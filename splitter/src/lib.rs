//! Class folders to a stratified, seeded train/valid/test manifest.
//!
//! The stage reads every picture once, names the ones it cannot use, finds those that are the same to the
//! byte, and gives each of the rest to train, valid or test. From here on the manifest, never a directory
//! listing, says which pictures there are and in which order.
//!
//! This crate knows nothing of tensors, and of pictures only what [`data::photo`] tells: their size.

mod assign;
mod boxes;
mod changes;
mod config;
mod duplicates;
mod inspect;
mod lists;
mod mat;
mod names;
mod output;
mod places;
mod scan;
mod summary;
#[cfg(test)]
mod tests;
mod tree;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use data::current::{Job, Place, Wanted};
use data::manifest;
use data::stage::{self, Manners};
use serde::Serialize;

use crate::config::Config;
use crate::lists::Selection;
use crate::scan::Listing;
use crate::summary::Summary;

/// Splits class folders of pictures into train, valid and test.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "splitter",
    about,
    long_about = "Splits class folders of pictures into train, valid and test.\n\n\
        --images holds one folder for each class, and each class folder holds its pictures. Every picture \
        is read and checked; those that cannot be used are named in rejects.csv. Each class is divided by \
        the same ratio; pictures that are the same to the byte stay on one side. The result is \
        OUT/manifest.csv; with --tree also OUT/{train,valid,test}/CLASS/<picture>.\n\n\
        The same pictures, seed and parameters give the same bytes. Adding a class, or a picture to a class, \
        does not move the pictures of another class.",
    after_help = "Example:\n  \
        splitter --images runs/mine/raw --out runs/mine/split --ratio 0.8,0.1,0.1 --tree symlink\n  \
        splitter --images Images --out split --split-list train_list.mat,test_list.mat"
)]
pub struct Cli {
    /// Folder of class folders
    #[arg(long, value_name = "DIR")]
    pub images: PathBuf,
    /// Folder for the manifest; neither inside --images nor around it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Shares of train, valid and test in each class; they sum to 1 and 0 leaves a part empty
    #[arg(
        long,
        value_name = "TRAIN,VALID,TEST",
        value_delimiter = ',',
        allow_hyphen_values = true,
        default_value = "0.7,0.15,0.15",
        conflicts_with_all = ["split_list", "fixed"]
    )]
    pub ratio: Vec<f64>,
    /// With --ratio: the first pictures of each class, by name, are train and the last test, as the post
    /// did. What neighbours in the listing share, a litter or a photographer, then tells the splits apart
    #[arg(long, conflicts_with_all = ["split_list", "fixed"])]
    pub unshuffled: bool,
    /// Lists of the train and of the test pictures: MATLAB files (v5, variable file_list) or text, one
    /// class/picture a line. Valid is carved out of train
    #[arg(long, value_name = "TRAIN,TEST", value_delimiter = ',', conflicts_with = "fixed")]
    pub split_list: Vec<PathBuf>,
    /// With --split-list: the share of train that becomes valid. A tenth of Stanford Dogs' train list is
    /// the 10,800 / 1,200 / 8,580 of Visual Prompt Tuning (Jia and others, 2022), which others compare with
    #[arg(
        long,
        value_name = "SHARE",
        allow_hyphen_values = true,
        default_value_t = 0.1,
        requires = "split_list"
    )]
    pub valid_share: f64,
    /// Pictures of each class for valid, and for test (as many, if not given); the rest is train
    #[arg(long, value_name = "VALID[,TEST]", value_delimiter = ',')]
    pub fixed: Vec<usize>,
    /// Let only the dog be seen, in every later stage: of each picture's annotation,
    /// DIR/CLASS/PICTURE[.xml], in the format of Pascal VOC, the largest box that is named like the class,
    /// a dog or a breed. A picture without one stays whole
    #[arg(long, value_name = "DIR")]
    pub crop_to_box: Option<PathBuf>,
    /// Also make the folders OUT/{train,valid,test}/CLASS/, for people and other tools
    #[arg(long, value_enum, default_value_t = Tree::None)]
    pub tree: Tree,
    /// Pictures of one class that are the same to the byte: keep all, on one side, or drop all but the first
    #[arg(long, value_enum, default_value_t = Duplicates::Keep)]
    pub duplicates: Duplicates,
    /// Put a class that is too small to be split into train, instead of refusing it
    #[arg(long)]
    pub allow_small: bool,
    /// Split a single class too, from which no classifier can be trained
    #[arg(long)]
    pub allow_one_class: bool,
    /// How pictures are checked: decode each in full, or look at its header only, which is faster and
    /// misses damage further down
    #[arg(long, value_enum, default_value_t = Inspect::Decode)]
    pub inspect: Inspect,
    /// Give up if more pictures than this are bad: a count or a share. Files that are no pictures, and not
    /// named like one, do not count
    #[arg(long, value_name = "N|N%", default_value = "50%")]
    pub max_bad: manifest::MaxBad,
    /// Do everything but write
    #[arg(long)]
    pub dry_run: bool,
    /// What to do about a split that is there already
    #[command(flatten)]
    pub wanted: Wanted,
    /// The flags that every program has
    #[command(flatten)]
    pub manners: Manners,
}

/// What stands in the tree of `--tree`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// No tree
    None,
    /// Second names of the pictures themselves: no space, one file system
    Hardlink,
    /// Relative links to the pictures
    Symlink,
    /// Copies
    Copy,
}

/// What becomes of pictures of one class that are the same to the byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// All are rows, and all in the same split
    Keep,
    /// The first by path is a row, the others are rejected as `duplicate`
    Drop,
}

/// How much of a picture is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspect {
    /// All of it
    Decode,
    /// Its header
    Header,
}

/// The program.
pub fn main() -> ExitCode {
    stage::main(|cli: &Cli| &cli.manners, run)
}

/// Splits as `cli` says and prints the summary.
///
/// # Errors
/// [`stage::Exit::Usage`] for flags that contradict each other, [`stage::Exit::TryAgain`] if another
/// process writes into `--out`; anything else names the file or the class. Nothing is written then.
pub fn run(cli: &Cli) -> anyhow::Result<()> {
    let place = Place::new(&cli.out, output::PROVENANCE, output::STAGE);
    if cli.wanted.clean {
        // Also where the pictures are no longer there.
        return place.clean();
    }
    let config = Config::check(cli)?;
    if config.dry_run {
        return split(&config, scan::list(&config.images)?, None);
    }
    let mut listing = None;
    let job = place.start(&config.wanted, &config.manners, || {
        let listing = listing.insert(scan::list(&config.images)?);
        output::asked(&config, listing)
    })?;
    let (Some(job), Some(listing)) = (job, listing) else { return Ok(()) };
    split(&config, listing, Some(job))
}

/// Splits what was listed; without a job, writes nothing.
fn split(config: &Config, mut listing: Listing, mut job: Option<Job>) -> anyhow::Result<()> {
    let selection = lists::select(config, &mut listing)?;
    assign::check_class_sizes(&config.rule, &listing)?;
    let _lock = job.as_ref().map(|job| output::claim(config, job)).transpose()?;

    let Selection { absent, n_unlisted } = selection;
    let n_in = listing.candidates.len() + absent.len();
    let inspection = inspect::inspect(config, &listing, absent)?;
    config.max_bad.check(n_in, &inspection.rejects)?;

    let settled = duplicates::settle(config, &listing.classes, inspection);
    let splits = assign::assign(&config.rule, &listing.classes, &settled)?;
    let boxes = config.annotations.as_deref();
    let boxes = boxes.map(|dir| boxes::find(dir, &listing.classes, &settled.pictures)).transpose()?;
    let rows = output::rows(config, &listing.classes, &settled.pictures, &splits, boxes.as_deref());

    let changes = changes::since_last_time(&config.out, &rows);
    let summary = Summary::new(config, n_in, n_unlisted, listing.ignored, &settled, &rows, changes);
    summary.check_counts()?;
    if let Some(job) = job.take() {
        output::write(config, &rows, &settled.rejects, job)?;
    }
    stage::print_summary(&config.manners, &summary)
}
