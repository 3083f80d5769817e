//! A trained head in use: features in, probabilities out, always by the same arithmetic.

use std::path::Path;

use anyhow::Context;
use candle_core::{Device, Tensor};
use data::head::{FILE_NAME, Head, HeadInfo};

use crate::loss::log_softmax;
use crate::mlp::Mlp;

/// Rows that go through the head together, always: a batch is filled up with zeros, because matrix
/// products of another height may sum in another order, and a picture's probabilities must not depend
/// on the company it comes in.
pub(crate) const BATCH_SIZE: usize = 32;

/// A head, loaded.
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

    /// Classes, recipe, shape of the features and training parameters.
    pub fn info(&self) -> &HeadInfo {
        &self.info
    }

    /// The probability of each class (K), from the features of one picture (D).
    ///
    /// # Errors
    /// If there are not as many features as the head takes.
    pub fn probabilities(&self, features: &[f32]) -> anyhow::Result<Vec<f32>> {
        let mut one = self.probabilities_of(&[features])?;
        one.pop().context("one picture went in and none came out")
    }

    /// [`Classifier::probabilities`] of several pictures: the same values to the last bit, sooner.
    ///
    /// # Errors
    /// As [`Classifier::probabilities`].
    pub fn probabilities_of(&self, pictures: &[&[f32]]) -> anyhow::Result<Vec<Vec<f32>>> {
        let rows = self.log_probabilities(pictures)?;
        Ok(rows.into_iter().map(|row| row.into_iter().map(|p| p.exp() as f32).collect()).collect())
    }

    /// Natural logarithms of the probabilities, (K) for each picture.
    ///
    /// # Errors
    /// As [`Classifier::probabilities`].
    pub fn log_probabilities(&self, pictures: &[&[f32]]) -> anyhow::Result<Vec<Vec<f64>>> {
        let n_features = self.info.feature_shape.iter().product();
        let rows = logits_of(&self.mlp, n_features, pictures)?;
        Ok(rows.iter().map(|logits| log_softmax(logits)).collect())
    }
}

/// The logits (K) of each picture, always in batches of [`BATCH_SIZE`].
///
/// # Errors
/// If a picture has not as many features as the network takes, or a logit is not finite.
pub(crate) fn logits_of(mlp: &Mlp, n_features: usize, pictures: &[&[f32]]) -> anyhow::Result<Vec<Vec<f32>>> {
    let mut rows = Vec::with_capacity(pictures.len());
    for pictures in pictures.chunks(BATCH_SIZE) {
        let mut features = Vec::with_capacity(BATCH_SIZE * n_features);
        for picture in pictures {
            anyhow::ensure!(
                picture.len() == n_features,
                "the head takes {n_features} features, got {}",
                picture.len()
            );
            features.extend_from_slice(picture);
        }
        features.resize(BATCH_SIZE * n_features, 0.0);
        let features = Tensor::from_vec(features, (BATCH_SIZE, n_features), &Device::Cpu)?; // (32,D)
        let logits = mlp.logits(&features)?; // (32,D) -> (32,K)
        let n_classes = logits.len() / BATCH_SIZE;
        let of_pictures = logits.iter().take(pictures.len() * n_classes);
        anyhow::ensure!(
            of_pictures.into_iter().all(|z| z.is_finite()),
            "the head gives a value that is not a finite number: its weights, or the features, are too large; \
             run trainer fit again with a lower --learning-rate, or the extractor with other weights"
        );
        rows.extend(logits.chunks_exact(n_classes).take(pictures.len()).map(<[f32]>::to_vec));
    }
    Ok(rows)
}
