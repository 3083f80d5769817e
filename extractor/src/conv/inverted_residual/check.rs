//! Whether weights have the shapes that the kernels take.

use super::super::packed::check_layer;
use super::super::pictures::COLOURS;
use super::super::unsupported::Unsupported;
use super::block::BlockWeights;
use super::shape::{BlockShape, STRIDE};
use crate::conv::winograd3x3::LayerWeights;
use crate::conv::winograd3x3::direct::N_LANES;

/// Checks what [`PackedLite0::new`](super::PackedLite0::new) is given.
pub(super) fn network(
    stem: LayerWeights<'_>,
    shapes: &[BlockShape],
    blocks: &[BlockWeights<'_>],
    head: LayerWeights<'_>,
) -> Result<(), Unsupported> {
    check_layer("stem", stem, stem.1.len(), COLOURS * 9)?;
    if !stem.1.len().is_multiple_of(N_LANES) {
        return Err(Unsupported::new(format!(
            "stem: {} channels, expected a multiple of {N_LANES}",
            stem.1.len()
        )));
    }
    if shapes.is_empty() || shapes.len() != blocks.len() {
        return Err(Unsupported::new(format!(
            "weights of {} blocks, expected {}, at least one",
            blocks.len(),
            shapes.len()
        )));
    }
    for (i, (shape, weights)) in shapes.iter().zip(blocks).enumerate() {
        block(i, shape, weights)?;
    }
    let stride: usize = shapes.iter().map(|shape| shape.stride).product();
    if 2 * stride != STRIDE {
        return Err(Unsupported::new(format!(
            "the blocks divide sides by {stride}, expected {}",
            STRIDE / 2
        )));
    }
    check_layer("head", head, head.1.len(), shapes[shapes.len() - 1].n_out)
}

/// Checks one block.
fn block(i: usize, shape: &BlockShape, weights: &BlockWeights<'_>) -> Result<(), Unsupported> {
    if ![3, 5].contains(&shape.kernel) || ![1, 2].contains(&shape.stride) {
        return Err(Unsupported::new(format!(
            "block {i}: kernel {} and stride {}, expected 3 or 5 and 1 or 2",
            shape.kernel, shape.stride
        )));
    }
    if shape.expanded != (i > 0) || weights.expand.is_some() != shape.expanded {
        return Err(Unsupported::new(format!(
            "block {i}: the first block, and no other, has to be one that does not expand"
        )));
    }
    if let Some(expand) = weights.expand {
        check_layer(&format!("block {i}, expand"), expand, shape.n_mid, shape.n_in)?;
    }
    check_layer(
        &format!("block {i}, depthwise"),
        weights.depthwise,
        shape.n_mid,
        shape.kernel * shape.kernel,
    )?;
    check_layer(&format!("block {i}, project"), weights.project, shape.n_out, shape.n_mid)
}
