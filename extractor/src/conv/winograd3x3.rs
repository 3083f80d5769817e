//! A stack of 3x3 convolutions (bias, ReLU and 2x2 maximum) by Winograd's F(4x4, 3x3), in one call.
//!
//! All of VGG-16's time goes into thirteen convolutions with 3x3 weights, stride 1 and a border of one. A
//! picture passes through:
//!
//! * [`direct`]: the first layer ([`first`]), whose 3 channels are computed by definition;
//! * [`winograd`]: 6x6 inputs of each 4x4 tile of outputs are transformed (B), and the products back (A);
//! * [`product`]: between them, 36 matrix products a layer, where the time should go; on CPUs with tile
//!   registers `amx`, whose operands are [`split`] into three bfloat16;
//! * [`schedule`], [`layer`]: how the tiles of a layer are divided, so that what is read again is still in a
//!   cache;
//! * [`stack`]: the layers in order, pictures in groups.

#[cfg(target_arch = "x86_64")]
pub(super) mod amx;
pub(super) mod direct;
mod first;
pub(super) mod layer;
pub(super) mod map;
pub(super) mod product;
#[cfg(test)]
pub(crate) mod reference;
pub(super) mod schedule;
pub(super) mod split;
mod stack;
#[cfg(test)]
mod tests;
pub(super) mod winograd;

pub(crate) use stack::{LayerWeights, PackedVgg, STRIDE};
