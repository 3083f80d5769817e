//! The pictures to evaluate on, checked to belong to the head and to the manifest. No other file opens the features of
//! test.

use anyhow::Context;
use data::breeds::{self, NOT_A_DOG};
use data::features::{Features, Index, SplitFeatures};
use data::head::{self, HeadInfo};
use data::manifest::{Manifest, Row, Split};

use super::config::Config;

/// The splits to evaluate on: those of the configuration, or else test, and valid where it has pictures.
pub(super) fn splits(config: &Config, index: &Index) -> Vec<Split> {
    let has_valid = index.shards.get(&Split::Valid).is_some_and(|shards| !shards.is_empty());
    match &config.splits[..] {
        [] if has_valid => vec![Split::Valid, Split::Test],
        [] => vec![Split::Test],
        given => given.to_vec(),
    }
}

/// Opens the features of `split`.
///
/// # Errors
/// If it has no pictures, or they are not those of the manifest.
pub(super) fn open_pictures(
    features: &Features,
    split: Split,
    manifest: &Manifest,
) -> anyhow::Result<SplitFeatures> {
    let pictures = features.open_split(split)?;
    anyhow::ensure!(
        !pictures.is_empty(),
        "there are no {split} pictures to evaluate on; run the splitter with a --ratio that gives {split} some, or \
         choose another --split"
    );
    for (&row, &label) in pictures.rows().iter().zip(pictures.labels()) {
        let class = features.index.classes.get(label as usize);
        let is_same = |row: &Row| row.split == split && Some(&row.class) == class;
        anyhow::ensure!(
            manifest.rows.get(row as usize).is_some_and(is_same),
            "the {split} features have row {row} of the manifest with the label {label}, which {} does not; run \
             the extractor again",
            manifest.path.display()
        );
    }
    Ok(pictures)
}

/// Finds the class of the head for each label of the features, and refuses features that do not suit the head.
///
/// The labels of a trained head are those that it was trained on. A classifier that a network was published with has
/// the same classes whatever the data, so its classes are found by the names of the breeds.
///
/// # Errors
/// If recipe, classes or shape differ.
pub(super) fn classes_of_labels(
    info: &HeadInfo,
    index: &Index,
    config: &Config,
) -> anyhow::Result<Vec<usize>> {
    let file = config.model.join(head::FILE_NAME);
    let again = if info.training.is_some() { "trainer fit again" } else { "trainer pretrained again" };
    index.layout.recipe.ensure_same(&info.recipe, &file, again)?;
    anyhow::ensure!(
        info.training.is_none() || info.classes == index.classes,
        "{} was trained on other classes than {} has ({}); run trainer fit again",
        file.display(),
        config.features.display(),
        first_difference(&info.classes, &index.classes),
    );
    anyhow::ensure!(
        info.feature_shape == index.layout.shape,
        "{} takes features of shape {:?}, {} has {:?}; run trainer fit again",
        file.display(),
        info.feature_shape,
        config.features.display(),
        index.layout.shape
    );
    index.classes.iter().map(|class| class_named(info, class)).collect()
}

/// Finds the class of the head with the name `label`, or of the same breed, or that without a dog.
fn class_named(info: &HeadInfo, label: &str) -> anyhow::Result<usize> {
    let breed = breeds::find(label);
    let is_it = |class: &String| {
        class == label
            || (breed.is_some() && breeds::find(class) == breed)
            || (breeds::says_no_dog(label) && class == NOT_A_DOG)
    };
    info.classes.iter().position(is_it).with_context(|| {
        format!(
            "the head has no class for the pictures of {label:?}: it is no breed of ImageNet; leave the folder out, or \
             train a head with trainer fit"
        )
    })
}

/// Names the first output whose class differs.
fn first_difference(head: &[String], features: &[String]) -> String {
    let at = head.iter().zip(features).take_while(|(a, b)| a == b).count();
    let name = |classes: &[String]| classes.get(at).map_or("none".to_owned(), |c| format!("{c:?}"));
    format!("output {at} is {}, expected {}", name(head), name(features))
}

/// Warns of splits whose pictures are augmented copies.
pub(super) fn warn_of_augmented(manifest: &Manifest) {
    for split in [Split::Valid, Split::Test] {
        if manifest.rows.iter().any(|row| row.split == split && row.replaces_original()) {
            tracing::warn!(
                "the {split} pictures are augmented copies: the metrics do not show how good the head is on \
                 original photos"
            );
        }
    }
}
