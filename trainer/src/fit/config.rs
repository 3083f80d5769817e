//! What is asked of `trainer fit`: the flags, and what they mean once checked.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use data::current::{Inputs, RerunArgs};
use data::features::Index;
use data::manifest::Split;
use data::stage::usage;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::mlp::Sgd;

/// Flags of `trainer fit`; the defaults are the post's head.
#[derive(Debug, Clone, clap::Args)]
pub struct FitArgs {
    /// Directory with the features (index.json)
    #[arg(long)]
    pub features: PathBuf,
    /// Directory to write head.safetensors, history.csv and checkpoints into
    #[arg(long)]
    pub out: PathBuf,
    /// Units of the hidden layers, or none for a linear probe
    #[arg(long, default_value = "2056,1028")]
    pub hidden: Hidden,
    /// Share of the first hidden layer's units that each step leaves out
    #[arg(long, default_value_t = 0.2)]
    pub dropout: f64,
    /// The optimizer
    #[arg(long, value_enum, default_value_t = Optimizer::Sgd)]
    pub optimizer: Optimizer,
    /// Step length
    #[arg(long, default_value_t = 0.01)]
    pub learning_rate: f64,
    /// Share of the last step that is taken again
    #[arg(long, default_value_t = 0.0)]
    pub momentum: f64,
    /// L2 penalty on the weights (not on the biases)
    #[arg(long, default_value_t = 0.0)]
    pub weight_decay: f64,
    /// Share of each target that is spread over all classes
    #[arg(long, default_value_t = 0.0)]
    pub label_smoothing: f64,
    /// Whether pictures of rare classes count for more
    #[arg(long, value_enum, default_value_t = ClassWeights::None)]
    pub class_weights: ClassWeights,
    /// Bring every feature to mean 0, and all together to deviation 1, over the train split; folded
    /// into the saved head
    #[arg(long)]
    pub standardize: bool,
    /// Passes over the train split
    #[arg(long, default_value_t = 50)]
    pub epochs: usize,
    /// Pictures in a step
    #[arg(long, default_value_t = 32)]
    pub batch_size: usize,
    /// Which epoch gives the head: best, the one with the highest top-1 on valid, or last, which needs no valid
    /// pictures and does not look at them
    #[arg(long, value_enum, default_value_t = Keep::Best)]
    pub keep: Keep,
    /// Epochs without a lower valid loss after which the run ends; 0 means never
    #[arg(long, default_value_t = 10)]
    pub patience: usize,
    /// Seconds between two checkpoints at least; 0 means one after each epoch. The result does not depend on it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub checkpoint_every: u64,
    /// What to do about a head that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}

/// Units of the hidden layers, first to last; empty for a linear probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hidden(pub Vec<usize>);

impl FromStr for Hidden {
    type Err = anyhow::Error;

    /// Reads `2056,1028` or `none`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        if text == "none" {
            return Ok(Self(Vec::new()));
        }
        let units = |part: &str| part.trim().parse().ok().filter(|&n: &usize| n > 0);
        let all: Option<Vec<usize>> = text.split(',').map(units).collect();
        all.map(Self)
            .with_context(|| format!("{text:?} is neither a list of units, as in 2056,1028, nor none"))
    }
}

/// How weights move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd,
}

/// What a picture counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All the same.
    None,
    /// n / (K * n of its class), so that each class counts the same and the mean is 1.
    Balanced,
}

/// Which epoch gives the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The one with the highest top-1 on valid.
    Best,
    /// The last one.
    Last,
}

/// All that the weights depend on, beside the features and the number of epochs. Its JSON, with the names
/// of the flags, goes into the head and, to tell runs apart, into checkpoints.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "they are the flags of FitArgs")]
pub struct Parameters {
    pub seed: u64,
    #[serde(serialize_with = "as_typed")]
    pub hidden: Hidden,
    pub dropout: f64,
    pub optimizer: Optimizer,
    pub learning_rate: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub label_smoothing: f64,
    pub class_weights: ClassWeights,
    pub standardize: bool,
    pub batch_size: usize,
    pub keep: Keep,
    pub patience: usize,
}

fn as_typed<S: Serializer>(hidden: &Hidden, serializer: S) -> Result<S::Ok, S::Error> {
    let units: Vec<String> = hidden.0.iter().map(usize::to_string).collect();
    serializer.serialize_str(if units.is_empty() { "none".to_owned() } else { units.join(",") }.as_str())
}

impl Parameters {
    /// How weights move.
    pub(crate) fn sgd(&self) -> Sgd {
        let Self { learning_rate, momentum, weight_decay, .. } = *self;
        Sgd { learning_rate, momentum, weight_decay }
    }

    /// By flag name.
    ///
    /// # Errors
    /// Never for parameters that were checked: they are finite.
    pub fn by_flag(&self) -> anyhow::Result<Map<String, Value>> {
        match serde_json::to_value(self)? {
            Value::Object(map) => Ok(map),
            other => anyhow::bail!("parameters are {other}, expected a JSON object"),
        }
    }
}

/// A checked request.
#[derive(Debug, Clone)]
pub struct Config {
    /// The feature directory.
    pub features: PathBuf,
    /// The model directory.
    pub out: PathBuf,
    /// What the weights depend on.
    pub parameters: Parameters,
    /// Passes over the train split at most.
    pub epochs: usize,
    /// Time between two checkpoints at least.
    pub checkpoint_every: Duration,
    /// What to do about a head that is there already.
    pub rerun: RerunArgs,
}

impl Config {
    /// What the head depends on.
    ///
    /// # Errors
    /// If there are no complete features.
    pub(super) fn asked(&self) -> anyhow::Result<Inputs> {
        let mut parameters = self.parameters.by_flag()?;
        parameters.insert("epochs".to_owned(), self.epochs.into());
        let features = Index::files(&self.features, &[Split::Train, Split::Valid])?;
        Ok(Inputs::new(&parameters)?.files("features", features))
    }

    /// Checks the flags.
    ///
    /// # Errors
    /// A usage error that names the flag and its range.
    pub fn new(args: &FitArgs, seed: u64) -> anyhow::Result<Self> {
        let ranges = [
            ("--dropout", args.dropout, (0.0..1.0).contains(&args.dropout), "at least 0 and below 1"),
            (
                "--learning-rate",
                args.learning_rate,
                args.learning_rate > 0.0 && args.learning_rate.is_finite(),
                "above 0",
            ),
            ("--momentum", args.momentum, (0.0..1.0).contains(&args.momentum), "at least 0 and below 1"),
            (
                "--weight-decay",
                args.weight_decay,
                args.weight_decay >= 0.0 && args.weight_decay.is_finite(),
                "at least 0",
            ),
            (
                "--label-smoothing",
                args.label_smoothing,
                (0.0..1.0).contains(&args.label_smoothing),
                "at least 0 and below 1",
            ),
            ("--epochs", args.epochs as f64, args.epochs > 0, "at least 1"),
            ("--batch-size", args.batch_size as f64, args.batch_size > 0, "at least 1"),
        ];
        for (flag, value, is_good, expected) in ranges {
            if !is_good {
                return Err(usage(format!("{flag} {value} is out of range, expected {expected}")));
            }
        }
        Ok(Self {
            features: args.features.clone(),
            out: args.out.clone(),
            parameters: Parameters {
                seed,
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
            },
            epochs: args.epochs,
            checkpoint_every: Duration::from_secs(args.checkpoint_every),
            rerun: args.rerun,
        })
    }
}
