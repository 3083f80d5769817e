//! The numbers that describe a ConvNeXt.

/// Sides of pictures must be multiples of this, by which the network divides them.
pub(super) const STRIDE: usize = 32;
/// The stem's kernel and stride.
pub(super) const STEM: usize = 4;
/// The kernel and stride of the convolutions between stages.
pub(super) const DOWNSAMPLE: usize = 2;
/// Rows, and columns, of the depthwise kernels.
pub(super) const KERNEL: usize = 7;
/// Channels between the 1x1 convolutions of a block for each channel of its map.
pub(super) const EXPANSION: usize = 4;

/// The blocks and the channels of the four stages, as in table 9 of Liu et al. (arXiv 2201.03545) and in timm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) blocks: [usize; 4],
    pub(crate) channels: [usize; 4],
}

impl Shape {
    /// ConvNeXt-tiny: 28 million weights.
    pub(crate) const TINY: Self = Self { blocks: [3, 3, 9, 3], channels: [96, 192, 384, 768] };
    /// timm's ConvNeXt-nano: 15 million weights.
    pub(crate) const NANO: Self = Self { blocks: [2, 2, 8, 2], channels: [80, 160, 320, 640] };
}
