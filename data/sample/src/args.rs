//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::stage::CommonArgs;

/// Paint a small data set of dogs of several breeds and of pictures without dogs
#[derive(Debug, clap::Parser)]
#[command(
    name = "sample",
    version,
    about,
    long_about = "Paints a small data set: a folder of pictures for each of several breeds, named as in Stanford \
                  Dogs, and one of pictures without a dog. With --profiles, also people's profiles with photos \
                  to match. The pictures are drawings, the same for the same seed on any number of threads.",
    after_help = "Example: sample --out data/runs/sample/raw --profiles data/runs/sample/profiles"
)]
pub struct Args {
    /// Output directory of the pictures, with one folder per class
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Output directory of profiles.csv and its photos; without it, no profiles are made
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
    /// Number of pictures in every class
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub per_class: usize,
    /// Approximate side of a picture, pixels
    #[arg(long, value_name = "PIXELS", default_value_t = 256)]
    pub size: u32,
    /// What to do about existing pictures
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// Arguments that all programs share
    #[command(flatten)]
    pub common: CommonArgs,
}
