//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::forecast::PlanArgs;
use data::manifest::Split;
use data::rejects::MaxBad;
use data::stage::CommonArgs;

/// The command-line arguments.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "augmenter",
    version,
    about = "Makes more training pictures: rotated, shifted, sheared and zoomed copies of the train pictures",
    long_about = "Makes more training pictures: rotated, shifted, sheared and zoomed copies of the train pictures.\n\n\
        The ranges have the same meaning as in Keras' ImageDataGenerator. Valid and test rows are not \
        changed, unless --replace-originals is all. Finished copies are kept: the run after an interrupted one \
        makes only the missing copies.",
    after_help = "Example:\n  augmenter --manifest data/runs/dogs/split/manifest.csv --out data/runs/dogs/augmented \
        --per-class 200 --horizontal-flip --contact-sheet"
)]
pub struct Args {
    /// The splitter's manifest
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Output directory
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Number of copies of every train picture; 0 only copies the rows [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "per_class")]
    pub copies: Option<u32>,
    /// Add copies until every class has N train pictures, originals included; larger classes get none
    #[arg(long, value_name = "N")]
    pub per_class: Option<u32>,
    /// Replace the train pictures, or all pictures, by their one copy, as in the post of 2018, instead of adding
    /// the copy. With `all`, metrics on valid and test are those of distorted pictures
    #[arg(long, value_enum, conflicts_with = "per_class")]
    pub replace_originals: Option<Replaced>,
    /// Maximum rotation in degrees, in both directions
    #[arg(long, value_name = "DEGREES", default_value_t = 40.0, help_heading = "Transformation")]
    pub rotation_range: f64,
    /// Maximum horizontal shift in both directions: below 1 a share of the width, else pixels of the copy
    #[arg(long, value_name = "SHIFT", default_value_t = 0.2, help_heading = "Transformation")]
    pub width_shift_range: f64,
    /// Maximum vertical shift in both directions: below 1 a share of the height, else pixels of the copy
    #[arg(long, value_name = "SHIFT", default_value_t = 0.2, help_heading = "Transformation")]
    pub height_shift_range: f64,
    /// Maximum shear in degrees, in both directions (Keras up to 2.1.2 took radians: its 0.2 is 11.5 here)
    #[arg(long, value_name = "DEGREES", default_value_t = 11.5, help_heading = "Transformation")]
    pub shear_range: f64,
    /// Zoom each axis by a factor between 1 - Z and 1 + Z
    #[arg(long, value_name = "Z", default_value_t = 0.2, help_heading = "Transformation")]
    pub zoom_range: f64,
    /// Multiply the brightness by a factor between the two values [default: off]
    #[arg(long, value_name = "LOW,HIGH", help_heading = "Transformation")]
    pub brightness_range: Option<String>,
    /// Mirror half of the copies
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
    /// Filling of the area outside the picture
    #[arg(long, value_enum, default_value = "nearest", help_heading = "Transformation")]
    pub fill_mode: FillMode,
    /// The colour of --fill-mode constant [default: 0,0,0]
    #[arg(long, value_name = "R,G,B", help_heading = "Transformation")]
    pub cval: Option<String>,
    /// N: keep the aspect ratio, with a short side of at most N pixels. WxH: that size, as Keras' target_size
    #[arg(
        long,
        visible_alias = "target-size",
        value_name = "N|WxH",
        default_value = "256",
        help_heading = "Output"
    )]
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
    /// Maximum number of rejected pictures: a count or a share, as in 12 or 1%
    #[arg(long, value_name = "N|P%", default_value = "1%", value_parser = str::parse::<MaxBad>)]
    pub max_bad: MaxBad,
    /// What to do about existing copies
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// Forecast of the cost
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Arguments that all programs share
    #[command(flatten)]
    pub common: CommonArgs,
}

/// The pictures that are replaced by their copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Replaced {
    /// Train pictures
    Train,
    /// All pictures, also of valid and test
    All,
}

impl Replaced {
    /// Returns whether the pictures of `split` are replaced.
    pub fn contains(self, split: Split) -> bool {
        self == Replaced::All || split == Split::Train
    }
}

/// Filling of the area outside the picture, by Keras' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum FillMode {
    /// The nearest pixel of the border
    Nearest,
    /// The colour of --cval
    Constant,
    /// The picture, mirrored
    Reflect,
    /// The picture, repeated
    Wrap,
}

/// File formats of the copies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// JPEG
    Jpg,
    /// PNG, lossless
    Png,
}
