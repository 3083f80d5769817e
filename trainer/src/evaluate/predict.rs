//! Predictions for the pictures of a split, by the trained head and by ImageNet's classifier.

use data::features::{FeatureMatrix, SplitFeatures};
use data::stage::{self, CommonArgs};

use crate::classifier::{BATCH_SIZE, Classifier};
use crate::imagenet::ImagenetHead;
use crate::imagenet::baseline::Mask;
use crate::prediction::{Prediction, weights_of};

/// Predicts every picture with the trained head; `class_of_label` has the class of the head for each label.
///
/// # Errors
/// If a row cannot be read, a logit is not finite, or the user interrupts.
pub(super) fn predict(
    classifier: &Classifier,
    pictures: &SplitFeatures,
    class_of_label: &[usize],
    common: &CommonArgs,
) -> anyhow::Result<Vec<Prediction>> {
    let kg = weights_of(&classifier.info().classes);
    let mut predictions = Vec::with_capacity(pictures.len());
    for_each_batch(pictures, class_of_label, common, |batch| {
        let log_probabilities = classifier.log_probabilities(&batch.features)?; // (B,D) -> (B,K)
        for ((row, label), log_probabilities) in batch.pictures.into_iter().zip(log_probabilities) {
            predictions.push(Prediction::new(row, label, &log_probabilities, &kg));
        }
        Ok(())
    })?;
    Ok(predictions)
}

/// Predicts the pictures of classes that ImageNet has with ImageNet's classifier.
///
/// # Errors
/// As [`predict`].
pub(super) fn predict_by_imagenet(
    head: &ImagenetHead,
    mask: &Mask,
    pictures: &SplitFeatures,
    class_of_label: &[usize],
    common: &CommonArgs,
) -> anyhow::Result<Vec<Prediction>> {
    let mut predictions = Vec::with_capacity(pictures.len());
    for_each_batch(pictures, class_of_label, common, |batch| {
        let logits = head.logits(&batch.features)?; // (B,D) -> (B,1000)
        for ((row, label), logits) in batch.pictures.into_iter().zip(logits) {
            predictions.extend(mask.predict(row, label, &logits));
        }
        Ok(())
    })?;
    Ok(predictions)
}

struct Batch {
    /// Manifest row and class of each picture.
    pictures: Vec<(u32, usize)>,
    /// (B,D)
    features: FeatureMatrix,
}

fn for_each_batch(
    pictures: &SplitFeatures,
    class_of_label: &[usize],
    common: &CommonArgs,
    mut visit: impl FnMut(Batch) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let bar = stage::progress(common, pictures.len() as u64, "pictures");
    let order: Vec<usize> = (0..pictures.len()).collect();
    for indices in order.chunks(BATCH_SIZE) {
        stage::check_interrupted()?;
        let row_and_class = |&i: &usize| (pictures.rows()[i], class_of_label[pictures.labels()[i] as usize]);
        visit(Batch {
            pictures: indices.iter().map(row_and_class).collect(),
            features: pictures.read(indices)?, // (B,D)
        })?;
        bar.inc(indices.len() as u64);
    }
    bar.finish_and_clear();
    Ok(())
}
