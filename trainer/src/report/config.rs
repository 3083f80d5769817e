//! The configuration of `trainer report`. Every combination of its arguments is valid.

use data::current::RerunArgs;
use data::stage::CommonArgs;

use super::args::Args;
use super::results::Sources;

/// The configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The directories and files that the report is made from.
    pub sources: Sources,
    /// What to do about a report that is there already.
    pub rerun: RerunArgs,
    /// The flags that every program has.
    pub common: CommonArgs,
}

impl Config {
    /// Takes the configuration from the arguments.
    pub fn new(args: &Args, common: &CommonArgs) -> Self {
        let Args { features, model, manifest, split_dir, rerun } = args.clone();
        let sources = Sources { features, model, manifest, split_dir };
        Self { sources, rerun, common: common.clone() }
    }
}
