//! The validated configuration of `trainer fit`.

use std::path::PathBuf;
use std::time::Duration;

use data::current::{Inputs, RerunArgs};
use data::features::Index;
use data::head::{Hyperparameters, Init};
use data::manifest::Split;
use data::stage::{CommonArgs, usage};
use serde::Serialize;

use super::args::Args;

/// The configuration, every value within its range.
#[derive(Debug, Clone)]
pub struct Config {
    /// The feature directory.
    pub features: PathBuf,
    /// The model directory.
    pub out: PathBuf,
    /// The classifier that the network was published with, for initial weights that are its own.
    pub classifier: Option<PathBuf>,
    /// What the weights depend on.
    pub hyperparameters: Hyperparameters,
    /// Maximum number of epochs, at least 1.
    pub epochs: usize,
    /// Minimum time between two checkpoints.
    pub checkpoint_every: Duration,
    /// What to do about a head that is there already.
    pub rerun: RerunArgs,
    /// The flags that every program has.
    pub common: CommonArgs,
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// A usage error that names the flag and its range, or a device that this program was built without.
    pub fn new(args: &Args, common: &CommonArgs) -> anyhow::Result<Self> {
        check_ranges(args)?;
        check_init(args)?;
        args.device.ensure_built(cfg!(feature = "cuda"), cfg!(feature = "metal"))?;
        Ok(Self {
            features: args.features.clone(),
            out: args.out.clone(),
            classifier: args.classifier.clone(),
            hyperparameters: Hyperparameters {
                seed: common.seed,
                hidden: args.hidden.clone(),
                dropout: args.dropout,
                optimizer: args.optimizer,
                learning_rate: args.learning_rate,
                momentum: args.momentum,
                weight_decay: args.weight_decay,
                label_smoothing: args.label_smoothing,
                class_weights: args.class_weights,
                standardize: args.standardize,
                batch_size: args.batch_size,
                keep: args.keep,
                patience: args.patience,
                device: args.device,
                init: args.init,
                start_penalty: start_penalty(args),
            },
            epochs: args.epochs,
            checkpoint_every: Duration::from_secs(args.checkpoint_every),
            rerun: args.rerun,
            common: common.clone(),
        })
    }

    /// Lists what the head depends on.
    ///
    /// # Errors
    /// If there are no complete features.
    pub(super) fn inputs(&self) -> anyhow::Result<Inputs> {
        #[derive(Serialize)]
        struct Parameters<'a> {
            #[serde(flatten)]
            hyperparameters: &'a Hyperparameters,
            epochs: usize,
        }
        let parameters = Parameters { hyperparameters: &self.hyperparameters, epochs: self.epochs };
        let features = Index::files(&self.features, &[Split::Train, Split::Valid])?;
        let inputs = Inputs::new(&parameters)?.files("features", features);
        Ok(match &self.classifier {
            Some(path) => inputs.file("the classifier", path),
            None => inputs,
        })
    }
}

/// Strength of the penalty under `--init pretrained`, where none is given. `BENCHMARKS.md` has the measurements: with
/// few pictures a breed, training neither loses accuracy on other photos nor stands still.
const START_PENALTY: f64 = 100.0;

fn start_penalty(args: &Args) -> f64 {
    args.start_penalty.unwrap_or(match args.init {
        Init::Pretrained => START_PENALTY,
        Init::Random => 0.0,
    })
}

/// Refuses flags of `--init pretrained` without it, and it without a classifier.
fn check_init(args: &Args) -> anyhow::Result<()> {
    match (args.init, &args.classifier, args.start_penalty) {
        (Init::Pretrained, None, _) => Err(usage(
            "--init pretrained needs --classifier FILE, the classifier that `weights` writes beside the network, as in \
             W/weights/efficientnet-lite0-classifier.safetensors",
        )),
        (Init::Random, Some(_), _) => {
            Err(usage("--classifier is for --init pretrained; add that, or leave it out"))
        }
        (Init::Random, None, Some(_)) => {
            Err(usage("--start-penalty is for --init pretrained; add that, or leave it out"))
        }
        _ => Ok(()),
    }
}

fn check_ranges(args: &Args) -> anyhow::Result<()> {
    let is_share = |x: f64| (0.0..1.0).contains(&x);
    let is_finite_from_0 = |x: f64| x >= 0.0 && x.is_finite();
    let ranges = [
        ("--dropout", args.dropout, is_share(args.dropout), "at least 0 and below 1"),
        (
            "--learning-rate",
            args.learning_rate,
            is_finite_from_0(args.learning_rate) && args.learning_rate > 0.0,
            "above 0",
        ),
        ("--momentum", args.momentum, is_share(args.momentum), "at least 0 and below 1"),
        ("--weight-decay", args.weight_decay, is_finite_from_0(args.weight_decay), "at least 0"),
        ("--label-smoothing", args.label_smoothing, is_share(args.label_smoothing), "at least 0 and below 1"),
        (
            "--start-penalty",
            args.start_penalty.unwrap_or(0.0),
            is_finite_from_0(args.start_penalty.unwrap_or(0.0)),
            "at least 0",
        ),
        ("--epochs", args.epochs as f64, args.epochs > 0, "at least 1"),
        ("--batch-size", args.batch_size as f64, args.batch_size > 0, "at least 1"),
    ];
    match ranges.into_iter().find(|(_, _, is_in_range, _)| !is_in_range) {
        Some((flag, value, _, range)) => {
            Err(usage(format!("{flag} {value} is out of range, expected {range}")))
        }
        None => Ok(()),
    }
}
