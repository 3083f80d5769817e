//! Command-line arguments.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::stage::CommonArgs;

/// Paint a small data set of dogs of several breeds and of things that are no dogs
#[derive(Debug, clap::Parser)]
#[command(
    name = "sample",
    version,
    about,
    long_about = "Paint a small data set: a folder of pictures for each of several breeds, named as in Stanford \
                  Dogs, and one of pictures without a dog. With --profiles, also people's profiles with photos \
                  to match. The pictures are drawings, the same for the same seed on any number of threads.",
    after_help = "Example: sample --out data/runs/sample/raw --profiles data/runs/sample/profiles"
)]
pub struct Args {
    /// Folder for the pictures, one folder a class
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Folder for profiles.csv and its photos; without it there are no profiles
    #[arg(long, value_name = "DIR")]
    pub profiles: Option<PathBuf>,
    /// Pictures in every class
    #[arg(long, value_name = "N", default_value_t = 60)]
    pub per_class: usize,
    /// Pixels along the side of a picture, about
    #[arg(long, value_name = "PIXELS", default_value_t = 256)]
    pub size: u32,
    /// What to do about pictures that are there already
    #[command(flatten)]
    pub rerun: RerunArgs,
    /// The flags that every program has
    #[command(flatten)]
    pub common: CommonArgs,
}
