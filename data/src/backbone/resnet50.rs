//! ResNet-50.

use std::sync::LazyLock;

use super::{Backbone, HubFile, Tensor, Tensors};
use crate::recipe::Pool;

/// He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, table 1, with torchvision's
/// `ResNet50_Weights.IMAGENET1K_V1` as timm publishes them. As in torchvision, where a block halves the sides its 3x3
/// convolution does, not its first 1x1.
///
/// Tensors have the names of torchvision and timm, which are the same.
pub static RESNET50: Backbone = Backbone {
    name: "resnet50",
    hub: HubFile {
        repository: "timm/resnet50.tv_in1k",
        file: "model.safetensors",
        pin: None,
        tensor_bytes: 102_440_608,
        licence: "BSD-3-Clause",
    },
    package: None,
    features: Tensors::Built(LazyLock::new(features)),
    classifier: Tensors::Listed(&[Tensor::new("fc.weight", &[1000, 2048]), Tensor::new("fc.bias", &[1000])]),
    n_channels: 2048,
    stride: 32,
    image_size: 224,
    presets: &["torchvision"],
    pool: Pool::Avg,
    has_maps: false,
};

/// Blocks of each stage.
const N_BLOCKS: [usize; 4] = [3, 4, 6, 3];
/// Channels of the first convolution, 7x7.
const N_STEM: usize = 64;
/// Channels of a block's output for each of its inner channels.
const EXPANSION: usize = 4;

/// The tensors of the layers that make features.
fn features() -> Vec<Tensor> {
    let mut tensors: Vec<Tensor> = normed("conv1", "bn1", [N_STEM, 3, 7, 7]).into();
    let mut n_in = N_STEM;
    for (stage, n_blocks) in N_BLOCKS.into_iter().enumerate() {
        let n_mid = N_STEM << stage;
        let n_out = EXPANSION * n_mid;
        for block in 0..n_blocks {
            let name = |layer: &str| format!("layer{}.{block}.{layer}", stage + 1);
            let mut add = |convolution: &str, norm: &str, shape: [usize; 4]| {
                tensors.extend(normed(&name(convolution), &name(norm), shape));
            };
            add("conv1", "bn1", [n_mid, n_in, 1, 1]);
            add("conv2", "bn2", [n_mid, n_mid, 3, 3]);
            add("conv3", "bn3", [n_out, n_mid, 1, 1]);
            if block == 0 {
                add("downsample.0", "downsample.1", [n_out, n_in, 1, 1]);
            }
            n_in = n_out;
        }
    }
    tensors
}

/// A convolution without bias and the batch norm behind it.
fn normed(convolution: &str, norm: &str, shape: [usize; 4]) -> [Tensor; 5] {
    // Made once and kept as long as the program runs, like the names of the other networks.
    let name = |of: &str, what: &str| -> &'static str { format!("{of}.{what}").leak() };
    let kernel: &'static [usize] = shape.to_vec().leak();
    let vector = &kernel[..1];
    [
        Tensor::new(name(convolution, "weight"), kernel),
        Tensor::ones(name(norm, "weight"), vector),
        Tensor::new(name(norm, "bias"), vector),
        Tensor::new(name(norm, "running_mean"), vector),
        Tensor::ones(name(norm, "running_var"), vector),
    ]
}
