//! `metrics.json`: how good a head is on each split. `trainer evaluate` computes it.
//!
//! All shares are from 0 to 1, and all figures are rounded to six digits, so that equal results are equal bytes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::manifest::Split;
use crate::provenance::{FORMAT_VERSION, canonical_json, check_version};
use crate::{commit, regular};

/// Name of the metrics in a model directory.
pub const FILE_NAME: &str = "metrics.json";
/// Bins of the reliability diagram: tenths of the confidence from 0 to 1.
pub const N_BINS: usize = 10;
/// The k of top-k accuracy.
pub const TOP_K: usize = 5;

/// The content of `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// sha256 of the head that was evaluated.
    pub head_sha256: String,
    /// The classifier that the network was published with, on the same pictures, where it was evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imagenet: Option<Baseline>,
    /// The metrics of each split, by its name.
    #[serde(flatten)]
    pub splits: BTreeMap<Split, SplitMetrics>,
}

/// Top-1 and top-5 accuracy.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Share of pictures whose most probable class is correct.
    pub top1: f64,
    /// Wilson's 95 % confidence interval for `top1`.
    pub top1_interval: [f64; 2],
    /// Share of pictures whose class is among the [`TOP_K`] most probable (among all, where there are fewer).
    pub top5: f64,
}

/// The metrics of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitMetrics {
    /// Number of pictures.
    pub n: usize,
    /// Number of classes of the head.
    pub n_classes: usize,
    /// Share of pictures whose most probable class is correct.
    pub top1: f64,
    /// Wilson's 95 % confidence interval for `top1`.
    pub top1_interval: [f64; 2],
    /// Share of pictures whose class is among the [`TOP_K`] most probable (among all, where there are fewer).
    pub top5: f64,
    /// Mean cross-entropy, -ln p(actual class).
    pub loss: f64,
    /// Mean F1 of the classes that have pictures.
    pub macro_f1: f64,
    /// Top-1 accuracy of always predicting the most frequent class of the split.
    pub majority_top1: f64,
    /// Share of the pictures of known breeds whose predicted breed has the correct size; `null` without any.
    pub size_accuracy: Option<f64>,
    /// Share of the pictures of known breeds whose size has the largest summed probability.
    pub probable_size_accuracy: Option<f64>,
    /// Expected calibration error (ECE): mean distance between confidence and accuracy over the bins, weighted by
    /// their number of pictures.
    pub calibration_error: f64,
    /// The reliability diagram: [`N_BINS`] bins of confidence.
    pub calibration: Vec<Bin>,
    /// The metrics of each class, in the order of the head's outputs.
    pub per_class: Vec<ClassMetrics>,
}

/// The pictures whose confidence is in one tenth of 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Number of pictures.
    pub n: usize,
    /// Their mean confidence; 0 without pictures.
    pub confidence: f64,
    /// Their top-1 accuracy; 0 without pictures.
    pub accuracy: f64,
}

/// The metrics of one class; 0 where the denominator is 0, as in scikit-learn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// Share of the pictures predicted as this class that are of it.
    pub precision: f64,
    /// Share of the pictures of this class that are predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of pictures of the class.
    pub support: usize,
}

/// The classifier that the network was published with, as a baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Name of the file with its dense layers.
    pub weights: String,
    /// Number of classes to which it was restricted.
    pub n_classes: usize,
    /// Classes that ImageNet does not have; their pictures are left out.
    pub left_out: Vec<String>,
    /// The metrics of each split, without splits that have no picture of a class of ImageNet.
    pub splits: BTreeMap<Split, BaselineSplit>,
}

/// Both classifiers on the same pictures of one split.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineSplit {
    /// Number of pictures of classes that ImageNet has.
    pub n: usize,
    /// Number of pictures of other classes.
    pub n_left_out: usize,
    /// ImageNet's classifier, restricted to the classes that both have.
    pub imagenet: Accuracy,
    /// The trained head, which may also predict a class that ImageNet does not have.
    pub head: Accuracy,
}

impl Metrics {
    /// Metrics of [`FORMAT_VERSION`].
    pub fn new(
        head_sha256: String,
        imagenet: Option<Baseline>,
        splits: BTreeMap<Split, SplitMetrics>,
    ) -> Self {
        Self { format_version: FORMAT_VERSION, head_sha256, imagenet, splits }
    }

    /// Writes the metrics as `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        commit::write_bytes(path, (canonical_json(self)? + "\n").as_bytes())
    }

    /// Reads the metrics at `path`.
    ///
    /// # Errors
    /// If the file is missing, damaged or of another format version; the message says what to run.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = regular::read_to_string(path)
            .map_err(|error| regular::not_read(error, path, "there are no metrics", "trainer evaluate"))?;
        let damaged = || format!("{} is damaged; run trainer evaluate again", path.display());
        let value: serde_json::Value = serde_json::from_str(&text).with_context(damaged)?;
        check_version(path, value.get("format_version")).context("run trainer evaluate again")?;
        serde_json::from_value(value).with_context(damaged)
    }
}

/// Whether top-5 accuracy says anything about so many classes: with five or fewer it is always 100 %.
pub fn is_top5_informative(n_classes: usize) -> bool {
    n_classes > TOP_K
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        let class = |class: &str| ClassMetrics {
            class: class.to_owned(),
            precision: 0.5,
            recall: 0.333333,
            f1: 0.4,
            support: 1,
        };
        let split = SplitMetrics {
            n: 2,
            n_classes: 2,
            top1: 0.5,
            top1_interval: [0.1, 0.9],
            top5: 1.0,
            loss: 0.75,
            macro_f1: 0.4,
            majority_top1: 0.5,
            size_accuracy: None,
            probable_size_accuracy: Some(1.0),
            calibration_error: 0.1,
            calibration: vec![Bin { n: 0, confidence: 0.0, accuracy: 0.0 }; N_BINS],
            per_class: vec![class("a"), class("b")],
        };
        let accuracy = Accuracy { top1: 0.5, top1_interval: [0.1, 0.9], top5: 1.0 };
        let split_baseline = BaselineSplit { n: 1, n_left_out: 1, imagenet: accuracy, head: accuracy };
        let baseline = Baseline {
            weights: "vgg16.safetensors".into(),
            n_classes: 1,
            left_out: vec!["b".into()],
            splits: [(Split::Test, split_baseline)].into(),
        };
        Metrics::new("ab".into(), Some(baseline), [(Split::Test, split)].into())
    }

    #[test]
    fn metrics_are_read_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        for metrics in [metrics(), Metrics { imagenet: None, ..metrics() }] {
            metrics.write(&path).unwrap();
            assert_eq!(Metrics::read(&path).unwrap(), metrics);
        }
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["test"]["top1"], 0.5);
    }

    #[test]
    fn missing_damaged_and_older_metrics_are_refused_with_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let refusal = || format!("{:#}", Metrics::read(&path).unwrap_err());
        assert!(refusal().contains("run trainer evaluate first"));
        for (content, expected) in [
            ("{", "is damaged; run trainer evaluate again"),
            (r#"{"format_version":2}"#, "run trainer evaluate again: "),
            (&format!(r#"{{"format_version":{FORMAT_VERSION}}}"#), "is damaged; run trainer evaluate again"),
        ] {
            commit::write_bytes(&path, content.as_bytes()).unwrap();
            assert!(refusal().contains(expected) && refusal().contains(FILE_NAME), "{}", refusal());
        }
    }
}
