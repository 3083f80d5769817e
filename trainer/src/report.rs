//! `trainer report`: `report.html`, one page that needs no other file.
//!
//! It reads the files that `fit` and `evaluate` wrote, but no features, and refuses files that do not belong together.
//! Pictures are embedded, reduced, as data URIs.

mod args;
mod baseline;
mod calibration;
mod config;
mod confusion;
mod curves;
pub(crate) mod document;
mod examples;
pub(crate) mod flaws;
pub(crate) mod format;
mod gallery;
mod headline;
mod page;
mod per_class;
mod pictures;
mod rejected;
pub(crate) mod results;
mod run;
mod settings;

#[cfg(test)]
mod tests;

pub use args::Args;
pub use config::Config;
pub use run::{FILE_NAME, Summary, run};
