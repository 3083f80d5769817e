//! The validated configuration.

use std::path::PathBuf;

use data::backbone::Backbone;
use data::current::Inputs;
use data::device::Device;
use data::features::Dtype;
use data::manifest::Manifest;
use data::recipe::{Pool, Recipe};
use data::rejects::MaxBad;
use data::stage::usage;
use data::weights::WeightsInfo;
use serde_json::json;

use crate::args::Args;
use crate::backbone::Engine;
use crate::feature_extractor::check_image_size;
use crate::part::Part;
use crate::preprocess::{self, Preset};

/// More pictures than this in a batch gain nothing and take memory.
const MAX_BATCH_SIZE: usize = 1024;

/// The parameters of a run, each within its range.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) manifest: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) backbone: &'static Backbone,
    pub(crate) weights: PathBuf,
    pub(crate) preset: &'static Preset,
    pub(crate) image_size: u32,
    pub(crate) pool: Pool,
    pub(crate) dtype: Dtype,
    pub(crate) batch_size: usize,
    pub(crate) part: Part,
    pub(crate) device: Device,
    pub(crate) max_bad: MaxBad,
}

impl Config {
    /// Checks `args`.
    ///
    /// # Errors
    /// A usage error for what lies outside its range.
    pub(crate) fn new(args: &Args) -> anyhow::Result<Self> {
        let backbone = Backbone::find(&args.backbone).map_err(|e| usage(format!("--backbone: {e}")))?;
        let preset = preset(backbone, args.preset.as_deref())?;
        let image_size = args.image_size.unwrap_or(preset.image_size);
        check_image_size(backbone, image_size).map_err(|e| usage(format!("--image-size: {e}")))?;
        if !(1..=MAX_BATCH_SIZE).contains(&args.batch_size) {
            return Err(usage(format!("--batch-size: {} is outside 1 to {MAX_BATCH_SIZE}", args.batch_size)));
        }
        let pool = args.pool.unwrap_or(backbone.pool);
        if pool == Pool::None && !backbone.has_maps {
            return Err(usage(format!(
                "--pool: {} gives the means of its channels alone, avg",
                backbone.name
            )));
        }
        args.device.ensure_built(cfg!(feature = "cuda"), cfg!(feature = "metal"))?;
        Engine::from_env()?;
        Ok(Self {
            manifest: args.manifest.clone(),
            out: args.out.clone(),
            backbone,
            weights: args.weights.clone(),
            preset,
            image_size,
            pool,
            dtype: args.dtype,
            batch_size: args.batch_size,
            part: args.shard,
            device: args.device,
            max_bad: args.max_bad,
        })
    }

    /// What the features depend on: these parameters, the manifest, its pictures and the weights.
    ///
    /// # Errors
    /// If the parameters are no JSON.
    pub(crate) fn inputs(&self, manifest: &Manifest) -> anyhow::Result<Inputs> {
        let parameters = json!({
            "backbone": self.backbone.name,
            "preset": self.preset.name,
            "preprocessing-version": preprocess::VERSION,
            "image-size": self.image_size,
            "pool": self.pool,
            "dtype": self.dtype,
            "device": self.device,
            "max-bad": self.max_bad.to_string(),
        });
        let pictures = manifest.rows.iter().map(|row| (row.path.clone(), manifest.resolve(row)));
        Ok(Inputs::new(&parameters)?
            .file("the manifest", &self.manifest)
            .files("pictures", pictures)
            .file("the weights", &self.weights))
    }

    /// Gives the network of the configuration, if `name` is its name.
    ///
    /// # Errors
    /// Says what to run otherwise.
    pub(crate) fn named(&self, name: &str) -> anyhow::Result<&'static Backbone> {
        anyhow::ensure!(
            name == self.backbone.name,
            "it holds weights of {name}, expected {}; give --backbone {name}, or the weights of {}",
            self.backbone.name,
            self.backbone.name
        );
        Ok(self.backbone)
    }

    /// The recipe of these parameters with the weights that `info` describes.
    pub(crate) fn recipe(&self, info: &WeightsInfo) -> Recipe {
        Recipe {
            backbone: info.backbone.clone(),
            weights: info.origin.origin.clone(),
            weights_sha256: info.weights_sha256.clone(),
            weights_trained: info.origin.trained,
            image_size: self.image_size,
            preset: self.preset.name.to_owned(),
            preprocessing_version: preprocess::VERSION,
            pool: self.pool,
        }
    }
}

/// Finds the preset called `name`, or the usual one of `backbone`.
fn preset(backbone: &Backbone, name: Option<&str>) -> anyhow::Result<&'static Preset> {
    let name = name.unwrap_or(backbone.presets[0]);
    if !backbone.presets.contains(&name) {
        return Err(usage(format!(
            "--preset: {name:?} is no preset of {}, expected one of {}",
            backbone.name,
            backbone.presets.join(", ")
        )));
    }
    Preset::find(name).map_err(|e| usage(format!("--preset: {e}")))
}
