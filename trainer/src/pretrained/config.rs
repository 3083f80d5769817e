//! The validated configuration of `trainer pretrained`.

use std::path::PathBuf;

use data::current::{Inputs, RerunArgs};
use data::stage::CommonArgs;
use serde_json::json;

use super::args::Args;

/// The configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The weights file of the classifier.
    pub classifier: PathBuf,
    /// The model directory.
    pub out: PathBuf,
    /// What to do about a head that is there already.
    pub rerun: RerunArgs,
    /// The flags that every program has.
    pub common: CommonArgs,
}

impl Config {
    /// Takes the arguments; all of them are valid.
    pub fn new(args: &Args, common: &CommonArgs) -> Self {
        let Args { classifier, out, rerun } = args.clone();
        Self { classifier, out, rerun, common: common.clone() }
    }

    /// Lists what the head depends on.
    ///
    /// # Errors
    /// If the parameters are no JSON.
    pub(super) fn inputs(&self) -> anyhow::Result<Inputs> {
        Ok(Inputs::new(&json!({ "pretrained": true }))?.file("the classifier", &self.classifier))
    }
}
