//! Command-line arguments.

use std::path::PathBuf;

use clap::ValueEnum;
use data::current::RerunArgs;
use data::rejects;
use data::stage::CommonArgs;
use serde::Serialize;

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
        splitter --images Images --out split --split-list train_list.txt,test_list.txt"
)]
pub struct Args {
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
    /// Text files that list the train and the test pictures, one class/picture a line. Valid is taken from train
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
    pub max_bad: rejects::MaxBad,
    /// Do everything but write
    #[arg(long)]
    pub dry_run: bool,
    /// What to do about a split that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
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
