//! The validated configuration of `trainer evaluate`.

use std::path::PathBuf;

use data::current::{Inputs, RerunArgs};
use data::features::Index;
use data::head;
use data::manifest::Split;
use data::stage::{CommonArgs, usage};
use serde_json::json;

use super::args::Args;

/// The configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The feature directory.
    pub features: PathBuf,
    /// The model directory.
    pub model: PathBuf,
    /// The manifest that the features were made from.
    pub manifest: PathBuf,
    /// Splits to evaluate on, without train; empty means test, and valid where it has pictures.
    pub splits: Vec<Split>,
    /// The full weights file of VGG-16, for the baseline.
    pub imagenet: Option<PathBuf>,
    /// What to do about metrics that are there already.
    pub rerun: RerunArgs,
    /// The flags that every program has.
    pub common: CommonArgs,
}

impl Config {
    /// Validates the arguments.
    ///
    /// # Errors
    /// A usage error for the train split.
    pub fn new(args: &Args, common: &CommonArgs) -> anyhow::Result<Self> {
        let Args { features, model, manifest, split: splits, imagenet, rerun } = args.clone();
        if splits.contains(&Split::Train) {
            return Err(usage(
                "--split train: a head is not evaluated on the pictures that it was trained on",
            ));
        }
        Ok(Self { features, model, manifest, splits, imagenet, rerun, common: common.clone() })
    }

    /// Lists what the metrics depend on.
    ///
    /// # Errors
    /// If there are no complete features.
    pub(super) fn inputs(&self) -> anyhow::Result<Inputs> {
        let splits: Vec<&str> = self.splits.iter().map(|split| split.name()).collect();
        let inputs = Inputs::new(&json!({ "split": splits }))?
            .files("features", Index::files(&self.features, &[Split::Valid, Split::Test])?)
            .file("the manifest", &self.manifest)
            .file("the head", &self.model.join(head::FILE_NAME));
        Ok(match &self.imagenet {
            Some(path) => inputs.file("ImageNet's head", path),
            None => inputs,
        })
    }
}
