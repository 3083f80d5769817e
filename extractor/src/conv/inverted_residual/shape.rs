//! Shapes of blocks and of their maps.

use std::ops::Range;

/// Sides of pictures must be multiples of this, by which the network divides them.
pub(super) const STRIDE: usize = 32;

pub(crate) use data::backbone::efficientnet_lite0::Stage;

/// The numbers that describe a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockShape {
    pub(super) n_in: usize,
    /// Channels of the depthwise convolution.
    pub(super) n_mid: usize,
    pub(super) n_out: usize,
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Whether there is a 1x1 convolution before the depthwise one.
    pub(super) expanded: bool,
}

impl BlockShape {
    /// Lists the blocks of `stages` for `n_in` channels in.
    pub(super) fn of_stages(stages: &[Stage], n_in: usize) -> Vec<Self> {
        let mut n_in = n_in;
        let mut shapes = Vec::new();
        for stage in stages {
            for repeat in 0..stage.repeats {
                shapes.push(Self {
                    n_in,
                    n_mid: n_in * stage.expand,
                    n_out: stage.n_out,
                    kernel: stage.kernel,
                    stride: if repeat == 0 { stage.stride } else { 1 },
                    expanded: stage.expand != 1,
                });
                n_in = stage.n_out;
            }
        }
        shapes
    }

    /// Whether the input is added to the output.
    pub(super) fn has_residual(&self) -> bool {
        self.stride == 1 && self.n_in == self.n_out
    }

    /// Border above and on the left of the depthwise input. TensorFlow's SAME padding gives the larger half to the other
    /// side: for an even side, kernel - stride zeros are needed in all.
    pub(super) fn before(&self) -> usize {
        (self.kernel - self.stride) / 2
    }

    /// Columns of the depthwise input with its border, for maps of `side`.
    pub(super) fn wide(&self, side: usize) -> usize {
        side + self.kernel - self.stride
    }

    /// Rows of the depthwise input, border included, that `n` rows of its output need.
    pub(super) fn rows_for(&self, n: usize) -> usize {
        (n - 1) * self.stride + self.kernel
    }
}

/// The rows of a depthwise input that some rows of its output need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InputRows {
    /// Rows of zeros above.
    pub(super) above: usize,
    /// First row of the map.
    pub(super) first: usize,
    /// Rows of the map.
    pub(super) n: usize,
    /// Rows of zeros below.
    pub(super) below: usize,
}

impl InputRows {
    /// Finds the rows for outputs `rows` of a block whose input has `side` rows.
    pub(super) fn new(shape: &BlockShape, side: usize, rows: &Range<usize>) -> Self {
        let all = shape.rows_for(rows.len());
        let start = rows.start * shape.stride; // counted with the border above
        let above = shape.before().saturating_sub(start);
        let first = start + above - shape.before();
        let n = (all - above).min(side - first);
        Self { above, first, n, below: all - above - n }
    }
}
