//! Prediction with a trained head: features in, probabilities out, always by the same arithmetic.

use std::path::Path;

use candle_core::{Device, Tensor};
use data::features::FeatureMatrix;
use data::head::{FILE_NAME, Head, HeadInfo};

use crate::loss::log_softmax;
use crate::mlp::Mlp;

/// Rows of every batch: a smaller batch is padded with zeros, because a matrix product of another height may sum in
/// another order, and a picture's probabilities must not depend on the other pictures of its batch.
pub(crate) const BATCH_SIZE: usize = 32;

/// A trained head, loaded.
#[derive(Debug)]
pub struct Classifier {
    info: HeadInfo,
    mlp: Mlp,
}

impl Classifier {
    /// Loads the head of the model directory `dir`.
    ///
    /// # Errors
    /// If there is no head, or it is damaged.
    pub fn open(dir: &Path) -> anyhow::Result<Self> {
        let Head { layers, info } = Head::read(&dir.join(FILE_NAME))?;
        Ok(Self { info, mlp: Mlp::new(layers, Vec::new())? })
    }

    /// Classes, recipe, shape of the features, and how the head was trained.
    pub fn info(&self) -> &HeadInfo {
        &self.info
    }

    /// Computes the natural logarithms of the probabilities, (K) for each of the pictures (n, D).
    ///
    /// # Errors
    /// If there are not as many features as the head takes, or a logit is not finite.
    pub fn log_probabilities(&self, pictures: &FeatureMatrix) -> anyhow::Result<Vec<Vec<f64>>> {
        Ok(self.output_log_probabilities(pictures)?.iter().map(|outputs| self.by_class(outputs)).collect())
    }

    /// Computes the natural logarithms of the probabilities of the outputs, which are the classes unless the head
    /// describes others: (n_outputs) for each of the pictures (n, D).
    ///
    /// # Errors
    /// As [`Classifier::log_probabilities`].
    pub fn output_log_probabilities(&self, pictures: &FeatureMatrix) -> anyhow::Result<Vec<Vec<f64>>> {
        let n_features = self.info.feature_shape.iter().product();
        let rows = logits_of(&self.mlp, n_features, pictures)?;
        Ok(rows.iter().map(|logits| log_softmax(logits)).collect())
    }

    /// Sums probabilities of outputs by class; both are natural logarithms: (n_outputs) -> (K).
    pub fn by_class(&self, outputs: &[f64]) -> Vec<f64> {
        let Some(described) = &self.info.outputs else { return outputs.to_vec() };
        let mut largest = vec![f64::NEG_INFINITY; self.info.classes.len()];
        let each = || described.classes.iter().zip(outputs);
        each().for_each(|(&class, &p)| largest[class] = largest[class].max(p));
        let mut sums = vec![0.0; largest.len()];
        each().for_each(|(&class, &p)| sums[class] += (p - largest[class]).exp());
        sums.iter().zip(&largest).map(|(sum, largest)| largest + sum.ln()).collect()
    }

    /// The name and probability of the most probable output of `class`, from the logarithms of all outputs; `None` where
    /// the outputs are the classes.
    pub fn likeliest_output(&self, outputs: &[f64], class: usize) -> Option<(&str, f64)> {
        let described = self.info.outputs.as_ref()?;
        let of_class = (0..outputs.len()).filter(|&i| described.classes[i] == class);
        // Among equals the first.
        let best = of_class.rev().max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]))?;
        Some((&described.names[best], outputs[best].exp()))
    }
}

/// Computes the logits, (K) for each of the pictures (n, D), always in batches of [`BATCH_SIZE`].
///
/// # Errors
/// If the pictures do not have as many features as the network takes, or a logit is not finite.
pub(crate) fn logits_of(
    mlp: &Mlp,
    n_features: usize,
    pictures: &FeatureMatrix,
) -> anyhow::Result<Vec<Vec<f32>>> {
    anyhow::ensure!(
        pictures.n() == 0 || pictures.d() == n_features,
        "the head takes {n_features} features, got {}",
        pictures.d()
    );
    let mut rows = Vec::with_capacity(pictures.n());
    for features in pictures.values().chunks(BATCH_SIZE * n_features) {
        let n_pictures = features.len() / n_features;
        let mut padded = features.to_vec();
        padded.resize(BATCH_SIZE * n_features, 0.0);
        let padded = Tensor::from_vec(padded, (BATCH_SIZE, n_features), &Device::Cpu)?; // (32,D)
        let logits = mlp.logits(&padded)?; // (32,D) -> (32,K)
        let n_classes = logits.len() / BATCH_SIZE;
        let logits = &logits[..n_pictures * n_classes];
        anyhow::ensure!(
            logits.iter().all(|z| z.is_finite()),
            "the head gives a value that is not a finite number: its weights, or the features, are too large; \
             run trainer fit again with a lower --learning-rate, or the extractor with other weights"
        );
        rows.extend(logits.chunks_exact(n_classes).map(<[f32]>::to_vec));
    }
    Ok(rows)
}
