//! ConvNeXt, tiny and nano.

use std::sync::LazyLock;

use super::{Backbone, HubFile, Tensor, Tensors};
use crate::recipe::Pool;

/// Liu et al., "A ConvNet for the 2020s", 2022, the size T, trained by timm on ImageNet-12k and then ImageNet. Tensors
/// have timm's names. Features are the means of the last map's channels after the norm that comes before the classifier.
pub static CONVNEXT_TINY: Backbone = Backbone {
    name: "convnext-tiny",
    hub: HubFile {
        repository: "timm/convnext_tiny.in12k_ft_in1k",
        file: "model.safetensors",
        pin: None,
        tensor_bytes: 114_356_512,
        licence: "Apache-2.0",
    },
    package: None,
    features: Tensors::Built(LazyLock::new(|| features(&TINY))),
    classifier: Tensors::Listed(&[
        Tensor::new("head.fc.weight", &[1000, TINY.n_channels[3]]),
        Tensor::new("head.fc.bias", &[1000]),
    ]),
    n_channels: TINY.n_channels[3],
    stride: 32,
    image_size: 224,
    presets: &["convnext"],
    pool: Pool::Avg,
    has_maps: false,
};

/// timm's smaller ConvNeXt, otherwise as [`CONVNEXT_TINY`].
pub static CONVNEXT_NANO: Backbone = Backbone {
    name: "convnext-nano",
    hub: HubFile {
        repository: "timm/convnext_nano.in12k_ft_in1k",
        file: "model.safetensors",
        pin: None,
        tensor_bytes: 62_374_240,
        licence: "Apache-2.0",
    },
    package: None,
    features: Tensors::Built(LazyLock::new(|| features(&NANO))),
    classifier: Tensors::Listed(&[
        Tensor::new("head.fc.weight", &[1000, NANO.n_channels[3]]),
        Tensor::new("head.fc.bias", &[1000]),
    ]),
    n_channels: NANO.n_channels[3],
    stride: 32,
    image_size: 224,
    presets: &["convnext"],
    pool: Pool::Avg,
    has_maps: false,
};

/// The size of a ConvNeXt.
struct Size {
    /// Blocks of each stage.
    n_blocks: [usize; 4],
    /// Channels of each stage.
    n_channels: [usize; 4],
    /// Whether the two dense layers of a block are stored as 1x1 convolutions.
    has_convolutions: bool,
}

/// Liu et al. 2022, section 3, and timm's `convnext_tiny`.
const TINY: Size = Size { n_blocks: [3, 3, 9, 3], n_channels: [96, 192, 384, 768], has_convolutions: false };
/// timm's `convnext_nano`.
const NANO: Size = Size { n_blocks: [2, 2, 8, 2], n_channels: [80, 160, 320, 640], has_convolutions: true };

/// The tensors of the layers that make features.
fn features(size: &Size) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut n_in = 3;
    for (stage, (n_blocks, n)) in size.n_blocks.into_iter().zip(size.n_channels).enumerate() {
        let name = |layer: &str| format!("stages.{stage}.{layer}");
        if stage == 0 {
            tensors.extend(layer("stem.0", &[n, n_in, 4, 4]));
            tensors.extend(norm("stem.1", n));
        } else {
            tensors.extend(norm(&name("downsample.0"), n_in));
            tensors.extend(layer(&name("downsample.1"), &[n, n_in, 2, 2]));
        }
        for block in 0..n_blocks {
            let name = |layer: &str| name(&format!("blocks.{block}.{layer}"));
            let (wide, narrow) = (&[4 * n, n, 1, 1], &[n, 4 * n, 1, 1]);
            let n_sides = if size.has_convolutions { 4 } else { 2 };
            tensors.extend(layer(&name("conv_dw"), &[n, 1, 7, 7]));
            tensors.extend(norm(&name("norm"), n));
            tensors.extend(layer(&name("mlp.fc1"), &wide[..n_sides]));
            tensors.extend(layer(&name("mlp.fc2"), &narrow[..n_sides]));
            tensors.push(Tensor::ones(name("gamma").leak(), vec![n].leak()));
        }
        n_in = n;
    }
    tensors.extend(norm("head.norm", n_in));
    tensors
}

/// A weight and a bias.
fn layer(name: &str, shape: &[usize]) -> [Tensor; 2] {
    // Made once and kept as long as the program runs, like the names of the other networks.
    let shape: &'static [usize] = shape.to_vec().leak();
    [
        Tensor::new(format!("{name}.weight").leak(), shape),
        Tensor::new(format!("{name}.bias").leak(), &shape[..1]),
    ]
}

/// The scale and the shift of a layer norm.
fn norm(name: &str, n: usize) -> [Tensor; 2] {
    let shape: &'static [usize] = vec![n].leak();
    [Tensor::ones(format!("{name}.weight").leak(), shape), Tensor::new(format!("{name}.bias").leak(), shape)]
}
