//! `trainer pretrained`, from the configuration to the summary.

use std::fmt;

use anyhow::Context;
use data::backbone::Backbone;
use data::commit;
use data::current::Place;
use data::head;
use data::weights::{Part, Weights};
use serde::Serialize;

use super::config::Config;
use super::imagenet_head;

/// Writes the head; `None` if it is up to date, or only `--check` or `--clean` was asked for.
///
/// # Errors
/// If the classifier cannot be used, or the head cannot be written.
pub fn run(config: &Config) -> anyhow::Result<Option<Summary>> {
    // The record of `trainer fit`: a head that it has made is replaced, and its history goes.
    let place = Place::new(&config.out, "provenance-fit.json", "trainer pretrained");
    let Some(mut job) = place.start(&config.rerun, &config.common, || config.inputs())? else {
        return Ok(None);
    };
    let _lock = commit::lock(&config.out, "trainer")?;
    let classifier = Weights::read(&config.classifier, Part::Classifier)?;
    let backbone = Backbone::find(&classifier.info.backbone)?;
    let head = imagenet_head::head(classifier, backbone)
        .with_context(|| format!("cannot use {}", config.classifier.display()))?;
    job.declare([head::FILE_NAME.to_owned()])?;
    let path = config.out.join(head::FILE_NAME);
    head.write(&path)?;
    job.finish([head::FILE_NAME.to_owned()])?;
    Ok(Some(Summary {
        backbone: backbone.name.to_owned(),
        n_classes: head.info.classes.len(),
        n_outputs: head.info.n_outputs(),
        head: path.display().to_string(),
    }))
}

/// The result of `trainer pretrained`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The network.
    pub backbone: String,
    /// Number of classes.
    pub n_classes: usize,
    /// Number of outputs.
    pub n_outputs: usize,
    /// Path of the head.
    pub head: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { backbone, n_classes, n_outputs, head } = self;
        write!(
            f,
            "the classifier of {backbone}, {n_outputs} outputs: {} breeds, all others no dog; wrote {head}",
            n_classes - 1
        )
    }
}
