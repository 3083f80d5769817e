//! `trainer pretrained`: a head without training, the classifier that a network was published with.
//!
//! ImageNet has 1000 classes: the 120 breeds of Stanford Dogs, the dalmatian, and 879 others, whose summed probability is
//! that of no dog. All 1000 outputs are kept, so the probabilities are exactly those of the published classifier, and what
//! a photo shows instead of a dog can be named.

mod args;
mod config;
mod imagenet_head;
mod run;
#[cfg(test)]
mod tests;

pub use args::Args;
pub use config::Config;
pub use run::{Summary, run};
