//! The numbers that describe a ResNet of bottleneck blocks.

/// Sides of pictures must be multiples of this, by which the network divides them.
pub(super) const STRIDE: usize = 32;
/// Channels out of a block for each of its 3x3 convolution.
pub(super) const EXPANSION: usize = 4;

/// The blocks of the four stages, and the channels of the stem and of the first stage's 3x3 convolutions; each stage doubles
/// them. As in table 1 of He et al. (arXiv 1512.03385), with the stride in the 3x3 convolution as in torchvision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) blocks: [usize; 4],
    pub(crate) width: usize,
}

impl Shape {
    /// ResNet-50.
    pub(crate) const RESNET_50: Self = Self { blocks: [3, 4, 6, 3], width: 64 };

    /// Lists the blocks.
    pub(super) fn block_shapes(&self) -> Vec<BlockShape> {
        let mut n_in = self.width;
        let mut shapes = Vec::new();
        for (stage, &n_blocks) in self.blocks.iter().enumerate() {
            for block in 0..n_blocks {
                let n_mid = self.width << stage;
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let has_shortcut = block == 0;
                let winograd = stride == 1 && stage + 1 < self.blocks.len();
                shapes.push(BlockShape { n_in, n_mid, stride, has_shortcut, winograd });
                n_in = EXPANSION * n_mid;
            }
        }
        shapes
    }
}

/// The numbers that describe a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockShape {
    pub(super) n_in: usize,
    /// Channels of the 3x3 convolution.
    pub(super) n_mid: usize,
    /// Of the 3x3 convolution and of the shortcut.
    pub(super) stride: usize,
    /// Whether a 1x1 convolution of the input is added, instead of the input.
    pub(super) has_shortcut: bool,
    /// Whether the 3x3 convolution is computed by Winograd's method: not in the last stage, whose maps of 7x7 pixels are
    /// four tiles for weights of many megabytes.
    pub(super) winograd: bool,
}

impl BlockShape {
    /// Channels out.
    pub(super) fn n_out(&self) -> usize {
        EXPANSION * self.n_mid
    }
}
