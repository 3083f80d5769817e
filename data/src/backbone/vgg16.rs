//! VGG-16.

use super::{Backbone, HubFile, Pin, Tensor, Tensors};
use crate::recipe::Pool;

/// Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, configuration
/// D, with torchvision's `VGG16_Weights.IMAGENET1K_V1` as timm publishes them.
///
/// Tensors have torchvision's names; where timm's differ they are the other ones. timm's hidden dense layers are
/// convolutions over the whole map.
pub static VGG16: Backbone = Backbone {
    name: "vgg16",
    hub: HubFile {
        repository: "timm/vgg16.tv_in1k",
        file: "model.safetensors",
        pin: Some(Pin {
            revision: "3394518cba29aee1ea82a49d971be90d2dd1dab7",
            sha256: "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
        }),
        tensor_bytes: 553_430_176,
        licence: "BSD-3-Clause",
    },
    package: None,
    features: Tensors::Listed(&[
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
    ]),
    classifier: Tensors::Listed(&[
        Tensor::new("classifier.0.weight", &[4096, 25_088])
            .or_named("pre_logits.fc1.weight", &[4096, 512, 7, 7]),
        Tensor::new("classifier.0.bias", &[4096]).or_named("pre_logits.fc1.bias", &[4096]),
        Tensor::new("classifier.3.weight", &[4096, 4096])
            .or_named("pre_logits.fc2.weight", &[4096, 4096, 1, 1]),
        Tensor::new("classifier.3.bias", &[4096]).or_named("pre_logits.fc2.bias", &[4096]),
        Tensor::new("classifier.6.weight", &[1000, 4096]).or_named("head.fc.weight", &[1000, 4096]),
        Tensor::new("classifier.6.bias", &[1000]).or_named("head.fc.bias", &[1000]),
    ]),
    n_channels: 512,
    stride: 32,
    image_size: 224,
    presets: &["torchvision", "caffe", "tindogr-2018"],
    pool: Pool::None,
    has_maps: true,
};
