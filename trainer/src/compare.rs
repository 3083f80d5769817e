//! `trainer compare`: one page that compares the test metrics of finished runs.
//!
//! It reads the files that the stages wrote and evaluates nothing. Two test metrics can be compared where they are of the
//! same original pictures; otherwise the page says why not.

mod args;
mod config;
mod differences;
mod finished_run;
mod page;
mod run;
mod summary;
#[cfg(test)]
mod tests;
mod verdict;

pub use args::{Args, NamedDir};
pub use config::Config;
pub use run::run;
pub use summary::{RunSummary, Summary};
pub use verdict::Verdict;
