//! What a run trains on and looks at, refused here where it makes no sense.

use std::path::Path;

use data::features::{Features, Index, SplitFeatures};
use data::manifest::Split;
use data::provenance::sha256_file;

use super::config::{ClassWeights, Config, Keep, Parameters};
use crate::loss::Objective;
use crate::scaling::Scaling;

/// The splits of a feature directory that training sees.
#[derive(Debug)]
pub(super) struct Splits {
    pub(super) index: Index,
    /// Digest of the index, and through it of every shard.
    pub(super) index_sha256: String,
    pub(super) train: SplitFeatures,
    pub(super) valid: SplitFeatures,
    pub(super) scaling: Option<Scaling>,
    n_train_of: Vec<usize>,
}

impl Splits {
    /// Opens train and valid.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        let dir = &config.features;
        let features = Features::open(dir)?;
        let index_sha256 = sha256_file(&dir.join(Index::FILE_NAME))?;
        let train = features.open_split(Split::Train)?;
        let valid = features.open_split(Split::Valid)?;
        let classes = &features.index.classes;
        let n_train_of = count(train.labels(), classes.len());
        check(dir, classes, &n_train_of, &count(valid.labels(), classes.len()), config.parameters.keep)?;
        let scaling = config.parameters.standardize.then(|| Scaling::measure(&train)).transpose()?;
        Ok(Self { index: features.index, index_sha256, train, valid, scaling, n_train_of })
    }

    /// What is minimised.
    pub(super) fn objective(&self, parameters: &Parameters) -> Objective {
        let share = self.train.len() as f64 / self.n_train_of.iter().filter(|&&n| n > 0).count() as f64;
        let weight = |&n: &usize| match parameters.class_weights {
            ClassWeights::Balanced if n > 0 => share / n as f64,
            _ => 1.0,
        };
        let class_weights = self.n_train_of.iter().map(weight).collect();
        Objective { label_smoothing: parameters.label_smoothing, class_weights }
    }
}

fn count(labels: &[u32], n_classes: usize) -> Vec<usize> {
    let mut counts = vec![0; n_classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    counts
}

fn check(
    dir: &Path,
    classes: &[String],
    n_train: &[usize],
    n_valid: &[usize],
    keep: Keep,
) -> anyhow::Result<()> {
    for (split, counts, or) in [("train", n_train, ""), ("valid", n_valid, "; or pass --keep last")] {
        let is_needed = split == "train" || keep == Keep::Best;
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
        "all train pictures of {} are of class {}: there is nothing to tell apart",
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
        tracing::warn!("class {class} has no train pictures: the head will never learn it");
    }
    Ok(())
}
