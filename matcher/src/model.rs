//! The model: extractor and head together, from the bytes of a photo to a verdict.

use std::path::PathBuf;

use anyhow::Context;
use candle_core::Device;
use data::breeds::SizeThresholds;
use data::current::Inputs;
use data::head::{self, HeadInfo};
use data::photo::{self, Limits, Reject};
use data::provenance::sha256_file;
use data::stage::{check_interrupted, usage};
use extractor::FeatureExtractor;
use image::RgbImage;
use rayon::prelude::*;
use trainer::Classifier;

use crate::detect::Classes;
use crate::rules::Looked;
use crate::verdict::Verdict;
pub use quality::Quality;

mod quality;

/// Photos that go through the network together.
pub(crate) const BATCH_SIZE: usize = 16;
/// Pixels of a thumbnail's longer side.
const THUMBNAIL_SIDE: u32 = 320;

/// The flags that choose a model and say how to read its answers.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelArgs {
    /// Directory of the trained head
    #[arg(long)]
    pub model: PathBuf,
    /// The weights file that the features were made with
    #[arg(long)]
    pub weights: PathBuf,
    /// Minimum probability of a dog for a photo to count as showing one
    #[arg(long, default_value_t = 0.5)]
    pub min_dog: f64,
    /// Where one size ends and the next begins, kilograms
    #[arg(long, value_name = "KG,KG,KG", default_value = "10,25,45")]
    pub size_thresholds: SizeThresholds,
    /// Classes that are no dog, beside not_a_dog and cat
    #[arg(long, value_delimiter = ',', value_name = "CLASS,...")]
    pub not_a_dog: Vec<String>,
}

/// The validated configuration of a model.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// Directory of the head.
    pub model: PathBuf,
    /// The weights file.
    pub weights: PathBuf,
    /// In [0, 1].
    pub min_dog: f64,
    /// Where one size ends and the next begins.
    pub size_thresholds: SizeThresholds,
    /// Further classes that are no dog.
    pub not_a_dog: Vec<String>,
}

impl ModelConfig {
    /// Adds what a model's answers depend on: the head, the weights, and how the answers are read.
    ///
    /// # Errors
    /// If the parameters are no JSON.
    pub(crate) fn add_to(&self, inputs: Inputs) -> anyhow::Result<Inputs> {
        let parameters = (self.min_dog, self.size_thresholds.kg, &self.not_a_dog);
        inputs
            .file("the head", &self.model.join(head::FILE_NAME))
            .file("the weights", &self.weights)
            .value("how answers are read", &parameters)
    }

    /// Checks `args`.
    ///
    /// # Errors
    /// A usage error if `--min-dog` is no probability.
    pub fn new(args: &ModelArgs) -> anyhow::Result<Self> {
        if !(0.0..=1.0).contains(&args.min_dog) {
            return Err(usage(format!("--min-dog is {}, expected 0 to 1", args.min_dog)));
        }
        Ok(Self {
            model: args.model.clone(),
            weights: args.weights.clone(),
            min_dog: args.min_dog,
            size_thresholds: args.size_thresholds,
            not_a_dog: args.not_a_dog.clone(),
        })
    }
}

/// What looking at a photo gave.
#[derive(Debug, Clone)]
pub struct Seen {
    /// A verdict, or why there is none.
    pub looked: Looked,
    /// The photo, small; there is one for every verdict.
    pub thumbnail: Option<RgbImage>,
}

/// A trained model, loaded.
#[derive(Debug)]
pub struct Model {
    extractor: FeatureExtractor,
    classifier: Classifier,
    size_thresholds: SizeThresholds,
    classes: Classes,
    quality: Quality,
    /// Of the file of the head.
    head_sha256: String,
}

impl Model {
    /// Tells this model from others, whatever its files are called: the digests of the head and of the weights.
    pub(crate) fn identity(&self) -> String {
        format!("{} {}", self.head_sha256, self.info().recipe.weights_sha256)
    }

    /// Loads the head and the weights that it was trained with.
    ///
    /// # Errors
    /// If either is missing, damaged, or does not fit the other.
    pub fn open(config: &ModelConfig) -> anyhow::Result<Self> {
        let classifier = Classifier::open(&config.model)?;
        let info = classifier.info();
        let classes = Classes::new(&info.classes, &config.not_a_dog)?;
        if !classes.can_say_no_dog() {
            tracing::warn!(
                "the model has no class for pictures without a dog: every photo is taken to show one"
            );
        }
        let extractor = FeatureExtractor::new(info.recipe.clone(), &config.weights, &Device::Cpu)?;
        anyhow::ensure!(
            extractor.feature_shape() == info.feature_shape,
            "{}: the head takes features of shape {:?}, its recipe gives {:?}; run trainer fit again",
            config.model.display(),
            info.feature_shape,
            extractor.feature_shape(),
        );
        let head_sha256 = sha256_file(&config.model.join(head::FILE_NAME))?;
        let quality = Quality::read(&config.model, &head_sha256, info);
        Ok(Self {
            extractor,
            size_thresholds: config.size_thresholds,
            classes,
            quality,
            classifier,
            head_sha256,
        })
    }

    /// Describes the head.
    pub fn info(&self) -> &HeadInfo {
        self.classifier.info()
    }

    /// How far it can be trusted.
    pub fn quality(&self) -> &Quality {
        &self.quality
    }

    /// Its classes.
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Where one size ends and the next begins.
    pub fn size_thresholds(&self) -> &SizeThresholds {
        &self.size_thresholds
    }

    /// Looks at photos, a batch at a time: what `read` makes of each of `photos`, in order.
    ///
    /// # Errors
    /// If the user interrupts or the network fails; a broken photo is no error but a [`Seen`] with the
    /// reason.
    pub fn look<P: Sync>(
        &self,
        photos: &[P],
        read: impl Fn(&P) -> Result<Vec<u8>, Reject> + Sync,
    ) -> anyhow::Result<Vec<Seen>> {
        let mut all = Vec::with_capacity(photos.len());
        for batch in photos.chunks(BATCH_SIZE) {
            check_interrupted()?;
            let prepared: Vec<Result<Prepared, Reject>> =
                batch.par_iter().map(|p| self.prepare(&read(p)?)).collect::<Vec<_>>();
            let inputs: Vec<&[f32]> = prepared.iter().flatten().map(|p| p.input.as_slice()).collect(); // (B, 3 * S * S)
            let features = self.extractor.features_of_prepared(&inputs)?; // (B, D)
            let mut outputs = self.classifier.output_log_probabilities(&features)?.into_iter(); // (B, n_outputs)
            for photo in prepared {
                all.push(match photo {
                    Err(reject) => Seen { looked: Err(reject), thumbnail: None },
                    Ok(prepared) => {
                        let outputs = outputs.next().context("a photo has no probabilities")?;
                        self.judge_outputs(&outputs, prepared.thumbnail)?
                    }
                });
            }
        }
        Ok(all)
    }

    /// What the logarithms of the probabilities of all outputs say of the photo that is `thumbnail` in small.
    fn judge_outputs(&self, outputs: &[f64], thumbnail: RgbImage) -> anyhow::Result<Seen> {
        let by_class = self.classifier.by_class(outputs); // (K)
        let probabilities: Vec<f32> = by_class.iter().map(|p| p.exp() as f32).collect();
        anyhow::ensure!(
            probabilities.iter().all(|p| p.is_finite()),
            "the model gives a probability that is no number; the weights or the head are unusable"
        );
        let mut seen = self.judge(probabilities, thumbnail);
        if let Ok(verdict) = &mut seen.looked {
            let no_dog = (0..self.classes.len()).filter(|&class| !self.classes.is_dog(class));
            let named = no_dog.filter_map(|class| self.classifier.likeliest_output(outputs, class));
            let likeliest = named.max_by(|a, b| a.1.total_cmp(&b.1));
            verdict.instead = likeliest.map(|(name, probability)| (name.to_owned(), probability));
        }
        Ok(seen)
    }

    /// What `probabilities`, one a class, say of the photo that is `thumbnail` in small.
    pub(crate) fn judge(&self, probabilities: Vec<f32>, thumbnail: RgbImage) -> Seen {
        let verdict = Verdict::new(probabilities, &self.classes, &self.size_thresholds);
        Seen { looked: Ok(verdict), thumbnail: Some(thumbnail) }
    }

    /// Decodes and shrinks at once, so that a batch of large photos is never in memory together.
    fn prepare(&self, bytes: &[u8]) -> Result<Prepared, Reject> {
        let photo = photo::decode(bytes, &Limits::STANDARD)?;
        let input = self
            .extractor
            .prepare(&photo.rgb)
            .map_err(|e| Reject::new(photo::Reason::DecodeError, format!("{e:#}")))?;
        Ok(Prepared { input, thumbnail: shrink(&photo.rgb, THUMBNAIL_SIDE) })
    }
}

struct Prepared {
    /// (3, S, S)
    input: Vec<f32>,
    thumbnail: RgbImage,
}

/// `photo` with its longer side at most `side` pixels.
pub(crate) fn shrink(photo: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = photo.dimensions();
    let longer = width.max(height);
    if longer <= side {
        return photo.clone();
    }
    let scaled =
        |n: u32| u32::try_from(u64::from(n) * u64::from(side) / u64::from(longer)).unwrap_or(side).max(1);
    image::imageops::thumbnail(photo, scaled(width), scaled(height))
}
