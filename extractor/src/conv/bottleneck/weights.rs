//! Weights as given, and whether they have the shapes that the kernels take.

use super::super::packed::check_layer;
use super::super::unsupported::Unsupported;
use super::super::winograd3x3::schedule::CHUNK;
use super::shape::{BlockShape, Shape};
use super::stem;
use crate::conv::winograd3x3::LayerWeights;

/// The weights of a block. Batch norm is part of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockWeights<'a> {
    /// (n_mid, n_in, 1, 1) and (n_mid)
    pub(crate) reduce: LayerWeights<'a>,
    /// (n_mid, n_mid, 3, 3) and (n_mid)
    pub(crate) conv: LayerWeights<'a>,
    /// (4 n_mid, n_mid, 1, 1) and (4 n_mid)
    pub(crate) expand: LayerWeights<'a>,
    /// Of the first block of each stage: (4 n_mid, n_in, 1, 1) and (4 n_mid).
    pub(crate) shortcut: Option<LayerWeights<'a>>,
}

/// Checks what [`PackedResNet::new`](super::PackedResNet::new) is given.
pub(super) fn check(
    shape: &Shape,
    stem: LayerWeights<'_>,
    blocks: &[BlockWeights<'_>],
) -> Result<(), Unsupported> {
    if shape.width == 0 || !shape.width.is_multiple_of(CHUNK) {
        return Err(Unsupported::new(format!("{} channels, expected a multiple of {CHUNK}", shape.width)));
    }
    let shapes = shape.block_shapes();
    if shape.blocks.contains(&0) || shapes.len() != blocks.len() {
        return Err(Unsupported::new(format!(
            "weights of {} blocks, expected {}, at least one in each stage",
            blocks.len(),
            shapes.len()
        )));
    }
    check_layer("stem", stem, shape.width, stem::N_INPUTS)?;
    for (i, (shape, weights)) in shapes.iter().zip(blocks).enumerate() {
        check_block(i, shape, weights)?;
    }
    Ok(())
}

fn check_block(i: usize, shape: &BlockShape, weights: &BlockWeights<'_>) -> Result<(), Unsupported> {
    if weights.shortcut.is_some() != shape.has_shortcut {
        return Err(Unsupported::new(format!(
            "block {i}: the first block of a stage, and no other, has to have a shortcut"
        )));
    }
    check_layer(&format!("block {i}, reduce"), weights.reduce, shape.n_mid, shape.n_in)?;
    check_layer(&format!("block {i}, 3x3"), weights.conv, shape.n_mid, 9 * shape.n_mid)?;
    check_layer(&format!("block {i}, expand"), weights.expand, shape.n_out(), shape.n_mid)?;
    match weights.shortcut {
        Some(shortcut) => check_layer(&format!("block {i}, shortcut"), shortcut, shape.n_out(), shape.n_in),
        None => Ok(()),
    }
}
