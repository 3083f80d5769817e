//! `trainer fit`: trains a head on the features of train and writes `head.safetensors` and `history.csv`.
//!
//! Epochs are counted from 1. The valid split is evaluated after each epoch; the weights of the epoch with the highest
//! top-1 accuracy on valid become the head (ties go to the lower valid loss, then to the earlier epoch), or with
//! `--keep last` those of the last epoch, which needs no valid pictures. The test split is not opened.
//!
//! With `--init pretrained` the weights start as those of the classifier that the network was published with
//! (`init::pretrained`), a penalty keeps them near that start (`start_penalty`), and the start itself
//! becomes the head unless an epoch is better on valid (`start`).

mod args;
mod candle_step;
mod checkpoint;
mod config;
mod dataset;
mod epoch;
mod memory;
mod network;
mod run;
mod start;
mod summary;
#[cfg(test)]
mod tests;
mod training;

pub use args::Args;
pub use config::Config;
pub use run::run;
pub use summary::Summary;
