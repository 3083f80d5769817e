//! The splits that training reads, and what follows from them alone; data that cannot be trained on is refused here.

use std::path::Path;

use data::features::{Features, Index, SplitFeatures};
use data::head::{ClassWeights, Hyperparameters, Init, Keep};
use data::manifest::Split;
use data::provenance::sha256_file;

use super::config::Config;
use crate::init::pretrained;
use crate::loss::Objective;
use crate::scaling::Scaling;

/// The train and valid splits of a feature directory.
#[derive(Debug)]
pub(super) struct Dataset {
    pub(super) index: Index,
    /// sha256 of the index, and through it of every shard.
    pub(super) index_sha256: String,
    pub(super) train: SplitFeatures,
    pub(super) valid: SplitFeatures,
    /// `None` without `--standardize`.
    pub(super) scaling: Option<Scaling>,
    /// The loss that is minimized.
    pub(super) objective: Objective,
}

impl Dataset {
    /// Opens train and valid.
    ///
    /// # Errors
    /// If the features are damaged, or cannot be trained on.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let (dir, hyperparameters) = (&config.features, &config.hyperparameters);
        let features = Features::open(dir)?;
        let index_sha256 = sha256_file(&dir.join(Index::FILE_NAME))?;
        let train = features.open_split(Split::Train)?;
        let valid = features.open_split(Split::Valid)?;
        let classes = &features.index.classes;
        let n_train = count(train.labels(), classes.len());
        check(dir, classes, &n_train, &count(valid.labels(), classes.len()), hyperparameters)?;
        let scaling = hyperparameters.standardize.then(|| Scaling::measure(&train)).transpose()?;
        let objective = Objective {
            label_smoothing: hyperparameters.label_smoothing,
            class_weights: class_weights(hyperparameters.class_weights, &n_train),
        };
        Ok(Self { index: features.index, index_sha256, train, valid, scaling, objective })
    }

    /// Returns the sizes of the head's layers: values of a picture, units of each hidden layer, classes.
    pub(super) fn layer_sizes(&self, hyperparameters: &Hyperparameters) -> Vec<usize> {
        let ends = (self.train.n_features(), self.index.classes.len());
        [&[ends.0], &hyperparameters.hidden.0[..], &[ends.1]].concat()
    }
}

/// Computes the weight of each class from the number of its pictures. Balanced weights are those of scikit-learn's
/// `compute_class_weight("balanced")`, over the classes that have pictures.
fn class_weights(kind: ClassWeights, n_train: &[usize]) -> Vec<f64> {
    let n_classes = n_train.iter().filter(|&&n| n > 0).count();
    let mean = n_train.iter().sum::<usize>() as f64 / n_classes as f64;
    let weight = |&n: &usize| match kind {
        ClassWeights::Balanced if n > 0 => mean / n as f64,
        _ => 1.0,
    };
    n_train.iter().map(weight).collect()
}

/// Counts the pictures of each class.
fn count(labels: &[u32], n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    counts
}

/// Refuses data without the pictures that training needs.
fn check(
    dir: &Path,
    classes: &[String],
    n_train: &[usize],
    n_valid: &[usize],
    hyperparameters: &Hyperparameters,
) -> anyhow::Result<()> {
    let &Hyperparameters { keep, init, .. } = hyperparameters;
    // Without valid pictures, a start that knows every class is kept as it is.
    let has_start = init == Init::Pretrained && pretrained::known(classes).iter().all(|&known| known);
    for (split, counts, or) in [("train", n_train, ""), ("valid", n_valid, "; or pass --keep last")] {
        let is_needed = split == "train" || keep == Keep::Best && !has_start;
        anyhow::ensure!(
            !is_needed || counts.iter().any(|&n| n > 0),
            "{} has no {split} pictures; run the splitter with a --ratio that gives {split} some, then the \
             stages after it{or}",
            dir.display()
        );
    }
    let named = |wanted: &dyn Fn(usize) -> bool| -> Vec<&str> {
        (0..classes.len()).filter(|&c| wanted(c)).map(|c| classes[c].as_str()).collect()
    };
    let trained = named(&|c| n_train[c] > 0);
    anyhow::ensure!(
        trained.len() > 1,
        "all train pictures of {} are of class {}: a classifier needs two classes or more",
        dir.display(),
        trained.join("")
    );
    let untrained = named(&|c| n_train[c] == 0 && n_valid[c] > 0);
    anyhow::ensure!(
        untrained.is_empty(),
        "{}: valid has pictures of {}, train has none; run the splitter again with more pictures of it",
        dir.display(),
        untrained.join(", ")
    );
    for class in named(&|c| n_train[c] == 0 && n_valid[c] == 0) {
        tracing::warn!("class {class} has no train pictures: the head will never predict it reliably");
    }
    Ok(())
}
