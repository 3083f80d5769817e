//! `trainer evaluate`: evaluates a head on valid and test. No other command opens the features of test.

mod args;
mod config;
mod dataset;
mod predict;
mod run;
mod summary;
#[cfg(test)]
pub(crate) mod tests;

pub use args::Args;
pub use config::Config;
pub use run::run;
pub use summary::Summary;
