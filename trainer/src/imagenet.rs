//! ImageNet's own classifier on cached features: the dense layers that VGG-16 was published with.
//!
//! Features of 224 px without pooling are what its first dense layer takes, so that no picture is looked at
//! again. ImageNet knows the breeds: its head, restricted to the classes at hand, is a baseline that no
//! training went into.

use std::path::Path;

use data::features::FeatureMatrix;
use data::head::Dense;
use data::recipe::{Pool, Recipe};
use data::weights;

use crate::classifier::logits_of;
use crate::mlp::Mlp;

pub mod baseline;

/// Sizes of the network's dense part; VGG-16's but for tests.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    /// The features of a picture: channels, height, width.
    map: [usize; 3],
    /// Units of each of the two hidden layers.
    hidden: usize,
    /// Classes.
    classes: usize,
}

/// Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, D.
const VGG16: Sizes = Sizes { map: [512, 7, 7], hidden: 4096, classes: 1000 };
/// Pixels a side that give such maps.
const IMAGE_SIZE: u32 = 224;

/// Names of the three layers, first torchvision's, then timm's.
const NAMES: [[&str; 3]; 2] =
    [["classifier.0", "classifier.3", "classifier.6"], ["pre_logits.fc1", "pre_logits.fc2", "head.fc"]];

/// The dense layers, loaded: fc6, ReLU, fc7, ReLU, fc8. 495 MB.
#[derive(Debug)]
pub struct ImagenetHead {
    sizes: Sizes,
    mlp: Mlp,
}

impl ImagenetHead {
    /// Loads the dense layers of the weights file `path`, under torchvision's names or timm's, for features
    /// made by `recipe`.
    ///
    /// # Errors
    /// If the features are not those that the layers take, their convolutions were others than the file's, or
    /// the layers are missing or damaged: everything that is wrong with them at once.
    pub fn open(path: &Path, recipe: &Recipe) -> anyhow::Result<Self> {
        Self::open_sized(path, recipe, VGG16)
    }

    fn open_sized(path: &Path, recipe: &Recipe, sizes: Sizes) -> anyhow::Result<Self> {
        anyhow::ensure!(
            recipe.backbone == "vgg16" && recipe.image_size == IMAGE_SIZE && recipe.pool == Pool::None,
            "ImageNet's dense layers take features of vgg16, {IMAGE_SIZE} px, pooling none; these are of {}, {} px, \
             pooling {}; run the extractor with --image-size {IMAGE_SIZE} --pool none, or go without --imagenet",
            recipe.backbone,
            recipe.image_size,
            recipe.pool
        );
        let mut file = weights::File::open(path)?;
        let names = names_in(&file, path, sizes)?;
        let found = file.digest_of_convolutions()?;
        anyhow::ensure!(
            found == recipe.weights_sha256,
            "{} has other convolutions ({found}) than those that made the features ({}, {}); give the file that \
             --weights named",
            path.display(),
            recipe.weights,
            recipe.weights_sha256
        );
        let mut layers = Vec::new();
        for (name, (n_out, n_in)) in names.iter().zip(sizes.layers()) {
            let [weight, bias] = tensors(name).map(|tensor| file.floats(&tensor));
            let layer = Dense { n_out, n_in, weight: weight?, bias: bias? };
            anyhow::ensure!(
                layer.weight.iter().chain(&layer.bias).all(|x| x.is_finite()),
                "{}: {name} holds a weight that is not finite",
                path.display()
            );
            layers.push(layer);
        }
        Ok(Self { sizes, mlp: Mlp::new(layers, Vec::new())? })
    }

    /// The logits (1000) of each picture, from its features (512, 7, 7), channel-major. Dropout is training's.
    ///
    /// # Errors
    /// If there are not as many features as the first layer takes.
    pub fn logits(&self, pictures: &FeatureMatrix) -> anyhow::Result<Vec<Vec<f32>>> {
        logits_of(&self.mlp, self.sizes.map.iter().product(), pictures)
    }
}

impl Sizes {
    /// (out, in) of the three layers.
    fn layers(self) -> [(usize, usize); 3] {
        let Sizes { map, hidden, classes } = self;
        [(hidden, map.iter().product()), (hidden, hidden), (classes, hidden)]
    }

    /// The weight of a layer may have either shape: timm's hidden layers are convolutions.
    fn shapes(self) -> [[Vec<usize>; 2]; 3] {
        let [c, h, w] = self.map;
        let [fc6, fc7, fc8] = self.layers().map(|(n_out, n_in)| vec![n_out, n_in]);
        let (n_hidden, convolution) = (self.hidden, vec![self.hidden, c, h, w]);
        [[fc6, convolution], [fc7, vec![n_hidden, n_hidden, 1, 1]], [fc8.clone(), fc8]]
    }
}

fn tensors(layer: &str) -> [String; 2] {
    [format!("{layer}.weight"), format!("{layer}.bias")]
}

/// The names under which `file` has the layers.
fn names_in(file: &weights::File, path: &Path, sizes: Sizes) -> anyhow::Result<[&'static str; 3]> {
    let info = |name: &str| file.header.tensors.info(name);
    let Some(names) = NAMES.into_iter().find(|names| names.iter().any(|n| info(&tensors(n)[0]).is_some()))
    else {
        anyhow::bail!(
            "{} has no dense layers, such as {} or {}; fetch the full file: extractor --weights hub --full",
            path.display(),
            tensors(NAMES[0][0])[0],
            tensors(NAMES[1][0])[0]
        );
    };
    let mut problems = Vec::new();
    for ((layer, shapes), (n_out, _)) in names.iter().zip(sizes.shapes()).zip(sizes.layers()) {
        let bias = [vec![n_out], vec![n_out]];
        for (tensor, shapes) in tensors(layer).iter().zip([shapes, bias]) {
            match info(tensor) {
                None => problems.push(format!("{tensor} is missing")),
                Some(info) if !shapes.contains(&info.shape) => {
                    problems.push(format!("{tensor} has shape {:?}, expected {:?}", info.shape, shapes[0]));
                }
                Some(_) => {}
            }
        }
    }
    anyhow::ensure!(
        problems.is_empty(),
        "{} does not hold the dense layers of VGG-16:\n  {}",
        path.display(),
        problems.join("\n  ")
    );
    Ok(names)
}

#[cfg(test)]
mod tests;
