//! The start of a training with `--init pretrained`: the weights, which classes the classifier knows, and when an epoch
//! is better than the start.

use anyhow::Context;
use data::head::{Dense, Hyperparameters, Init, StartRecord};
use data::provenance::sha256_file;
use data::stage::usage;

use super::config::Config;
use super::dataset::Dataset;
use crate::history::{Valid, rounded};
use crate::imagenet;
use crate::init::pretrained;
use crate::loss::Loss;
use crate::sign_test;

/// An epoch is better than the start where the sign test of the two has a lower p-value than this.
const SIGNIFICANCE: f64 = 0.05;

/// The start of a training: the classifier that the network was published with, restricted to the classes.
#[derive(Debug)]
pub(super) struct Start {
    /// The weights, for features scaled as the training has them.
    pub(super) layers: Vec<Dense>,
    /// sha256 of the classifier's file.
    pub(super) classifier_sha256: String,
    /// (K) Which classes the classifier knows.
    known: Vec<bool>,
}

impl Start {
    /// Takes the start from the classifier; `None` for random initial weights.
    ///
    /// # Errors
    /// If the classifier cannot be read, does not take these features, or has layers before its last; a usage error if
    /// a hidden layer has too few units to carry the logits.
    pub(super) fn of(config: &Config, dataset: &Dataset) -> anyhow::Result<Option<Self>> {
        let hyperparameters = &config.hyperparameters;
        if hyperparameters.init == Init::Random {
            return Ok(None);
        }
        let path = config.classifier.as_deref().context("--init pretrained needs --classifier FILE")?;
        let classes = &dataset.index.classes;
        ensure_room(hyperparameters, classes.len())?;
        let recipe = &dataset.index.layout.recipe;
        let backbone = recipe.network()?;
        // Before the file is read: that of VGG-16 has 495 MB.
        let n_layers = backbone.classifier.len() / 2;
        anyhow::ensure!(
            n_layers == 1,
            "--init pretrained needs a classifier of one layer on the features; that of {} has {n_layers}; make the \
             features with efficientnet-lite0 (make: BACKBONE=efficientnet-lite0), or use --init random",
            backbone.name
        );
        let mut dense = imagenet::read(path, recipe, "use --init random")?;
        let imagenet = dense.pop().with_context(|| format!("{} has no layer", path.display()))?;
        let mut classifier = pretrained::restricted(&imagenet, classes); // (1000,D) -> (K,D)
        if let Some(scaling) = &dataset.scaling {
            scaling.unfold_from(&mut classifier);
        }
        let sizes = dataset.layer_sizes(hyperparameters);
        let start = Self {
            layers: pretrained::layers(hyperparameters.seed, &sizes, classifier),
            classifier_sha256: sha256_file(path)?,
            known: pretrained::known(classes),
        };
        let unknown = start.unknown_classes(classes);
        if !unknown.is_empty() {
            tracing::info!(
                "ImageNet does not know the breeds {}: the start never predicts them, training has to; a folder of a \
                 known breed is named as in Stanford Dogs or by the American Kennel Club, as in beagle",
                unknown.join(", ")
            );
        }
        Ok(Some(start))
    }

    /// The first units of every hidden layer, which carry the logits.
    pub(super) fn n_carrying(&self) -> usize {
        pretrained::n_carrying(self.known.len())
    }

    /// Whether a row of a layer has no penalty on its distance from the start: those of classes that the classifier
    /// does not know, and of units that were drawn.
    pub(super) fn is_free(&self, layer: usize, row: usize) -> bool {
        let class = if layer + 1 == self.layers.len() { row } else { row / 2 };
        !self.known.get(class).is_some_and(|&known| known)
    }

    /// Whether the classifier knows every class.
    pub(super) fn knows_all(&self) -> bool {
        self.known.iter().all(|&known| known)
    }

    fn unknown_classes(&self, classes: &[String]) -> Vec<String> {
        let unknown = classes.iter().zip(&self.known).filter(|(_, known)| !**known);
        unknown.map(|(class, _)| class.clone()).collect()
    }

    /// Describes the start, which gave `valid` on valid, for the head.
    pub(super) fn record(&self, classes: &[String], valid: Option<&OnValid>) -> StartRecord {
        StartRecord {
            valid_loss: valid.map(|valid| rounded(valid.metrics.loss)),
            valid_top1: valid.map(|valid| rounded(valid.metrics.top1)),
            unknown_classes: self.unknown_classes(classes),
        }
    }

    /// Whether an epoch that gave `epoch` on valid is better than the start, which gave `start`.
    ///
    /// On few valid pictures some epoch is better by chance, and a pretrained classifier is good on any photos: an
    /// epoch must be better by the sign test. Where the classifier does not know every class there is no such test, for
    /// the start never predicts the others: an epoch with a higher top-1 accuracy, or the same and a lower loss, is
    /// better.
    pub(super) fn is_worse(&self, start: &OnValid, epoch: &OnValid) -> bool {
        if !self.knows_all() {
            let key = |valid: &Valid| (valid.top1, -valid.loss);
            return key(&epoch.metrics) > key(&start.metrics);
        }
        let n_only =
            |a: &OnValid, b: &OnValid| a.right.iter().zip(&b.right).filter(|(a, b)| **a && !**b).count();
        let (gained, lost) = (n_only(epoch, start), n_only(start, epoch));
        gained > lost && sign_test::two_sided(gained, lost) < SIGNIFICANCE
    }
}

/// Losses and accuracies on valid, and which of its pictures are classified correctly.
#[derive(Debug)]
pub(super) struct OnValid {
    pub(super) metrics: Valid,
    /// One for each picture.
    pub(super) right: Vec<bool>,
}

impl OnValid {
    /// Takes the sums over valid, and which pictures are classified correctly; `None` if there are none.
    pub(super) fn new((sums, right): (Loss, Vec<bool>)) -> Option<Self> {
        let n = right.len() as f64;
        let metrics = Valid {
            loss: sums.cross_entropy / n,
            top1: sums.n_top1 as f64 / n,
            top5: sums.n_top5 as f64 / n,
        };
        (!right.is_empty()).then_some(Self { metrics, right })
    }
}

/// Checks that every hidden layer can carry the logits of `n_classes` classes.
fn ensure_room(hyperparameters: &Hyperparameters, n_classes: usize) -> anyhow::Result<()> {
    let n_carrying = pretrained::n_carrying(n_classes);
    match hyperparameters.hidden.0.iter().find(|&&n_units| n_units < n_carrying) {
        Some(n_units) => Err(usage(format!(
            "--hidden {}: --init pretrained needs two units for each of the {n_classes} classes in every hidden layer, \
             {n_carrying}, and one has {n_units}; give more, or --hidden none",
            hyperparameters.hidden
        ))),
        None => Ok(()),
    }
}
