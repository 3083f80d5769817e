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
        --images contains one folder per class, and each class folder contains its pictures. Every picture \
        is read and checked; those that cannot be used are named in rejects.csv. Each class is divided by \
        the same ratio; identical pictures stay in one split. The result is \
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
    /// Output directory of the manifest; neither inside --images nor a parent of it
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Shares of train, valid and test in each class; they sum to 1, and 0 leaves a split empty
    #[arg(
        long,
        value_name = "TRAIN,VALID,TEST",
        value_delimiter = ',',
        allow_hyphen_values = true,
        default_value = "0.7,0.15,0.15",
        conflicts_with_all = ["split_list", "fixed"]
    )]
    pub ratio: Vec<f64>,
    /// With --ratio: do not shuffle, as the original post did: the first pictures of each class by name are train,
    /// the last are test. Files with neighbouring names are often similar, so train and test may not be comparable.
    #[arg(long, conflicts_with_all = ["split_list", "fixed"])]
    pub unshuffled: bool,
    /// Text files that list the train and the test pictures, one class/picture per line. Valid is taken from train
    #[arg(long, value_name = "TRAIN,TEST", value_delimiter = ',', conflicts_with = "fixed")]
    pub split_list: Vec<PathBuf>,
    /// With --split-list: the share of train that becomes valid. 0.1 of Stanford Dogs' train list gives the
    /// 10,800 / 1,200 / 8,580 pictures of Visual Prompt Tuning (Jia et al., 2022), a common reference
    #[arg(
        long,
        value_name = "SHARE",
        allow_hyphen_values = true,
        default_value_t = 0.1,
        requires = "split_list"
    )]
    pub valid_share: f64,
    /// Number of pictures of each class for valid and for test (default: the same number); the rest is train
    #[arg(long, value_name = "VALID[,TEST]", value_delimiter = ',')]
    pub fixed: Vec<usize>,
    /// Crop pictures to the dog, for all later stages: to the largest box with the name of the class, a dog or a
    /// breed in the annotation DIR/CLASS/PICTURE[.xml], in the format of Pascal VOC. A picture without such a box
    /// is not cropped
    #[arg(long, value_name = "DIR")]
    pub crop_to_box: Option<PathBuf>,
    /// Also create the folders OUT/{train,valid,test}/CLASS/, for people and other tools
    #[arg(long, value_enum, default_value_t = Tree::None)]
    pub tree: Tree,
    /// Identical pictures in one class: keep all of them, in one split, or drop all but the first
    #[arg(long, value_enum, default_value_t = Duplicates::Keep)]
    pub duplicates: Duplicates,
    /// Put a class that is too small to be split into train, instead of failing
    #[arg(long)]
    pub allow_small: bool,
    /// Split even a single class, from which no classifier can be trained
    #[arg(long)]
    pub allow_one_class: bool,
    /// How pictures are checked: decode the whole picture, or read only its header, which is faster but misses
    /// damage in the pixels
    #[arg(long, value_enum, default_value_t = Inspect::Decode)]
    pub inspect: Inspect,
    /// Maximum number of bad pictures: a count or a share. Files that are not pictures and do not have the
    /// extension of one do not count
    #[arg(long, value_name = "N|N%", default_value = "50%")]
    pub max_bad: rejects::MaxBad,
    /// Do everything except writing
    #[arg(long)]
    pub dry_run: bool,
    /// What to do about an existing split
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// Arguments that all programs share
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The kind of files in the tree of `--tree`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tree {
    /// No tree
    None,
    /// Hard links to the pictures: no disk space, same file system only
    Hardlink,
    /// Relative links to the pictures
    Symlink,
    /// Copies
    Copy,
}

/// The treatment of identical pictures in one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Duplicates {
    /// All are rows, in the same split
    Keep,
    /// The first by path is a row, the others are rejected as `duplicate`
    Drop,
}

/// The part of a picture that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspect {
    /// Decode the whole picture
    Decode,
    /// Read its header
    Header,
}
