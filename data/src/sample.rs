//! The sample data set: paints pictures of dogs, of other things, and profiles of people with dogs,
//! so that every stage can run from nothing, without a network.
//!
//! The pictures are drawings. They are made so that a breed can be learnt by its build, as in
//! photographs: pose, scale, coat, markings, light, background and noise vary within a class, and
//! coats, scenes and framing are the same draws for all classes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use rayon::prelude::*;
use serde::Serialize;

use crate::current::{Inputs, Place, RerunArgs};
use crate::{breeds, commit, draw, stage};
use builds::{BREEDS, Painted};
use easel::Easel;
use picture::Subject;

mod builds;
mod coats;
mod colour;
mod dog;
mod easel;
mod figure;
mod finish;
mod head;
mod picture;
mod pose;
mod profiles;
mod scenes;
mod shapes;
mod things;

/// Quality of the JPEG files.
const JPEG_QUALITY: u8 = 90;
/// The file that is written last.
const PROVENANCE: &str = ".sample.json";

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
struct Args {
    /// Folder for the pictures, one folder a class
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Folder for profiles.csv and its photos; without it there are no profiles
    #[arg(long, value_name = "DIR")]
    profiles: Option<PathBuf>,
    /// Pictures in every class
    #[arg(long, value_name = "N", default_value_t = 60)]
    per_class: usize,
    /// Pixels along the side of a picture, about
    #[arg(long, value_name = "PIXELS", default_value_t = 256)]
    size: u32,
    #[command(flatten)]
    rerun: RerunArgs,
    #[command(flatten)]
    common: stage::CommonArgs,
}

/// Runs the program.
pub fn main() -> ExitCode {
    stage::main(|args: &Args| &args.common, run)
}

fn run(args: &Args) -> anyhow::Result<()> {
    let config = Config::new(args)?;
    let pictures = paint_into(&config, args, &config.out, "sample", |config, easel, done| {
        write_pictures(config, easel, done)
    });
    // Both are answered, whatever the answer to the first.
    let stale = |error: &anyhow::Error| matches!(error.downcast_ref(), Some(stage::Exit::Stale));
    let profiles = match (&config.profiles, &pictures) {
        (None, _) => Ok(None),
        (Some(_), Err(error)) if !stale(error) => Ok(None),
        (Some(dir), _) => paint_into(&config, args, dir, "sample profiles", |config, easel, _| {
            profiles::write(config, easel)
        }),
    };
    let (pictures, photos) = (pictures?, profiles?);
    if pictures.is_none() && photos.is_none() {
        return Ok(());
    }
    let summary = Summary {
        classes: classes().len(),
        pictures: pictures.unwrap_or(0),
        profiles: photos.map_or(0, |_| profiles::COUNT),
        photos: photos.unwrap_or(0),
    };
    stage::print_summary(&args.common, &summary)
}

/// Lets `paint` fill the folder `dir`, unless it is current; the number of pictures.
fn paint_into(
    config: &Config,
    args: &Args,
    dir: &Path,
    what: &'static str,
    paint: impl FnOnce(&Config, &Easel<'_>, &(dyn Fn() + Sync)) -> anyhow::Result<usize>,
) -> anyhow::Result<Option<usize>> {
    let place = Place::new(dir, PROVENANCE, what);
    let Some(mut job) = place.start(&args.rerun, &args.common, || Inputs::new(&config.parameters()))? else {
        return Ok(None);
    };
    let _lock = commit::lock(dir, "sample")?;
    let names = if what == "sample" { picture_names(config) } else { profiles::names() };
    let mut ours = Vec::new();
    for name in names {
        if job.owns(&name)? {
            ours.push(name);
        }
    }
    job.plan(ours)?;
    let easel = Easel::new(dir, &job);
    let bar = stage::progress(&args.common, (classes().len() * config.per_class) as u64, "pictures");
    let n = paint(config, &easel, &|| bar.inc(1))?;
    bar.finish_and_clear();
    let made = easel.finish()?;
    job.finish(made)?;
    Ok(Some(n))
}

/// What was asked for, checked.
#[derive(Debug)]
struct Config {
    out: PathBuf,
    profiles: Option<PathBuf>,
    per_class: usize,
    size: u32,
    seed: u64,
}

impl Config {
    fn new(args: &Args) -> anyhow::Result<Self> {
        if !(1..=100_000).contains(&args.per_class) {
            return Err(stage::usage(format!(
                "--per-class must be from 1 to 100000, got {}",
                args.per_class
            )));
        }
        if !(32..=2048).contains(&args.size) {
            return Err(stage::usage(format!("--size must be from 32 to 2048 pixels, got {}", args.size)));
        }
        Ok(Self {
            out: args.out.clone(),
            profiles: args.profiles.clone(),
            per_class: args.per_class,
            size: args.size,
            seed: args.common.seed,
        })
    }

    fn parameters(&self) -> BTreeMap<&'static str, u64> {
        BTreeMap::from([
            ("per-class", self.per_class as u64),
            ("seed", self.seed),
            ("size", u64::from(self.size)),
        ])
    }
}

/// What was painted.
#[derive(Debug, Serialize)]
struct Summary {
    classes: usize,
    pictures: usize,
    profiles: usize,
    photos: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { classes, pictures, profiles, photos } = self;
        write!(
            f,
            "painted {pictures} pictures in {classes} classes, {profiles} profiles with {photos} photos"
        )
    }
}

/// A class folder and what its pictures show.
#[derive(Debug, Clone, Copy)]
struct Class {
    dir: &'static str,
    /// A picture's file name without its number.
    stem: &'static str,
    subject: Subject,
}

/// The painted breeds, then what is not a dog.
fn classes() -> Vec<Class> {
    let dog = |painted: &'static Painted| {
        let breed =
            breeds::find(painted.breed).expect("the painted breeds are among the 120: a test reads both");
        Class { dir: &breed.class_dir, stem: &breed.synset, subject: Subject::Dog(painted) }
    };
    let thing = Class { dir: breeds::NOT_A_DOG, stem: breeds::NOT_A_DOG, subject: Subject::Thing };
    BREEDS.iter().map(dog).chain([thing]).collect()
}

/// The path of a picture in the folder of the pictures.
fn picture_name(class: Class, index: usize) -> String {
    format!("{}/{}_{index:05}.jpg", class.dir, class.stem)
}

fn picture_names(config: &Config) -> Vec<String> {
    let of_class = |class: Class| (0..config.per_class).map(move |index| picture_name(class, index));
    classes().into_iter().flat_map(of_class).collect()
}

fn write_pictures(config: &Config, easel: &Easel<'_>, done: &(dyn Fn() + Sync)) -> anyhow::Result<usize> {
    let mut n_pictures = 0;
    for class in classes() {
        (0..config.per_class).into_par_iter().try_for_each(|index| {
            stage::check_interrupted()?;
            easel.put(&picture_name(class, index), &jpeg(&paint(config, class, index))?)?;
            done();
            anyhow::Ok(())
        })?;
        n_pictures += config.per_class;
    }
    Ok(n_pictures)
}

fn paint(config: &Config, class: Class, index: usize) -> RgbImage {
    let mut draws = draw::stream(config.seed, "sample picture", &format!("{}/{index}", class.dir));
    picture::paint(class.subject, config.size, &mut draws)
}

fn jpeg(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    picture
        .write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY))
        .context("cannot encode a picture")?;
    Ok(bytes)
}

/// The bytes of a painted picture of just that size, the same for the same `number`: for trials where there are
/// no pictures yet.
///
/// # Errors
/// If it cannot be encoded.
pub fn example(number: usize, width: u32, height: u32) -> anyhow::Result<Vec<u8>> {
    let classes = classes();
    let class = classes[number % classes.len()];
    let mut draws = draw::stream(0, "sample example", &number.to_string());
    let painted = picture::paint(class.subject, width.max(height), &mut draws);
    jpeg(&image::imageops::resize(&painted, width, height, image::imageops::FilterType::Triangle))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;
    use crate::breeds::{Size, SizeThresholds};
    use crate::provenance::sha256_file;

    fn config(dir: &Path, per_class: usize) -> Config {
        Config { out: dir.join("raw"), profiles: Some(dir.join("profiles")), per_class, size: 64, seed: 7 }
    }

    /// Runs the program but for its command line.
    fn paint_all(config: &Config) {
        use clap::Parser;
        let out = config.out.to_str().unwrap();
        let profiles = config.profiles.as_deref().unwrap().to_str().unwrap();
        let (per_class, size, seed) =
            (config.per_class.to_string(), config.size.to_string(), config.seed.to_string());
        run(&Args::parse_from([
            "sample",
            "--quiet",
            "--out",
            out,
            "--profiles",
            profiles,
            "--per-class",
            &per_class,
            "--size",
            &size,
            "--seed",
            &seed,
        ]))
        .unwrap();
    }

    /// Paints everything on `threads` threads; gives the digest of every file by its path.
    fn digests(threads: usize) -> BTreeMap<String, String> {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), 2);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| paint_all(&config));
        let mut found = BTreeMap::new();
        let mut pending = vec![dir.path().to_owned()];
        while let Some(folder) = pending.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let hidden = path.file_name().unwrap().as_encoded_bytes().starts_with(b".");
                if path.is_dir() {
                    pending.push(path);
                } else if !hidden {
                    let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap().to_owned();
                    found.insert(name, sha256_file(&path).unwrap());
                }
            }
        }
        found
    }

    #[test]
    fn the_same_bytes_on_one_thread_and_on_four() {
        let one = digests(1);
        assert_eq!(one, digests(4));
        for class in classes() {
            let prefix = format!("raw/{}/{}_", class.dir, class.stem);
            assert_eq!(one.keys().filter(|name| name.starts_with(&prefix)).count(), 2, "{prefix}");
        }
        let different: BTreeSet<_> = one.values().collect();
        assert_eq!(different.len(), one.len(), "two pictures are the same");
    }

    #[test]
    fn what_the_user_put_there_stays_and_what_was_painted_goes() {
        use clap::Parser;
        let dir = tempfile::tempdir().unwrap();
        let one = config(dir.path(), 2);
        let mine = one.out.join("my_rex/rex.jpg");
        commit::write_bytes(&mine, b"my dog").unwrap();
        paint_all(&one);
        // A row of one's own in the table, one's own photo in the place of a painted one.
        let table = dir.path().join("profiles/profiles.csv");
        let mut rows = fs::read_to_string(&table).unwrap();
        rows += "me,Me,30,male,48,8,photos/me.jpg\n";
        commit::write_bytes(&table, rows.as_bytes()).unwrap();
        let replaced = one.out.join(picture_name(classes()[0], 1));
        commit::write_bytes(&replaced, b"another dog").unwrap();
        let painted = one.out.join(picture_name(classes()[0], 0));
        let before = sha256_file(&painted).unwrap();

        let other = Config { seed: 8, ..config(dir.path(), 2) };
        paint_all(&other);
        assert_ne!(sha256_file(&painted).unwrap(), before, "what was painted is painted anew");
        let untouched = || {
            assert_eq!(fs::read(&mine).unwrap(), b"my dog");
            assert_eq!(fs::read(&replaced).unwrap(), b"another dog");
            assert_eq!(fs::read_to_string(&table).unwrap(), rows);
        };
        untouched();
        let (raw, profiles) = (dir.path().join("raw"), dir.path().join("profiles"));
        let flags = |flag: &'static str| {
            let (raw, profiles) = (raw.to_str().unwrap(), profiles.to_str().unwrap());
            run(&Args::parse_from([
                "sample",
                "--quiet",
                "--out",
                raw,
                "--profiles",
                profiles,
                "--seed",
                "8",
                "--size",
                "64",
                "--per-class",
                "2",
                flag,
            ]))
        };
        flags("--check").unwrap();
        flags("--clean").unwrap();
        untouched();
        assert!(!painted.exists());
        assert_eq!(fs::read_dir(raw).unwrap().count(), 2, "my_rex and the class with the replaced picture");
    }

    #[test]
    fn another_seed_paints_other_pictures() {
        let dir = tempfile::tempdir().unwrap();
        let (one, class) = (config(dir.path(), 1), classes()[0]);
        let other = Config { seed: 8, ..config(dir.path(), 1) };
        assert_eq!(paint(&one, class, 0), paint(&one, class, 0));
        assert_ne!(paint(&one, class, 0), paint(&other, class, 0));
        assert_ne!(paint(&one, class, 0), paint(&one, class, 1));
    }

    #[test]
    fn the_painted_breeds_are_known_and_range_from_small_to_giant() {
        let painted: Vec<_> = BREEDS.iter().map(|p| breeds::find(p.breed).expect(p.breed)).collect();
        assert!(painted.len() >= 10);
        assert!(painted.iter().map(|b| &b.class_dir).collect::<BTreeSet<_>>().len() == painted.len());
        let sizes: BTreeSet<Size> =
            painted.iter().map(|breed| SizeThresholds::STANDARD.size(breed.mid_kg())).collect();
        assert_eq!(sizes, BTreeSet::from(Size::ALL));
        assert_eq!(classes().len(), BREEDS.len() + 1);
        assert_eq!(classes().last().unwrap().dir, breeds::NOT_A_DOG);
    }

    #[test]
    fn no_picture_is_smaller_than_promised_or_empty() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), 1);
        for class in classes() {
            for index in 0..12 {
                let picture = paint(&config, class, index);
                let (width, height) = picture.dimensions();
                assert!(width.min(height) >= 51 && width.max(height) <= 81, "{width} x {height}");
                let (low, high) = picture.as_raw().iter().fold((255, 0), |(l, h), &v| (v.min(l), v.max(h)));
                assert!(high - low > 60, "{} {index} shows nothing", class.dir);
            }
        }
    }

    /// A picture's mean colour would give most classes away if one of them were always of one colour.
    #[test]
    fn mean_colour_does_not_tell_the_classes_apart() {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), 1);
        let n_each = 20;
        let mean = |picture: &RgbImage| {
            let mut sums = [0.0; 3];
            for pixel in picture.pixels() {
                (0..3).for_each(|c| sums[c] += f64::from(pixel[c]));
            }
            sums.map(|sum| sum / f64::from(picture.width() * picture.height()))
        };
        let colours: Vec<Vec<[f64; 3]>> = classes()
            .par_iter()
            .map(|&class| (0..2 * n_each).map(|index| mean(&paint(&config, class, index))).collect())
            .collect();
        let centres: Vec<[f64; 3]> = colours
            .iter()
            .map(|seen| [0, 1, 2].map(|c| seen[..n_each].iter().map(|m| m[c]).sum::<f64>() / n_each as f64))
            .collect();
        let distance = |a: &[f64; 3], b: &[f64; 3]| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f64>();
        let mut n_right = 0;
        for (class, unseen) in colours.iter().enumerate() {
            for colour in &unseen[n_each..] {
                let nearest = (0..centres.len())
                    .min_by(|&a, &b| distance(colour, &centres[a]).total_cmp(&distance(colour, &centres[b])));
                n_right += usize::from(nearest == Some(class));
            }
        }
        let share = n_right as f64 / (n_each * colours.len()) as f64;
        assert!(share < 0.45, "nearest mean colour is right for {share}");
    }

    #[test]
    fn wrong_ranges_are_usage_errors() {
        use clap::Parser;
        for bad in ["--per-class=0", "--size=31", "--size=4096"] {
            let args = Args::parse_from(["sample", "--out", "x", bad]);
            let error = Config::new(&args).unwrap_err();
            assert!(matches!(error.downcast_ref(), Some(stage::Exit::Usage(_))), "{bad}: {error}");
        }
    }
}
