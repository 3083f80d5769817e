//! What was typed, checked.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use candle_core::Device;
use data::current::Inputs;
use data::features::Dtype;
use data::manifest::Manifest;
use data::recipe::{Pool, Recipe};
use data::rejects::MaxBad;
use data::stage::usage;
use serde_json::json;

use crate::args::Args;
use crate::feature_extractor::check_image_size;
use crate::preprocess::{self, Preset};
use crate::vgg16::{self, Engine};
use crate::weights::Source;

/// More pictures than this in a batch gain nothing and take memory.
const MAX_BATCH_SIZE: usize = 1024;

/// The role of the weights among the inputs.
pub(crate) const WEIGHTS: &str = "the weights";

/// The parameters of a run, each within its range.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) manifest: PathBuf,
    pub(crate) out: PathBuf,
    pub(crate) weights: Source,
    pub(crate) weights_dir: PathBuf,
    pub(crate) preset: &'static Preset,
    pub(crate) image_size: u32,
    pub(crate) pool: Pool,
    pub(crate) dtype: Dtype,
    pub(crate) batch_size: usize,
    pub(crate) part: Part,
    pub(crate) device: DeviceKind,
    pub(crate) max_bad: MaxBad,
}

impl Config {
    /// # Errors
    /// A usage error for what lies outside its range.
    pub(crate) fn check(args: &Args) -> anyhow::Result<Self> {
        let preset = Preset::find(&args.preset).map_err(|e| usage(format!("--preset: {e}")))?;
        let image_size = args.image_size.unwrap_or(preset.image_size);
        check_image_size(image_size).map_err(|e| usage(format!("--image-size: {e}")))?;
        if !(1..=MAX_BATCH_SIZE).contains(&args.batch_size) {
            return Err(usage(format!("--batch-size: {} is outside 1 to {MAX_BATCH_SIZE}", args.batch_size)));
        }
        Engine::from_env()?;
        let weights = match &args.weights {
            Source::Hub { .. } => Source::Hub { full: args.full },
            _ if args.full => return Err(usage("--full goes with --weights hub alone")),
            other => other.clone(),
        };
        let beside_out = || args.out.parent().unwrap_or(Path::new("")).join("weights");
        Ok(Self {
            manifest: args.manifest.clone(),
            out: args.out.clone(),
            weights,
            weights_dir: args.weights_dir.clone().unwrap_or_else(beside_out),
            preset,
            image_size,
            pool: args.pool,
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
    pub(crate) fn asked(&self, manifest: &Manifest, seed: u64) -> anyhow::Result<Inputs> {
        let weights = match &self.weights {
            // What a file is called changes nothing: its content is an input.
            Source::File(_) => "file".to_owned(),
            other => other.name(seed),
        };
        let parameters = json!({
            "weights": weights,
            "full": self.weights == Source::Hub { full: true },
            "preset": self.preset.name,
            "preprocessing-version": preprocess::VERSION,
            "image-size": self.image_size,
            "pool": self.pool,
            "dtype": self.dtype,
            "device": format!("{:?}", self.device).to_lowercase(),
            "max-bad": self.max_bad.to_string(),
        });
        let pictures = manifest.rows.iter().map(|row| (row.path.clone(), manifest.resolve(row)));
        Ok(Inputs::new(&parameters)?
            .file("the manifest", &self.manifest)
            .files("pictures", pictures)
            .file(WEIGHTS, &self.weights.depends_on(seed, &self.weights_dir)))
    }

    /// The recipe of these parameters with the weights of that name and digest.
    pub(crate) fn recipe(&self, weights: String, weights_sha256: String) -> Recipe {
        Recipe {
            backbone: vgg16::NAME.to_owned(),
            weights,
            weights_sha256,
            image_size: self.image_size,
            preset: self.preset.name.to_owned(),
            preprocessing_version: preprocess::VERSION,
            pool: self.pool,
        }
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceKind {
    /// The processor.
    Cpu,
    /// The first NVIDIA card.
    Cuda,
    /// The GPU of a Mac.
    Metal,
}

impl DeviceKind {
    /// Opens the device.
    ///
    /// # Errors
    /// A usage error if this program was built without it; another if it is not there.
    pub fn open(self) -> anyhow::Result<Device> {
        let not_built = |name: &str| {
            usage(format!(
                "--device {name}: this program was built without it; build it with \
                 `cargo build --release --features {name}`"
            ))
        };
        match self {
            DeviceKind::Cpu => Ok(Device::Cpu),
            DeviceKind::Cuda if cfg!(feature = "cuda") => {
                Device::new_cuda(0).context("--device cuda: cannot open the first CUDA device")
            }
            DeviceKind::Cuda => Err(not_built("cuda")),
            DeviceKind::Metal if cfg!(feature = "metal") => {
                Device::new_metal(0).context("--device metal: cannot open the first Metal device")
            }
            DeviceKind::Metal => Err(not_built("metal")),
        }
    }
}

/// Which part of the shards to do: those whose number, counted over all splits, leaves `index` when
/// divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: usize,
    of: usize,
}

impl Part {
    /// The number of parts.
    pub fn count(self) -> usize {
        self.of
    }

    /// Whether the shard `number` is in this part.
    pub fn contains(self, number: usize) -> bool {
        number % self.of == self.index
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("{text:?} is no part, expected i/n with i below n, as in 0/2");
        let (index, of) = text.split_once('/').with_context(expected)?;
        let (index, of) = (index.parse().with_context(expected)?, of.parse().with_context(expected)?);
        anyhow::ensure!(index < of, "{}", expected());
        Ok(Self { index, of })
    }
}
