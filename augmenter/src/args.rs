//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::forecast::PlanArgs;
use data::manifest::Split;
use data::rejects::MaxBad;
use data::stage::CommonArgs;

/// What was typed.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "augmenter",
    version,
    about = "Makes more training pictures: rotated, shifted, sheared and zoomed copies of the train rows",
    long_about = "Makes more training pictures: rotated, shifted, sheared and zoomed copies of the train rows.\n\n\
        The ranges mean what they mean in Keras' ImageDataGenerator. Valid and test rows pass through \
        unchanged, unless --replace-originals all says otherwise. Finished copies are kept: an interrupted run goes on where it stopped.",
    after_help = "Example:\n  augmenter --manifest data/runs/dogs/split/manifest.csv --out data/runs/dogs/augmented \
        --per-class 200 --horizontal-flip --contact-sheet"
)]
pub struct Args {
    /// The splitter's manifest
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Directory to write into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Copies of every train picture; 0 passes the rows through [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "per_class")]
    pub copies: Option<u32>,
    /// Fills up every class to N train pictures, originals and copies together; larger classes stay
    #[arg(long, value_name = "N")]
    pub per_class: Option<u32>,
    /// The one copy of a picture takes its place, as in the post of 2018, instead of standing beside it: of
    /// train pictures, or of all. With `all`, figures on valid and test are those of distorted pictures
    #[arg(long, value_enum, conflicts_with = "per_class")]
    pub replace_originals: Option<Replaced>,
    /// Turns by up to so many degrees either way
    #[arg(long, value_name = "DEGREES", default_value_t = 40.0, help_heading = "Transformation")]
    pub rotation_range: f64,
    /// Shifts sideways either way: below 1 a share of the width, from 1 on pixels of the copy
    #[arg(long, value_name = "SHIFT", default_value_t = 0.2, help_heading = "Transformation")]
    pub width_shift_range: f64,
    /// Shifts up or down: below 1 a share of the height, from 1 on pixels of the copy
    #[arg(long, value_name = "SHIFT", default_value_t = 0.2, help_heading = "Transformation")]
    pub height_shift_range: f64,
    /// Shears by up to so many degrees either way (Keras up to 2.1.2 took radians: its 0.2 is 11.5 here)
    #[arg(long, value_name = "DEGREES", default_value_t = 11.5, help_heading = "Transformation")]
    pub shear_range: f64,
    /// Zooms each axis by a factor between 1 - Z and 1 + Z
    #[arg(long, value_name = "Z", default_value_t = 0.2, help_heading = "Transformation")]
    pub zoom_range: f64,
    /// Multiplies the brightness by a factor between the two [default: off]
    #[arg(long, value_name = "LOW,HIGH", help_heading = "Transformation")]
    pub brightness_range: Option<String>,
    /// Mirrors half of the copies
    #[arg(
        long,
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        help_heading = "Transformation"
    )]
    pub horizontal_flip: bool,
    /// What lies outside the picture
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Transformation")]
    pub fill_mode: FillMode,
    /// The colour of --fill-mode constant [default: 0,0,0]
    #[arg(long, value_name = "R,G,B", help_heading = "Transformation")]
    pub cval: Option<String>,
    /// N: the picture's shape, its short side shrunk to at most N. WxH: exactly that, as Keras' target_size
    #[arg(long, value_name = "N|WxH", default_value = "256", help_heading = "Output")]
    pub output_size: String,
    /// File format of the copies
    #[arg(long, value_enum, default_value = "jpg", help_heading = "Output")]
    pub format: Format,
    /// Quality of the JPEG files, 1 to 100
    #[arg(long, value_name = "Q", default_value_t = 95, help_heading = "Output")]
    pub quality: u8,
    /// Also write contact-sheet.jpg: some originals, each beside its copies
    #[arg(long, help_heading = "Output")]
    pub contact_sheet: bool,
    /// Pictures that may be rejected: a count or a share, as in 12 or 1%
    #[arg(long, value_name = "N|P%", default_value = "1%", value_parser = str::parse::<MaxBad>)]
    pub max_bad: MaxBad,
    /// What to do about copies that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// What it would cost
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Seed, threads, noise
    #[command(flatten)]
    pub common: CommonArgs,
}

/// Whose pictures are replaced by their copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replaced {
    /// Those of train
    Train,
    /// All, those of valid and test too
    All,
}

impl Replaced {
    /// Whether the pictures of `split` are replaced.
    pub fn contains(self, split: Split) -> bool {
        self == Replaced::All || split == Split::Train
    }
}

/// What lies outside the picture, by Keras' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FillMode {
    /// The nearest pixel of the border
    Nearest,
    /// The colour of --cval
    Constant,
    /// The mirrored picture
    Reflect,
    /// The picture again
    Wrap,
}

/// File formats of the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JPEG
    Jpg,
    /// PNG, without loss
    Png,
}
