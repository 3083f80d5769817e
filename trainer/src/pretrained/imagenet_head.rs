//! A head of the dense layers that a network was published with.

use data::backbone::Backbone;
use data::breeds::{self, NOT_A_DOG};
use data::head::{Head, HeadInfo, Outputs};
use data::imagenet;
use data::recipe::{PREPROCESSING_VERSION, Recipe};
use data::weights::{Weights, WeightsInfo};

use crate::imagenet::dense_layers;

/// Makes the head of `classifier`, which is that of `backbone`. Its features are made of pictures of the size, and with the
/// preprocessing, that the network was trained with.
///
/// # Errors
/// If the classifier does not have ImageNet's 1000 outputs.
pub(super) fn head(classifier: Weights, backbone: &Backbone) -> anyhow::Result<Head> {
    let Weights { info: WeightsInfo { origin, weights_sha256, .. }, tensors } = classifier;
    let recipe = Recipe {
        backbone: backbone.name.to_owned(),
        weights: origin.origin,
        weights_sha256,
        weights_trained: origin.trained,
        image_size: backbone.image_size,
        preset: backbone.presets[0].to_owned(),
        preprocessing_version: PREPROCESSING_VERSION,
        pool: backbone.pool,
    };
    let mut classes: Vec<String> = breeds::known().iter().map(|breed| breed.class_dir.clone()).collect();
    classes.push(NOT_A_DOG.to_owned());
    let feature_shape = backbone.feature_shape(recipe.image_size, recipe.pool);
    let layers = dense_layers(tensors)?;
    let n_outputs = layers.last().map_or(0, |layer| layer.n_out);
    anyhow::ensure!(
        n_outputs == imagenet::classes().len(),
        "the classifier has {n_outputs} outputs, expected the {} of ImageNet",
        imagenet::classes().len()
    );
    let mut info = HeadInfo::new(classes, recipe, feature_shape, None);
    info.outputs = Some(outputs());
    Ok(Head { layers, info })
}

/// ImageNet's 1000 outputs: each breed's is a class of its own, all others are no dog.
fn outputs() -> Outputs {
    let not_a_dog = breeds::known().len();
    let class = |output: usize| {
        let breed = breeds::known().iter().position(|breed| breed.imagenet_index == output);
        breed.unwrap_or(not_a_dog)
    };
    Outputs {
        classes: (0..imagenet::classes().len()).map(class).collect(),
        names: imagenet::classes().iter().map(|class| class.name.clone()).collect(),
    }
}
