//! The network of a recipe: pictures in, features out.

use std::path::Path;

use candle_core::{Device, Tensor};
use data::backbone::Backbone;
use data::features::FeatureMatrix;
use data::recipe::Recipe;
use data::weights::{Part, Weights};
use image::RgbImage;

use crate::backbone::{self, Engine, Network};
use crate::preprocess::{self, Preset, preprocess};

/// Pixels a side; larger inputs would take gigabytes a batch.
const MAX_IMAGE_SIZE: u32 = 1024;

/// Computes the features of pictures as one recipe says.
///
/// The features of a picture do not depend on the pictures beside it.
#[derive(Debug)]
pub struct FeatureExtractor {
    backbone: &'static Backbone,
    network: Box<dyn Network>,
    preset: &'static Preset,
    recipe: Recipe,
    device: Device,
}

impl FeatureExtractor {
    /// Opens an extractor that follows `recipe`, with the weights file at `weights`.
    ///
    /// # Errors
    /// If this program cannot follow the recipe, the weights cannot be read or are others than those of the recipe, or
    /// [`backbone::ENGINE_VARIABLE`] names no engine.
    pub fn new(recipe: Recipe, weights: &Path, device: &Device) -> anyhow::Result<Self> {
        let read = Weights::read(weights, Part::Features)?;
        anyhow::ensure!(
            read.info.weights_sha256 == recipe.weights_sha256,
            "{} is not the weights file of the features ({}): its weights have the sha256 {}, expected {}",
            weights.display(),
            recipe.weights,
            read.info.weights_sha256,
            recipe.weights_sha256
        );
        Self::with_weights(recipe, &read, device)
    }

    /// Does the same as [`FeatureExtractor::new`] with weights that have been read, and whose digest the recipe has.
    pub(crate) fn with_weights(recipe: Recipe, weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        anyhow::ensure!(
            recipe.preprocessing_version == preprocess::VERSION,
            "this program prepares pictures with preprocessing version {}, not with version {}; run the extractor and \
             trainer fit again",
            preprocess::VERSION,
            recipe.preprocessing_version
        );
        anyhow::ensure!(
            recipe.backbone == weights.info.backbone,
            "the weights are of {}, the features of {}",
            weights.info.backbone,
            recipe.backbone
        );
        check_image_size(recipe.network()?, recipe.image_size)?;
        Ok(Self {
            backbone: recipe.network()?,
            network: backbone::open(weights, device, Engine::from_env()?)?,
            preset: Preset::find(&recipe.preset)?,
            recipe,
            device: device.clone(),
        })
    }

    /// The recipe that it follows.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Shape of one picture's features: `[C, S/32, S/32]` or, pooled, `[C]`.
    pub fn feature_shape(&self) -> Vec<usize> {
        self.backbone.feature_shape(self.recipe.image_size, self.recipe.pool)
    }

    /// The features of each photo, in order; all photos go through the network as one batch.
    ///
    /// # Errors
    /// If a photo has no pixels or the device fails.
    pub fn features(&self, photos: &[RgbImage]) -> anyhow::Result<FeatureMatrix> {
        let inputs = photos.iter().map(|p| self.prepare(p)).collect::<anyhow::Result<Vec<_>>>()?;
        self.features_of_prepared(&inputs.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    /// The network's input for `photo`, (3, S, S): the part of the work that may run ahead on another
    /// thread.
    ///
    /// # Errors
    /// If the photo has no pixels.
    pub fn prepare(&self, photo: &RgbImage) -> anyhow::Result<Vec<f32>> {
        preprocess(photo, self.preset, self.recipe.image_size)
    }

    /// The features of each prepared input, in order: (B, D).
    ///
    /// # Errors
    /// If an input was not made by [`FeatureExtractor::prepare`] or the device fails.
    pub fn features_of_prepared(&self, inputs: &[&[f32]]) -> anyhow::Result<FeatureMatrix> {
        if inputs.is_empty() {
            return Ok(FeatureMatrix::default());
        }
        let side = self.recipe.image_size as usize;
        let batch = Tensor::from_vec(inputs.concat(), (inputs.len(), 3, side, side), &self.device)?;
        let features = self.network.features(&batch, self.recipe.pool)?; // (B, D)
        let d = features.dim(1)?;
        FeatureMatrix::new(features.flatten_all()?.to_vec1()?, d)
    }
}

/// Checks that the input is a whole number of strides wide.
///
/// # Errors
/// Says what sizes there are.
pub(crate) fn check_image_size(backbone: &Backbone, image_size: u32) -> anyhow::Result<()> {
    let stride = backbone.stride;
    anyhow::ensure!(
        image_size >= stride && image_size.is_multiple_of(stride) && image_size <= MAX_IMAGE_SIZE,
        "an image size of {image_size} does not work, expected a multiple of {stride} up to {MAX_IMAGE_SIZE}"
    );
    Ok(())
}
