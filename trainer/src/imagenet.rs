//! ImageNet's own classifier on cached features: the dense layers that the network was published with.
//!
//! Unpooled features of the size that the network was trained on (224 px) are what its first dense layer takes, so no
//! picture is decoded again. ImageNet knows the breeds: its head, restricted to the classes at hand, is a baseline
//! without any training.

use std::path::Path;

use data::backbone::Backbone;
use data::features::FeatureMatrix;
use data::head::Dense;
use data::recipe::Recipe;
use data::weights::{Part, TensorValues, Weights};

use crate::classifier::logits_of;
use crate::mlp::Mlp;

pub mod baseline;

/// The dense layers, loaded, with ReLU after all but the last. Those of VGG-16 take 495 MB.
#[derive(Debug)]
pub struct ImagenetHead {
    /// Values that the first layer takes.
    n_features: usize,
    mlp: Mlp,
}

impl ImagenetHead {
    /// Loads the classifier that `weights --full` wrote as `path`, for features made by `recipe`.
    ///
    /// # Errors
    /// If the features are not those that the layers take, their layers were others than those that the classifier
    /// belongs to, or the file cannot be used (see [`Weights::read`]).
    pub fn open(path: &Path, recipe: &Recipe) -> anyhow::Result<Self> {
        Self::open_of(path, recipe, recipe.network()?)
    }

    fn open_of(path: &Path, recipe: &Recipe, backbone: &Backbone) -> anyhow::Result<Self> {
        let layers = read_of(path, recipe, backbone, "go without --imagenet")?;
        let n_features = backbone.feature_shape(backbone.image_size, backbone.pool).iter().product();
        Ok(Self { n_features, mlp: Mlp::new(layers, Vec::new())? })
    }

    /// Computes the logits (1000) of each picture from its features: of vgg16 (512, 7, 7), channel-major, of the others (C).
    /// Without dropout, which is for training alone.
    ///
    /// # Errors
    /// If there are not as many features as the first layer takes.
    pub fn logits(&self, pictures: &FeatureMatrix) -> anyhow::Result<Vec<Vec<f32>>> {
        logits_of(&self.mlp, self.n_features, pictures)
    }
}

/// Reads the dense layers of the classifier that `weights` wrote as `path`, for features made by `recipe`;
/// `otherwise` says what to do where these are not the features that the layers take.
///
/// # Errors
/// As [`ImagenetHead::open`].
pub(crate) fn read(path: &Path, recipe: &Recipe, otherwise: &str) -> anyhow::Result<Vec<Dense>> {
    read_of(path, recipe, recipe.network()?, otherwise)
}

fn read_of(path: &Path, recipe: &Recipe, backbone: &Backbone, otherwise: &str) -> anyhow::Result<Vec<Dense>> {
    let &Backbone { name, image_size, pool, .. } = backbone;
    anyhow::ensure!(
        recipe.backbone == name && recipe.image_size == image_size && recipe.pool == pool,
        "ImageNet's dense layers take features of {name}, {image_size} px, pooling {pool}; these are of {}, {} px, \
         pooling {}; run the extractor with --image-size {image_size} --pool {pool}, or {otherwise}",
        recipe.backbone,
        recipe.image_size,
        recipe.pool
    );
    let known = |found: &str| match found == name {
        true => Ok(backbone),
        false => anyhow::bail!("it is of {found}, the features are of {name}"),
    };
    let weights = Weights::read_of(path, Part::Classifier, known)?;
    let found = &weights.info.weights_sha256;
    anyhow::ensure!(
        *found == recipe.weights_sha256,
        "{} belongs to other layers ({found}) than those that made the features ({}, {}); give the file that \
         `weights --full` wrote beside that of the features",
        path.display(),
        recipe.weights,
        recipe.weights_sha256
    );
    dense_layers(weights.tensors)
}

/// Pairs the weight (n_out, n_in) and the bias (n_out) of each dense layer, in the order of the forward pass.
///
/// # Errors
/// If a weight does not have two sides.
pub(crate) fn dense_layers(tensors: Vec<TensorValues>) -> anyhow::Result<Vec<Dense>> {
    let mut layers = Vec::new();
    let mut tensors = tensors.into_iter();
    while let (Some(weight), Some(bias)) = (tensors.next(), tensors.next()) {
        let &[n_out, n_in] = weight.shape else {
            anyhow::bail!("{} has shape {:?}, expected two sides", weight.name, weight.shape);
        };
        layers.push(Dense { n_out, n_in, weight: weight.values, bias: bias.values });
    }
    Ok(layers)
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
