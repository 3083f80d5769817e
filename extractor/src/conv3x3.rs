//! Fused 3x3 convolutions for CPUs: Winograd's F(4x4, 3x3), bias, ReLU and 2x2 maximum, a whole stack of
//! layers in one call.
//!
//! All of VGG-16's time goes into thirteen convolutions with 3x3 weights, stride 1 and a border of one. A
//! picture passes through:
//!
//! * [`direct`]: the first layer ([`first`]), whose 3 channels are computed by definition;
//! * [`winograd`]: 6x6 inputs of each 4x4 tile of outputs are transformed (B), and the products back (A);
//! * [`product`]: between them, 36 matrix products a layer, where the time should go; on CPUs with tile
//!   registers [`amx`](kernels), whose operands are [`split`] into three bfloat16;
//! * [`schedule`], [`layer`]: how the tiles of a layer are cut up, so that what is read again is still in a
//!   cache;
//! * [`stack`]: the layers in order, pictures in groups, threads in step ([`threads`]).
//!
//! The kernels are written once over vectors of 16 floats ([`simd`]) and compiled for each instruction set;
//! [`kernels`] chooses at run time. Everything lies in lines of 16 channels ([`map`]), so that no stage has
//! to transpose or pack for the next.
//!
//! Every output is summed in one fixed order by one accumulator, whatever block, panel or thread computes
//! it: its bits do not depend on the number of threads nor on the other pictures of the batch. They do
//! depend on the instruction set, which decides what is fused into one rounding: sets differ by about 1e-6
//! of a map's norm.
//!
//! What is not finite stays so: no maximum turns NaN into a number, so an overflow in one layer is seen in
//! the last map.
#![expect(unsafe_code, reason = "vector instructions, and threads that write to disjoint parts of a buffer")]
#![allow(clippy::needless_range_loop, reason = "kernels index several small arrays in step")]

#[cfg(target_arch = "x86_64")]
mod amx;
mod direct;
mod first;
mod kernels;
mod layer;
mod map;
mod memory;
mod peak;
mod product;
#[cfg(test)]
pub(crate) mod reference;
mod schedule;
mod simd;
mod split;
mod stack;
#[cfg(test)]
mod tests;
mod threads;
mod winograd;

pub(crate) use kernels::{Kernels, available};
pub(crate) use stack::{LayerWeights, PackedVgg, STRIDE};
