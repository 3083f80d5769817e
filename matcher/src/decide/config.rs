//! `matcher decide`: command-line arguments, validated configuration, and the inputs of the decisions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data::current::{Inputs, RerunArgs};
use data::overlap;
use data::stage::usage;

use crate::album::Album;
use crate::filters::Filters;
use crate::model::{ModelArgs, ModelConfig};
use crate::my_dog;
use crate::rules::Rule;
use data::profiles::{Location, Profiles};

/// Command-line arguments of `matcher decide`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    long_about = "Decides like or pass for every profile of a table, with the reason.\n\n\
                  The photos of a profile outside the filters are not read. All photos of every other profile \
                  are classified, and the photo with the highest probability of a dog decides. A profile is liked \
                  if the rule holds with a probability of --min-match: for a rule about sizes, the summed \
                  probability of all breeds of those sizes. A photo that cannot be read is named in the reason; it does not stop the run.\n\nWrites decisions.csv (one \
                  row per profile, in the order of the profiles; a text cell that a spreadsheet would read as a \
                  formula starts with '), rejected-profiles.csv (rows that are not profiles), provenance.json \
                  and, last, matches.html.",
    after_help = "Example:\n  matcher decide --model W/model --weights W/weights/vgg16.safetensors --profiles \
                  W/profiles/profiles.csv --my-dog golden_retriever --rule same-size --max-age 40 --out W/matches"
)]
pub struct DecideArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// The table id,name,age,gender,latitude,longitude,photos; paths of photos are relative to it
    #[arg(long)]
    profiles: PathBuf,
    /// Do nothing, without an error, if the table of profiles does not exist
    #[arg(long)]
    if_any: bool,
    /// Output directory of the decisions
    #[arg(long)]
    out: PathBuf,
    /// My dog: a photo of it, or its breed
    #[arg(long, value_name = "PHOTO|BREED")]
    my_dog: Option<String>,
    /// Rule that compares a profile's dog with mine
    #[arg(long, value_enum, default_value_t = Rule::WithinOneSize)]
    rule: Rule,
    /// Minimum probability that the rule holds for the dog of a profile, for a like
    #[arg(long, default_value_t = 0.5)]
    min_match: f64,
    /// Minimum age
    #[arg(long, help_heading = "Filters")]
    min_age: Option<u32>,
    /// Maximum age
    #[arg(long, help_heading = "Filters")]
    max_age: Option<u32>,
    /// Genders as the profiles write them, in upper or lower case
    #[arg(long, value_delimiter = ',', value_name = "GENDER,...", help_heading = "Filters")]
    gender: Vec<String>,
    /// My latitude, degrees north
    #[arg(long, allow_negative_numbers = true, requires = "longitude", help_heading = "Filters")]
    latitude: Option<f64>,
    /// My longitude, degrees east
    #[arg(long, allow_negative_numbers = true, requires = "latitude", help_heading = "Filters")]
    longitude: Option<f64>,
    /// Maximum distance from me, kilometres
    #[arg(long, requires = "latitude", help_heading = "Filters")]
    max_distance_km: Option<f64>,
    #[command(flatten)]
    rerun: RerunArgs,
}

/// The validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    pub(super) model: ModelConfig,
    pub(super) profiles: PathBuf,
    pub(super) if_any: bool,
    pub(super) out: PathBuf,
    pub(super) my_dog: Option<String>,
    pub(super) rule: Rule,
    pub(super) min_match: f64,
    pub(super) filters: Filters,
    pub(super) rerun: RerunArgs,
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// A usage error if a value lies outside its range or contradicts another.
    pub fn new(args: &DecideArgs) -> anyhow::Result<Self> {
        if args.rule != Rule::None && args.my_dog.is_none() {
            return Err(usage(
                "--my-dog is missing: the rule compares with it; give it, or choose --rule none",
            ));
        }
        if let (Some(min), Some(max)) = (args.min_age, args.max_age)
            && min > max
        {
            return Err(usage(format!("--min-age {min} is above --max-age {max}")));
        }
        if !(0.0..=1.0).contains(&args.min_match) {
            return Err(usage(format!("--min-match is {}, expected 0 to 1", args.min_match)));
        }
        if args.max_distance_km.is_some_and(|km| !(km >= 0.0 && km.is_finite())) {
            return Err(usage("--max-distance-km must be a number, not negative"));
        }
        let home = match (args.latitude, args.longitude) {
            (Some(latitude), Some(longitude)) => Some(Location::new(latitude, longitude).ok_or_else(|| {
                usage(format!(
                    "--latitude {latitude} --longitude {longitude} is not a place, expected -90 to 90 and -180 to 180"
                ))
            })?),
            _ => None,
        };
        if args.gender.iter().any(|gender| gender.trim().is_empty()) {
            return Err(usage("--gender is empty; leave it out for everybody"));
        }
        let filters = Filters {
            min_age: args.min_age,
            max_age: args.max_age,
            genders: args.gender.iter().map(|g| g.trim().to_lowercase()).collect(),
            home,
            max_distance_km: args.max_distance_km,
        };
        Ok(Self {
            model: ModelConfig::new(&args.model)?,
            profiles: args.profiles.clone(),
            if_any: args.if_any,
            out: args.out.clone(),
            my_dog: args.my_dog.clone(),
            rule: args.rule,
            min_match: args.min_match,
            filters,
            rerun: args.rerun,
        })
    }
}

impl Config {
    /// Returns the inputs and parameters that the decisions depend on.
    ///
    /// # Errors
    /// If the profiles cannot be read.
    pub(super) fn asked(&self) -> anyhow::Result<Inputs> {
        let filters = &self.filters;
        let photo_of_my_dog = self.my_dog.as_deref().map(Path::new).filter(|path| my_dog::names_a_file(path));
        let parameters = serde_json::json!({
            "rule": self.rule.to_string(),
            "min-match": self.min_match,
            "my-dog": match photo_of_my_dog {
                // The name of the file does not matter: its content is an input.
                Some(_) => Some("a photo"),
                None => self.my_dog.as_deref(),
            },
            "min-age": filters.min_age,
            "max-age": filters.max_age,
            "gender": filters.genders,
            "max-distance-km": filters.max_distance_km,
        });
        let photos = self.photos()?;
        let folders: BTreeSet<&Path> = photos.iter().filter_map(|(_, path)| path.parent()).collect();
        overlap::refuse(&self.out, folders.into_iter().map(Path::to_owned))?;
        let mut asked = Inputs::new(&parameters)?
            .file("the profiles", &self.profiles)
            .files("photos", photos)
            // The provenance has only the digest, so that it does not reveal my location.
            .value("where I am", &filters.home)?;
        if let Some(photo) = photo_of_my_dog {
            asked = asked.file("the photo of my dog", photo);
        }
        self.model.add_to(asked)
    }

    /// Returns every photo that a profile names, with its full path.
    fn photos(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let album = Album::beside(&self.profiles)?;
        let mut profiles = Profiles::open(&self.profiles)?;
        let mut photos = Vec::new();
        while let Some(row) = profiles.next_row()? {
            let named = row.into_iter().flat_map(|profile| profile.photos);
            photos.extend(named.filter_map(|photo| album.place(&photo).map(|place| (photo, place))));
        }
        Ok(photos)
    }
}
