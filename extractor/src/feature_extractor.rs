//! A recipe at work: pictures in, features out.

use std::path::Path;

use candle_core::{Device, Tensor};
use data::recipe::{Pool, Recipe};
use image::RgbImage;

use crate::preprocess::{self, Preset, preprocess};
use crate::vgg16::{self, Engine, Vgg16};
use crate::weights::Weights;

/// Looks at pictures as one recipe says.
///
/// The features of a picture do not depend on the pictures beside it.
#[derive(Debug)]
pub struct FeatureExtractor {
    network: Vgg16,
    preset: &'static Preset,
    recipe: Recipe,
    device: Device,
}

impl FeatureExtractor {
    /// An extractor that follows `recipe` with the weights file at `weights`, or with one in that directory.
    ///
    /// # Errors
    /// If this program cannot follow the recipe, the weights are damaged or not those that the recipe was made with
    /// (see [`Weights::of_recipe`]), or [`vgg16::ENGINE_VARIABLE`] names no engine.
    pub fn new(recipe: Recipe, weights: &Path, device: &Device) -> anyhow::Result<Self> {
        let weights = Weights::of_recipe(weights, &recipe)?;
        Self::with_weights(recipe, &weights, device)
    }

    /// [`FeatureExtractor::new`] for weights that have been read, and from whose digest the recipe was made.
    pub(crate) fn with_weights(recipe: Recipe, weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        let known = (vgg16::NAME, preprocess::VERSION);
        anyhow::ensure!(
            (recipe.backbone.as_str(), recipe.preprocessing_version) == known,
            "this program makes features of {} with preprocessing version {}, not of {} with version {}; \
             run the extractor and trainer fit again",
            known.0,
            known.1,
            recipe.backbone,
            recipe.preprocessing_version
        );
        check_image_size(recipe.image_size)?;
        Ok(Self {
            network: Vgg16::with_engine(weights, device, Engine::from_env()?)?,
            preset: Preset::find(&recipe.preset)?,
            recipe,
            device: device.clone(),
        })
    }

    /// What it follows.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Shape of one picture's features: `[512, S/32, S/32]` or, pooled, `[512]`.
    pub fn feature_shape(&self) -> Vec<usize> {
        let side = (self.recipe.image_size / vgg16::STRIDE) as usize;
        match self.recipe.pool {
            Pool::None => vec![vgg16::N_CHANNELS, side, side],
            Pool::Avg => vec![vgg16::N_CHANNELS],
        }
    }

    /// The features of each photo, in order; all photos go through the network as one batch.
    ///
    /// # Errors
    /// If a photo has no pixels or the device fails.
    pub fn features(&self, photos: &[RgbImage]) -> anyhow::Result<Vec<Vec<f32>>> {
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

    /// The features of each prepared input, in order.
    ///
    /// # Errors
    /// If an input was not made by [`FeatureExtractor::prepare`] or the device fails.
    pub fn features_of_prepared(&self, inputs: &[&[f32]]) -> anyhow::Result<Vec<Vec<f32>>> {
        if inputs.is_empty() {
            return Ok(Vec::new());
        }
        let side = self.recipe.image_size as usize;
        let batch = Tensor::from_vec(inputs.concat(), (inputs.len(), 3, side, side), &self.device)?;
        let maps = self.network.forward(&batch)?; // (B, 512, S/32, S/32)
        let maps = match self.recipe.pool {
            Pool::None => maps.flatten_from(1)?,         // (B, 512 * (S/32)^2)
            Pool::Avg => maps.flatten_from(2)?.mean(2)?, // (B, 512)
        };
        Ok(maps.to_vec2()?)
    }
}

/// The input must be a whole number of the last map's pixels.
pub(crate) fn check_image_size(image_size: u32) -> anyhow::Result<()> {
    anyhow::ensure!(
        image_size >= vgg16::STRIDE && image_size.is_multiple_of(vgg16::STRIDE) && image_size <= 1024,
        "an image size of {image_size} does not work, expected a multiple of {} up to 1024",
        vgg16::STRIDE
    );
    Ok(())
}
