//! The program from end to end, on a tiny model and on pictures that the tests make.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use clap::Parser;
use data::commit::write_bytes;
use data::draw;
use data::head::{self, Dense, Head, HeadInfo, TrainingRecord};
use data::recipe::{Pool, Recipe};
use data::stage::Exit;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use super::*;

mod refusals;

const N_FEATURES: usize = 512;
const HEADER: &str = "id,name,age,gender,latitude,longitude,photos\n";

/// Seeded weights, made once and removed with the last test that uses them.
struct Weights {
    _dir: TempDir,
    file: PathBuf,
    sha256: String,
}

impl Weights {
    fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Weights>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("vgg16.safetensors");
            let seeded = data::weights::Weights::seeded(extractor::backbone::vgg16::BACKBONE, 1);
            seeded.write(&file).unwrap();
            let weights = Arc::new(Weights { sha256: seeded.info.weights_sha256, file, _dir: dir });
            *shared = Arc::downgrade(&weights);
            weights
        })
    }
}

/// A directory with a model; the network's weights are seeded, its input is 32 pixels a side.
struct Work {
    dir: TempDir,
    weights: Arc<Weights>,
}

impl Work {
    /// Makes a model that gives every class its given probability for every photo.
    fn sees(classes: &[(&str, f32)]) -> Self {
        Self::with_model(classes, 0.0)
    }

    /// Makes a model whose answers differ from photo to photo.
    fn sees_differences(classes: &[&str]) -> Self {
        let equal: Vec<(&str, f32)> = classes.iter().map(|c| (*c, 1.0)).collect();
        Self::with_model(&equal, 0.2)
    }

    fn with_model(classes: &[(&str, f32)], deviation: f64) -> Self {
        let work = Self { dir: tempfile::tempdir().unwrap(), weights: Weights::shared() };
        let recipe = Recipe {
            backbone: extractor::backbone::vgg16::BACKBONE.name.into(),
            weights: "seeded:1".into(),
            weights_sha256: work.weights.sha256.clone(),
            weights_trained: false,
            image_size: 32,
            preset: "torchvision".into(),
            preprocessing_version: extractor::preprocess::VERSION,
            pool: Pool::Avg,
        };
        let mut draws = draw::stream(1, "test", "head");
        let layer = Dense {
            n_out: classes.len(),
            n_in: N_FEATURES,
            weight: (0..classes.len() * N_FEATURES).map(|_| (deviation * draws.normal()) as f32).collect(),
            bias: classes.iter().map(|(_, p)| p.ln()).collect(),
        };
        let names = classes.iter().map(|(name, _)| (*name).to_owned()).collect();
        let info = HeadInfo::new(names, recipe, vec![N_FEATURES], Some(TrainingRecord::default()));
        Head { layers: vec![layer], info }.write(&work.path("model").join(head::FILE_NAME)).unwrap();
        work
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path(path)).unwrap()
    }

    fn profiles(&self, rows: &str) {
        write_bytes(&self.path("profiles/profiles.csv"), format!("{HEADER}{rows}").as_bytes()).unwrap();
    }

    /// Writes a picture of noise that differs for every name.
    fn photo(&self, path: &str) -> PathBuf {
        let mut draws = draw::stream(1, "test", path);
        let mut pixel = || u8::try_from(draws.below(256)).unwrap();
        let colour = [pixel(), pixel(), pixel()];
        let photo = RgbImage::from_fn(50, 40, |_, _| Rgb(colour.map(|c| c / 2 + pixel() / 2)));
        let mut png = Vec::new();
        let encoder = image::codecs::png::PngEncoder::new(&mut png);
        photo.write_with_encoder(encoder).unwrap();
        write_bytes(&self.path(path), &png).unwrap();
        self.path(path)
    }

    /// Runs `matcher decide` with `flags`; `@` at the start of a flag's value stands for this directory.
    fn decide(&self, flags: &str) -> anyhow::Result<()> {
        self.matcher("decide", &format!("--profiles @profiles/profiles.csv --out @matches {flags}"))
    }

    fn matcher(&self, command: &str, flags: &str) -> anyhow::Result<()> {
        let all = format!(
            "matcher {command} --quiet --model @model --weights {} {flags}",
            self.weights.file.display()
        );
        let resolve = |arg: &str| match arg.strip_prefix('@') {
            Some(path) => self.path(path).to_str().unwrap().to_owned(),
            None => arg.to_owned(),
        };
        run(&Args::try_parse_from(all.split_whitespace().map(resolve))?)
    }

    /// Returns the decisions as (id, decision, reason).
    fn decisions(&self) -> Vec<[String; 3]> {
        let mut table = csv::Reader::from_path(self.path("matches/decisions.csv")).unwrap();
        let row = |r: csv::StringRecord| [r[0].to_owned(), r[2].to_owned(), r[3].to_owned()];
        table.records().map(|r| row(r.unwrap())).collect()
    }
}

fn check(work: &Work, expected: &[[&str; 3]]) {
    assert_eq!(work.decisions(), expected);
}

#[test]
fn every_profile_gets_a_row_and_every_failure_a_reason() {
    let work = Work::sees(&[("beagle", 0.75), ("chihuahua", 0.05), ("not_a_dog", 0.2)]);
    let good = work.photo("profiles/photos/good.png");
    let whole = std::fs::read(&good).unwrap();
    write_bytes(&work.path("profiles/photos/cut.png"), &whole[..whole.len() / 2]).unwrap();
    write_bytes(&work.path("profiles/photos/empty.jpg"), b"").unwrap();
    work.photo("secret.png");
    let twenty = vec!["photos/good.png"; 20].join(";");
    work.profiles(&format!(
        "1,\"=HYPERLINK(\"\"http://x\"\")\",30,f,48.85,2.35,photos/good.png\r\n\
         2,B,41,f,48.85,2.35,photos/good.png\n\
         3,C,30,m,52.52,13.4,photos/good.png\n\
         4,D,30,f,48.85,2.35,\n\
         5,E,thirty,f,48.85,2.35,photos/good.png\n\
         6,F,30,f,48.85,2.35,../secret.png;https://x.org/a.jpg;photos/none.png\n\
         7,G,30,f,48.85,2.35,photos/empty.jpg;photos/cut.png;photos/good.png\n\
         1,H,30,f,48.85,2.35,photos/good.png\n\
         -8,I,30,f,48.85,2.35,{twenty}\n"
    ));
    work.decide("--my-dog beagle --rule same-size --max-age 35 --latitude 48.85 --longitude 2.35 --max-distance-km 50")
        .unwrap();
    let expected = "\
id,name,decision,reason,photo,breed,probability,dog_probability,size,kg,distance_km
1,\"'=HYPERLINK(\"\"http://x\"\")\",like,same size: small,photos/good.png,beagle,0.7500,0.8000,small,9.3,0.0
2,B,pass,age 41 above 35,,,,,,,0.0
3,C,pass,\"877.7 km away, limit 50\",,,,,,,877.7
4,D,pass,no photo,,,,,,,0.0
6,F,pass,\"no readable photo (2 x bad_name, unreadable)\",,,,,,,0.0
7,G,like,\"same size: small; 2 photos unreadable (empty, truncated)\",photos/good.png,beagle,0.7500,0.8000,small,9.3,0.0
'-8,I,like,same size: small,photos/good.png,beagle,0.7500,0.8000,small,9.3,0.0
";
    assert_eq!(work.read("matches/decisions.csv"), expected);
    let rejected = "line,detail\n\
        6,\"age is \"\"thirty\"\", expected a whole number up to 150\"\n\
        9,\"id \"\"1\"\" is already used by an earlier row\"\n";
    assert_eq!(work.read("matches/rejected-profiles.csv"), rejected);
}

#[test]
fn the_page_is_self_contained_and_says_if_the_weights_are_untrained() {
    let work = Work::sees(&[("beagle", 0.8), ("dog", 0.2)]);
    work.photo("profiles/a.png");
    work.photo("mine.png");
    work.profiles("1,<script>alert(1)</script>,30,f,,,a.png\n2,B,,,,,no.png\n3,C,50,,,,a.png\n");
    work.decide("--my-dog @mine.png --max-age 40").unwrap();
    let page = work.read("matches/matches.html");
    for expected in [
        "The network is untrained.",
        "seeded:1",
        "Every photo is assumed to show a dog.",
        "&lt;script&gt;",
        "same size: small",
        "age 50 above 40",
        "age unknown",
        "from a photo, 80 %",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    for unwanted in ["<script", "http://", "https://", "url(", "@import", "src=\"/"] {
        assert!(!page.contains(unwanted), "{unwanted}");
    }
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,").count(), 2);
    let provenance = work.read("matches/provenance.json");
    assert!(provenance.contains("\"my-dog\":\"a photo\""), "{provenance}");
    assert!(!provenance.contains(work.dir.path().to_str().unwrap()), "{provenance}");
}

#[test]
fn the_same_inputs_give_the_same_bytes_for_any_number_of_threads() {
    let work = Work::sees_differences(&["beagle", "chihuahua", "Great_Dane", "not_a_dog"]);
    let mut rows = String::new();
    for i in 0..20 {
        work.photo(&format!("profiles/{i}.png"));
        rows += &format!("{i},N,,,,,{i}.png;{}.png\n", (i + 7) % 20);
    }
    work.profiles(&rows);
    let mut outputs = Vec::new();
    for n_threads in [1, 4, 4] {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        threads.install(|| work.decide("--my-dog beagle --min-dog 0.3")).unwrap();
        let names = ["decisions.csv", "rejected-profiles.csv", "provenance.json", "matches.html"];
        outputs.push(names.map(|name| work.read(&format!("matches/{name}"))));
        std::fs::remove_dir_all(work.path("matches")).unwrap();
    }
    assert!(outputs[0] == outputs[1] && outputs[1] == outputs[2]);
    let distinct: std::collections::BTreeSet<&str> =
        outputs[0][0].lines().map(|l| l.split_once(',').unwrap().1).collect();
    assert!(distinct.len() > 5, "the model sees no differences: {distinct:?}");
}

#[test]
fn my_dog_is_a_photo_a_class_or_a_breed() {
    let work = Work::sees(&[("beagle", 0.6), ("labradoodle", 0.3), ("cat", 0.1)]);
    work.photo("profiles/a.png");
    work.photo("mine.png");
    work.profiles("1,A,,,,,a.png\n");
    for (flags, decision, reason) in [
        ("--my-dog @mine.png --rule same-breed", "like", "same breed: beagle"),
        ("--my-dog Beagle --rule same-breed", "like", "same breed: beagle"),
        ("--my-dog labradoodle --rule same-breed", "pass", "another breed: beagle"),
        ("--my-dog Great_Dane --rule within-one-size", "pass", "small, 3 sizes from giant"),
        ("--rule none", "like", "a dog, and any will do"),
        ("--rule none --min-dog 0.95", "pass", "no dog in 1 photo"),
        ("--rule none --not-a-dog Beagle", "pass", "no dog in 1 photo"),
        ("--my-dog chihuahua --size-thresholds 1,2,3 --rule same-size", "pass", "giant, 1 size from large"),
    ] {
        work.decide(flags).unwrap();
        check(&work, &[["1", decision, reason]]);
    }
}

/// Real photos and damaged ones, if there are any beside the repository.
#[test]
fn every_real_photo_beside_the_repository_gets_a_result() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let places = [("PHOTOS", "photos/pets"), ("BAD_IMAGES", "bad-images")];
    let work = Work::sees_differences(&["beagle", "cat"]);
    work.photo("profiles/own.png");
    let mut photos = vec![work.path("profiles/own.png")];
    for (variable, default) in places {
        let dir = std::env::var_os(variable).map_or_else(|| shared.join(default), PathBuf::from);
        let Ok(entries) = dir.read_dir() else { continue };
        photos.extend(entries.map(|e| e.unwrap().path()));
    }
    photos.sort();
    let config = model::ModelConfig {
        model: work.path("model"),
        weights: work.weights.file.clone(),
        min_dog: 0.5,
        size_thresholds: data::breeds::SizeThresholds::STANDARD,
        not_a_dog: Vec::new(),
    };
    let model = model::Model::open(&config).unwrap();
    let seen = model.look(&photos, |path| my_dog::read_named(path)).unwrap();
    assert_eq!(seen.len(), photos.len());
    for (path, seen) in photos.iter().zip(seen) {
        assert_eq!(seen.looked.is_ok(), seen.thumbnail.is_some(), "{}", path.display());
    }
}

#[test]
fn a_photo_that_an_interrupted_run_has_seen_is_not_looked_at_again() {
    let work = Work::sees(&[("beagle", 0.98), ("chihuahua", 0.01), ("not_a_dog", 0.01)]);
    work.profiles("1,A,,,,,seen.png\n2,B,,,,,new.png\n");
    let photo = work.photo("profiles/seen.png");
    work.photo("profiles/new.png");
    // The model never gives this result, so it shows that the saved one was used.
    let model = work.path("model");
    let config = crate::model::ModelConfig {
        model,
        weights: work.weights.file.clone(),
        min_dog: 0.5,
        size_thresholds: data::breeds::SizeThresholds::STANDARD,
        not_a_dog: Vec::new(),
    };
    let identity = crate::model::Model::open(&config).unwrap().identity();
    let sha256 = data::provenance::sha256_file(&photo).unwrap();
    let thumbnail = RgbImage::new(4, 3);
    let keep = |model: &str| {
        let mut seen = crate::resume::SeenBefore::open(&work.path("matches"), model);
        seen.keep([(sha256.as_str(), &[0.1f32, 0.8, 0.1][..], &thumbnail)].into_iter()).unwrap();
    };
    let breeds = || {
        let mut table = csv::Reader::from_path(work.path("matches/decisions.csv")).unwrap();
        table.records().map(|row| row.unwrap()[5].to_owned()).collect::<Vec<_>>()
    };
    keep(&identity);
    work.decide("--rule none").unwrap();
    assert_eq!(breeds(), ["Chihuahua", "beagle"]);
    assert!(!work.path("matches/.seen").exists(), "the saved results are removed at the end");
    keep("another model");
    work.decide("--rule none --min-dog 0.4").unwrap();
    assert_eq!(breeds(), ["beagle", "beagle"]);
    keep(&identity);
    work.decide("--rule none --force").unwrap();
    assert_eq!(breeds(), ["beagle", "beagle"], "--force classifies everything");
}

#[test]
fn a_cat_is_passed_under_every_name_of_its_class() {
    for no_dog in ["cats", "not-a-dog", "no_dog", "NonDogs", "kittens"] {
        let work = Work::sees(&[("dogs", 0.1), (no_dog, 0.9)]);
        work.profiles("1,A,,,,,cat.png\n");
        work.photo("profiles/cat.png");
        work.decide("--rule none").unwrap();
        check(&work, &[["1", "pass", "no dog in 1 photo"]]);
    }
}
