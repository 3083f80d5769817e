//! How a head was trained: the hyperparameters, and the result on the valid split.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::device::Device;

/// Everything that the weights of a head depend on, except the features and the number of epochs.
///
/// Its JSON has the names of the flags of `trainer fit`. The default is the head of the post that this program
/// follows, with early stopping added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hyperparameters {
    /// Seed of the initial weights, of the dropout masks and of the order of the batches.
    pub seed: u64,
    /// Units of the hidden layers.
    pub hidden: Hidden,
    /// Probability that a unit of the first hidden layer is set to 0 in a training step, 0 to 1.
    pub dropout: f64,
    /// The optimizer.
    pub optimizer: Optimizer,
    /// Learning rate; it is constant.
    pub learning_rate: f64,
    /// Momentum, 0 to 1.
    pub momentum: f64,
    /// L2 penalty on the weights, added to the gradient; biases have none.
    pub weight_decay: f64,
    /// Label smoothing, 0 to 1: the share of each one-hot target that is spread over all classes.
    pub label_smoothing: f64,
    /// How the loss weights the classes.
    pub class_weights: ClassWeights,
    /// Whether the features were standardized.
    pub standardize: bool,
    /// Pictures in a batch.
    pub batch_size: usize,
    /// The epoch whose weights become the head.
    pub keep: Keep,
    /// Early stopping: epochs without a lower valid loss after which training stops; 0 means never.
    pub patience: usize,
    /// The device that computed the training steps.
    pub device: Device,
    /// The initial weights. Left out of the JSON where it is the default, so that heads from before it was there are
    /// read.
    #[serde(default, skip_serializing_if = "Init::is_random")]
    pub init: Init,
    /// Strength of the penalty on the distance of the weights from their start (L2-SP: Li, Grandvalet and Davoine,
    /// "Explicit inductive bias for transfer learning with convolutional networks", 2018): the mean loss of n train
    /// pictures has the term strength / (2 n) times the squared distance. 0 is without it, and left out of the JSON.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub start_penalty: f64,
}

fn is_zero(x: &f64) -> bool {
    *x == 0.0
}

impl Default for Hyperparameters {
    fn default() -> Self {
        Self {
            seed: 42,
            hidden: Hidden(vec![2056, 1028]),
            dropout: 0.2,
            optimizer: Optimizer::Sgd,
            learning_rate: 0.01,
            momentum: 0.0,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            class_weights: ClassWeights::None,
            standardize: false,
            batch_size: 32,
            keep: Keep::Best,
            patience: 10,
            device: Device::Cpu,
            init: Init::Random,
            start_penalty: 0.0,
        }
    }
}

/// How a head was trained, and what came out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingRecord {
    /// The hyperparameters.
    pub hyperparameters: Hyperparameters,
    /// The maximum number of epochs.
    pub epochs: usize,
    /// The epoch whose weights these are, from 1; 0 for the initial weights.
    pub kept_epoch: usize,
    /// The initial weights, where they are those of a pretrained classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<StartRecord>,
    /// Mean cross-entropy of that epoch on valid, rounded to six digits; `None` without valid pictures.
    pub valid_loss: Option<f64>,
    /// Top-1 accuracy of that epoch on valid, 0 to 1, rounded to six digits; `None` without valid pictures.
    pub valid_top1: Option<f64>,
    /// Pictures in train, augmented copies included.
    pub n_train: usize,
    /// Pictures in valid.
    pub n_valid: usize,
    /// sha256 of the index of the features, and through it of every shard.
    pub features_sha256: String,
}

/// How good the initial weights of a pretrained classifier were before any training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRecord {
    /// Mean cross-entropy on valid, rounded to six digits; `None` without valid pictures.
    pub valid_loss: Option<f64>,
    /// Top-1 accuracy on valid, 0 to 1, rounded to six digits; `None` without valid pictures.
    pub valid_top1: Option<f64>,
    /// The classes that the classifier does not know.
    pub unknown_classes: Vec<String>,
}

/// Units of the hidden layers, first to last; empty for a linear classifier. Its text is `2056,1028` or `none`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Hidden(pub Vec<usize>);

impl FromStr for Hidden {
    type Err = anyhow::Error;

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

impl fmt::Display for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(if units.is_empty() { "none".to_owned() } else { units.join(",") }.as_str())
    }
}

impl From<Hidden> for String {
    fn from(hidden: Hidden) -> Self {
        hidden.to_string()
    }
}

impl TryFrom<String> for Hidden {
    type Error = anyhow::Error;

    fn try_from(text: String) -> anyhow::Result<Self> {
        text.parse()
    }
}

/// The initial weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Drawn from the seed.
    #[default]
    Random,
    /// Those of the classifier that the network was published with, for the classes that it knows.
    Pretrained,
}

impl Init {
    fn is_random(&self) -> bool {
        *self == Self::Random
    }
}

/// The optimizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent, with momentum and weight decay.
    Sgd,
}

/// How the loss weights the classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// Every picture has weight 1.
    None,
    /// n / (K * n of the class), so that every class has the same total weight and the mean weight is 1.
    Balanced,
}

/// The epoch whose weights become the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// The one with the highest top-1 accuracy on valid.
    Best,
    /// The last one.
    Last,
}
