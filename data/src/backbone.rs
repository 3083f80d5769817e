//! What is known of each network beforehand: where its weights come from, which tensors they have, and what its
//! features look like.
//!
//! A network is a row of this table and code in the extractor; nothing else knows a network by its name.

use crate::recipe::Recipe;

/// A network that pictures are pushed through.
#[derive(Debug)]
pub struct Backbone {
    /// Its name in flags, in recipes and in the names of its weights files.
    pub name: &'static str,
    /// Where its trained weights are published.
    pub hub: HubFile,
    /// The tensors of the layers that make features, in the order in which [`Recipe::weights_sha256`] digests them:
    /// that of the forward pass, of each layer the weight and then the bias.
    pub features: &'static [Tensor],
    /// The tensors of the dense layers that the network was published with, in the order of the forward pass, of each
    /// layer the weight (n_out, n_in) and then the bias (n_out). ReLU follows all but the last.
    pub classifier: &'static [Tensor],
    /// Channels of the last map.
    pub n_channels: usize,
    /// Pixels of the input, along a side, that become one position of the last map.
    pub stride: u32,
    /// Pixels a side of the pictures that it was trained on; its classifier takes the features of this size alone.
    pub image_size: u32,
    /// Names of the preprocessing presets that its published weights were trained with, the usual one first.
    pub presets: &'static [&'static str],
}

/// A file of the Hugging Face hub, pinned by commit and digest.
#[derive(Debug)]
pub struct HubFile {
    /// Owner and name of the repository.
    pub repository: &'static str,
    /// The commit, 40 hexadecimal digits.
    pub revision: &'static str,
    /// The file's name in the repository.
    pub file: &'static str,
    /// Its sha256, which is also its ETag.
    pub sha256: &'static str,
    /// Bytes of all of its tensors; the header, some KB, comes on top.
    pub tensor_bytes: u64,
    /// SPDX identifier of the weights' licence.
    pub licence: &'static str,
}

/// A tensor of a network.
#[derive(Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in our weights files, which is torchvision's.
    pub name: &'static str,
    /// Its shape in our weights files.
    pub shape: &'static [usize],
    /// Another name and shape with the same values in the same order, if timm has another than torchvision.
    pub timm: Option<(&'static str, &'static [usize])>,
}

impl Tensor {
    /// A tensor that torchvision and timm give the same name and shape.
    pub const fn new(name: &'static str, shape: &'static [usize]) -> Self {
        Self { name, shape, timm: None }
    }

    /// A tensor that timm calls `name` and gives the shape `shape`.
    #[must_use]
    pub const fn in_timm(self, name: &'static str, shape: &'static [usize]) -> Self {
        Self { timm: Some((name, shape)), ..self }
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

/// All networks.
pub const ALL: [&Backbone; 1] = [&VGG16];

/// Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, configuration
/// D, with torchvision's `VGG16_Weights.IMAGENET1K_V1` as timm publishes them.
///
/// timm's hidden dense layers are convolutions over the whole map.
pub static VGG16: Backbone = Backbone {
    name: "vgg16",
    hub: HubFile {
        repository: "timm/vgg16.tv_in1k",
        revision: "3394518cba29aee1ea82a49d971be90d2dd1dab7",
        file: "model.safetensors",
        sha256: "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
        tensor_bytes: 553_430_176,
        licence: "BSD-3-Clause",
    },
    features: &[
        Tensor::new("features.0.weight", &[64, 3, 3, 3]),
        Tensor::new("features.0.bias", &[64]),
        Tensor::new("features.2.weight", &[64, 64, 3, 3]),
        Tensor::new("features.2.bias", &[64]),
        Tensor::new("features.5.weight", &[128, 64, 3, 3]),
        Tensor::new("features.5.bias", &[128]),
        Tensor::new("features.7.weight", &[128, 128, 3, 3]),
        Tensor::new("features.7.bias", &[128]),
        Tensor::new("features.10.weight", &[256, 128, 3, 3]),
        Tensor::new("features.10.bias", &[256]),
        Tensor::new("features.12.weight", &[256, 256, 3, 3]),
        Tensor::new("features.12.bias", &[256]),
        Tensor::new("features.14.weight", &[256, 256, 3, 3]),
        Tensor::new("features.14.bias", &[256]),
        Tensor::new("features.17.weight", &[512, 256, 3, 3]),
        Tensor::new("features.17.bias", &[512]),
        Tensor::new("features.19.weight", &[512, 512, 3, 3]),
        Tensor::new("features.19.bias", &[512]),
        Tensor::new("features.21.weight", &[512, 512, 3, 3]),
        Tensor::new("features.21.bias", &[512]),
        Tensor::new("features.24.weight", &[512, 512, 3, 3]),
        Tensor::new("features.24.bias", &[512]),
        Tensor::new("features.26.weight", &[512, 512, 3, 3]),
        Tensor::new("features.26.bias", &[512]),
        Tensor::new("features.28.weight", &[512, 512, 3, 3]),
        Tensor::new("features.28.bias", &[512]),
    ],
    classifier: &[
        Tensor::new("classifier.0.weight", &[4096, 25_088])
            .in_timm("pre_logits.fc1.weight", &[4096, 512, 7, 7]),
        Tensor::new("classifier.0.bias", &[4096]).in_timm("pre_logits.fc1.bias", &[4096]),
        Tensor::new("classifier.3.weight", &[4096, 4096])
            .in_timm("pre_logits.fc2.weight", &[4096, 4096, 1, 1]),
        Tensor::new("classifier.3.bias", &[4096]).in_timm("pre_logits.fc2.bias", &[4096]),
        Tensor::new("classifier.6.weight", &[1000, 4096]).in_timm("head.fc.weight", &[1000, 4096]),
        Tensor::new("classifier.6.bias", &[1000]).in_timm("head.fc.bias", &[1000]),
    ],
    n_channels: 512,
    stride: 32,
    image_size: 224,
    presets: &["torchvision", "caffe", "tindogr-2018"],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_facts_of_each_network_agree_with_each_other() {
        for backbone in ALL {
            assert!(std::ptr::eq(Backbone::find(backbone.name).unwrap(), backbone));
            let [last_bias, last_weight] = [1, 2].map(|i| &backbone.features[backbone.features.len() - i]);
            assert_eq!(
                (last_bias.shape, last_weight.shape[0]),
                (&[backbone.n_channels][..], backbone.n_channels)
            );
            let mut n_in: usize = backbone.map_shape(backbone.image_size).iter().product();
            for layer in backbone.classifier.chunks(2) {
                assert_eq!(
                    (layer[0].shape[1], layer[0].shape[0]),
                    (n_in, layer[1].shape[0]),
                    "{}",
                    layer[0].name
                );
                n_in = layer[1].len();
            }
            let tensors = || backbone.features.iter().chain(backbone.classifier);
            let in_timm = |tensor: &Tensor| tensor.timm.map(|(_, shape)| shape.iter().product());
            assert!(tensors().all(|tensor| in_timm(tensor).is_none_or(|n: usize| n == tensor.len())));
            assert_eq!(4 * tensors().map(Tensor::len).sum::<usize>() as u64, backbone.hub.tensor_bytes);
            assert!(crate::provenance::from_hex(backbone.hub.sha256).is_ok());
        }
        assert!(Backbone::find("vgg19").unwrap_err().to_string().contains("expected one of vgg16"));
    }
}
