//! `matcher classify`: prints what each photo shows, as a block of text or a line of JSON.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data::stage::{CommonArgs, print_line, printable, progress, usage};
use serde::Serialize;

use crate::detect::Classes;
use crate::model::{BATCH_SIZE, Model, ModelArgs, ModelConfig, Quality};
use crate::my_dog::read_named;
use crate::verdict::{Estimate, Guess, Verdict};

/// Command-line arguments of `matcher classify`.
#[derive(Debug, Clone, clap::Args)]
#[command(
    long_about = "Prints for each photo whether it shows a dog, of which breed and of which size.\n\nPrints a \
                  block of text for each photo or, with --json, one line of JSON. A photo that cannot be read is \
                  reported with the reason; the exit code is 1 only if no photo could be read.",
    after_help = "Example:\n  matcher classify --model W/model --weights W/weights/vgg16.safetensors --json photos/*.jpg"
)]
pub struct ClassifyArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Number of classes to print, the most probable first
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// The photos, or folders of photos
    #[arg(required = true, value_name = "PHOTO")]
    photos: Vec<PathBuf>,
}

/// The validated configuration.
#[derive(Debug, Clone)]
pub struct Config {
    model: ModelConfig,
    top: usize,
    photos: Vec<PathBuf>,
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// A usage error if a value lies outside its range, or an error if a folder has no files or cannot be read.
    pub fn new(args: &ClassifyArgs) -> anyhow::Result<Self> {
        if args.top == 0 {
            return Err(usage("--top is 0, expected at least 1"));
        }
        let photos =
            args.photos.iter().map(|path| photos_at(path)).collect::<anyhow::Result<Vec<_>>>()?.concat();
        Ok(Self { model: ModelConfig::new(&args.model)?, top: args.top, photos })
    }
}

/// Lists the files in `path`, sorted, if it is a folder; otherwise it is a photo itself.
fn photos_at(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        let paths =
            fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        Ok(paths.into_iter().filter(|path| path.is_file()).collect())
    };
    let mut photos = read().with_context(|| format!("cannot list {}", path.display()))?;
    anyhow::ensure!(!photos.is_empty(), "there are no files in {}", path.display());
    photos.sort();
    Ok(photos)
}

/// Classifies the photos and prints what they show.
///
/// # Errors
/// If the model cannot be used, the user interrupts, or no photo could be read.
pub fn classify(config: &Config, common: &CommonArgs) -> anyhow::Result<()> {
    let model = Model::open(&config.model)?;
    if !common.json && !common.quiet {
        print_line(&format!("model  {}, {}\n", model.info().recipe.backbone, model.quality().in_words()))?;
    }
    let bar = progress(common, config.photos.len() as u64, "photos");
    let mut n_read = 0;
    for batch in config.photos.chunks(BATCH_SIZE) {
        let seen = model.look(batch, |path| read_named(path))?;
        for (path, seen) in batch.iter().zip(seen) {
            n_read += usize::from(seen.looked.is_ok());
            let answer = match seen.looked {
                Err(reject) => Answer::broken(path, reject.reason.name(), &reject.detail),
                Ok(verdict) => Answer::seen(path, &verdict, config, model.classes()),
            };
            let text = match common.json {
                true => serde_json::to_string(&Line { answer: &answer, model: model.quality() })?,
                false => answer.block(),
            };
            if common.json || !common.quiet {
                bar.suspend(|| print_line(&text))?;
            }
        }
        bar.inc(batch.len() as u64);
    }
    bar.finish_and_clear();
    anyhow::ensure!(n_read > 0, "none of the {} photos could be read", config.photos.len());
    Ok(())
}

/// A line of JSON: the result for one photo, and how far the model can be trusted.
#[derive(Debug, Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    answer: &'a Answer,
    model: &'a Quality,
}

/// The result for one photo.
#[derive(Debug, Serialize)]
struct Answer {
    photo: String,
    #[serde(flatten)]
    shows: Shows,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Shows {
    Broken {
        error: &'static str,
        detail: String,
    },
    Seen {
        dog: bool,
        dog_probability: f64,
        breed: Class,
        size: Option<SizeGuess>,
        #[serde(skip_serializing_if = "Option::is_none")]
        instead: Option<Class>,
        top: Vec<Class>,
    },
}

#[derive(Debug, Serialize)]
struct Class {
    name: String,
    probability: f64,
}

#[derive(Debug, Serialize)]
struct SizeGuess {
    size: data::breeds::Size,
    probability: f64,
    kg: f64,
}

impl Answer {
    fn broken(path: &Path, error: &'static str, detail: &str) -> Self {
        Self { photo: path.display().to_string(), shows: Shows::Broken { error, detail: detail.to_owned() } }
    }

    fn seen(path: &Path, verdict: &Verdict, config: &Config, classes: &Classes) -> Self {
        let class =
            |g: Guess| Class { name: classes.name(g.class), probability: rounded(g.probability, 1e6) };
        let size = |e: Estimate| SizeGuess {
            size: e.size,
            probability: rounded(e.probability, 1e6),
            kg: rounded(e.kg, 10.0),
        };
        let instead = |(name, p): &(String, f64)| Class { name: name.clone(), probability: rounded(*p, 1e6) };
        let dog = verdict.dog_probability >= config.model.min_dog;
        let shows = Shows::Seen {
            dog,
            dog_probability: rounded(verdict.dog_probability, 1e6),
            breed: class(verdict.breed),
            size: verdict.size.map(size),
            instead: verdict.instead.as_ref().filter(|_| !dog).map(instead),
            top: verdict.top(config.top).into_iter().map(class).collect(),
        };
        Self { photo: path.display().to_string(), shows }
    }

    /// Formats the result as text for people.
    fn block(&self) -> String {
        // A name may hold a newline, which would look like another photo.
        let mut text = format!("{}\n", printable(&self.photo.replace('\n', "\\n")));
        let written = match &self.shows {
            Shows::Broken { error, detail } if detail.is_empty() => writeln!(text, "  unreadable: {error}"),
            Shows::Broken { error, detail } => writeln!(text, "  unreadable: {error} ({detail})"),
            Shows::Seen { dog, dog_probability, breed, size, instead, top } => {
                let answer = match (dog, instead) {
                    (true, _) => "yes".to_owned(),
                    (false, None) => "no".to_owned(),
                    (false, Some(instead)) => format!("no: {}", instead.name),
                };
                let mut lines = vec![format!("dog    {answer}, {}", percent(*dog_probability))];
                if *dog {
                    lines.push(format!("breed  {}, {}", breed.name, percent(breed.probability)));
                    lines.push(match size {
                        Some(SizeGuess { size, probability, kg }) => {
                            format!("size   {size}, {}, about {kg:.0} kg", percent(*probability))
                        }
                        None => "size   unknown: no breed of known weight".to_owned(),
                    });
                }
                for (i, class) in top.iter().enumerate() {
                    let title = if i == 0 { format!("top {}", top.len()) } else { String::new() };
                    lines.push(format!("{title:6} {:>7}  {}", percent(class.probability), class.name));
                }
                lines.iter().try_for_each(|line| writeln!(text, "  {line}"))
            }
        };
        written.expect("a String takes any text");
        text
    }
}

fn percent(p: f64) -> String {
    format!("{:.1} %", 100.0 * p)
}

/// Rounds `value` to the nearest `1 / per_one`, so that the text does not depend on the last bits.
fn rounded(value: f64, per_one: f64) -> f64 {
    (value * per_one).round() / per_one
}
