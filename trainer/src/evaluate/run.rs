//! `trainer evaluate`, from the configuration to the summary.

use std::collections::BTreeMap;
use std::path::Path;

use data::current::Place;
use data::features::{Features, Index};
use data::head;
use data::manifest::Split;
use data::metrics::{self, Baseline, BaselineSplit, Metrics};
use data::provenance::sha256_file;

use super::config::Config;
use super::dataset::{classes_of_labels, open_pictures, splits, warn_of_augmented};
use super::predict::{predict, predict_by_imagenet};
use super::summary::Summary;
use crate::classifier::Classifier;
use crate::imagenet::ImagenetHead;
use crate::imagenet::baseline::{Mask, baseline_split};
use crate::metrics::split_metrics;
use crate::{confusion, manifest, predictions};

const OUTPUTS: [&str; 3] = [predictions::FILE_NAME, confusion::FILE_NAME, metrics::FILE_NAME];

/// Evaluates a head; `None` if the metrics are up to date, or only `--check` or `--clean` was asked for.
///
/// # Errors
/// If features, head and manifest do not belong together, a split has no pictures, or a file cannot be written.
pub fn run(config: &Config) -> anyhow::Result<Option<Summary>> {
    let place = Place::new(&config.model, "provenance-evaluate.json", "trainer evaluate");
    let Some(mut job) = place.start(&config.rerun, &config.common, || config.inputs())? else {
        return Ok(None);
    };
    let _locks = job.lock()?;
    job.refuse_foreign(&OUTPUTS)?;
    let features = Features::open(&config.features)?;
    let manifest = manifest::read(&config.manifest, &features.index)?;
    let classifier = Classifier::open(&config.model)?;
    let classes = &classifier.info().classes;
    let class_of_label = classes_of_labels(classifier.info(), &features.index, config)?;
    warn_of_augmented(&manifest);
    let mask = Mask::of(classes);
    let imagenet = imagenet_head(config, &mask, &features.index)?;
    let mut predicted = BTreeMap::new();
    let mut baseline_splits = BTreeMap::new();
    for split in splits(config, &features.index) {
        let pictures = open_pictures(&features, split, &manifest)?;
        let predictions = predict(&classifier, &pictures, &class_of_label, &config.common)?;
        if let Some(head) = &imagenet {
            let baseline = predict_by_imagenet(head, &mask, &pictures, &class_of_label, &config.common)?;
            baseline_splits.extend(baseline_split(&baseline, &predictions).map(|metrics| (split, metrics)));
        }
        predicted.insert(split, predictions);
    }
    let metrics = Metrics::new(
        sha256_file(&config.model.join(head::FILE_NAME))?,
        imagenet.is_some().then(|| baseline(config, mask, baseline_splits)),
        predicted.iter().map(|(split, predictions)| (*split, split_metrics(predictions, classes))).collect(),
    );
    // Declared after everything was read: a wrong argument leaves the old metrics as they are.
    job.declare(OUTPUTS.map(str::to_owned))?;
    let output = |name: &str| config.model.join(name);
    predictions::write(&output(predictions::FILE_NAME), &predicted, &manifest, classes)?;
    confusion::write(&output(confusion::FILE_NAME), &predicted, classes)?;
    metrics.write(&output(metrics::FILE_NAME))?;
    job.finish(OUTPUTS.map(str::to_owned))?;
    Ok(Some(Summary { metrics }))
}

/// Opens ImageNet's classifier, if it was asked for and has any of the classes.
fn imagenet_head(config: &Config, mask: &Mask, index: &Index) -> anyhow::Result<Option<ImagenetHead>> {
    let Some(path) = &config.imagenet else { return Ok(None) };
    if mask.len() == 0 {
        tracing::warn!(
            "--imagenet: none of the {} classes has the name of a breed of Stanford Dogs, so ImageNet's classifier is \
             not evaluated",
            index.classes.len()
        );
        return Ok(None);
    }
    ImagenetHead::open(path, &index.layout.recipe).map(Some)
}

fn baseline(config: &Config, mask: Mask, splits: BTreeMap<Split, BaselineSplit>) -> Baseline {
    let name = config.imagenet.as_deref().and_then(Path::file_name).unwrap_or_default();
    Baseline {
        weights: name.to_string_lossy().into_owned(),
        n_classes: mask.len(),
        left_out: mask.left_out,
        splits,
    }
}
