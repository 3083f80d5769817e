//! Command-line arguments of `trainer fit`; the defaults are the post's head, with early stopping.

use std::path::PathBuf;

use data::current::RerunArgs;
use data::device::Device;
use data::head::{ClassWeights, Hidden, Init, Keep, Optimizer};

/// The arguments of `trainer fit`.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Directory with the features (index.json)
    #[arg(long, value_name = "DIR")]
    pub features: PathBuf,
    /// Directory to write head.safetensors, history.csv and checkpoints into
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Units of the hidden layers (dense, with ReLU), or none for a linear classifier
    #[arg(long, value_name = "UNITS", default_value = "2056,1028")]
    pub hidden: Hidden,
    /// Initial weights: random, or pretrained, those of the classifier that the network was published with, for the
    /// breeds that it knows. Pretrained weights become the head unless an epoch is better on valid, by a sign test at
    /// 5 %
    #[arg(long, value_enum, default_value_t = Init::Random)]
    pub init: Init,
    /// For --init pretrained: the classifier that the network was published with, which `weights` writes beside the
    /// network
    #[arg(long, value_name = "FILE")]
    pub classifier: Option<PathBuf>,
    /// For --init pretrained: strength of the penalty on the distance of the weights from their start (L2-SP), which
    /// counts less the more train pictures there are [default: 100]
    #[arg(long, value_name = "STRENGTH")]
    pub start_penalty: Option<f64>,
    /// Dropout rate after the first hidden layer: the probability that a training step sets a unit to 0
    #[arg(long, visible_alias = "drop", value_name = "RATE", default_value_t = 0.2)]
    pub dropout: f64,
    /// Optimizer
    #[arg(long, value_enum, default_value_t = Optimizer::Sgd)]
    pub optimizer: Optimizer,
    /// Learning rate of the optimizer; it is constant
    #[arg(long, visible_alias = "lr", value_name = "RATE", default_value_t = 0.01)]
    pub learning_rate: f64,
    /// Momentum of the optimizer
    #[arg(long, default_value_t = 0.0)]
    pub momentum: f64,
    /// Weight decay: L2 penalty on the weights, added to the gradient; biases have none
    #[arg(long, value_name = "DECAY", default_value_t = 0.0)]
    pub weight_decay: f64,
    /// Label smoothing: the share of each one-hot target that is spread over all classes
    #[arg(long, visible_alias = "smoothing", value_name = "SHARE", default_value_t = 0.0)]
    pub label_smoothing: f64,
    /// Class weights of the loss: balanced gives every class the same total weight
    #[arg(long, value_enum, default_value_t = ClassWeights::None)]
    pub class_weights: ClassWeights,
    /// Standardize the features over the train split: every feature to mean 0, all together to standard deviation
    /// 1. The saved head includes this step
    #[arg(long)]
    pub standardize: bool,
    /// Maximum number of epochs
    #[arg(long, default_value_t = 50)]
    pub epochs: usize,
    /// Batch size: pictures in a training step
    #[arg(long, value_name = "PICTURES", default_value_t = 32)]
    pub batch_size: usize,
    /// The epoch whose weights become the head: best, the one with the highest top-1 accuracy on valid, or last,
    /// which needs no valid pictures
    #[arg(long, value_enum, default_value_t = Keep::Best)]
    pub keep: Keep,
    /// Early stopping: training stops after this number of epochs without a lower valid loss; 0 means never
    #[arg(long, visible_alias = "early-stopping", value_name = "EPOCHS", default_value_t = 10)]
    pub patience: usize,
    /// Minimum time between two checkpoints; 0 writes one after each epoch. The result does not depend on it
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub checkpoint_every: u64,
    /// Device that computes the training steps
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub device: Device,
    /// What to do about a head that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}
