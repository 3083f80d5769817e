//! Convolutions for CPUs, a whole network in one call: VGG-16's 3x3 layers ([`winograd3x3`]),
//! the blocks of EfficientNet-Lite0 ([`inverted_residual`]), of ResNet ([`bottleneck`]) and of ConvNeXt ([`convnext`]).
//!
//! The kernels are written once over vectors of 16 floats ([`simd`]) and compiled for each instruction set;
//! [`kernels`] chooses at run time. All maps are stored as lines of 16 channels, so that no stage has to
//! transpose or pack for the next. Threads go through the layers together ([`threads`]).
//!
//! Every output is summed in one fixed order, whatever block, panel or thread computes it: its bits do not
//! depend on the number of threads nor on the other pictures of the batch. They do depend on the instruction
//! set, which decides what is fused into one rounding: sets differ by about 1e-6 of a map's norm.
//!
//! NaN stays NaN: no maximum or minimum turns it into a number, so an overflow in one layer is seen in the
//! last map.
#![expect(unsafe_code, reason = "vector instructions, and threads that write to disjoint parts of a buffer")]
#![allow(clippy::needless_range_loop, reason = "kernels index several small arrays in step")]

pub(crate) mod bottleneck;
pub(crate) mod convnext;
mod depthwise;
mod flat_map;
mod gelu;
pub(crate) mod inverted_residual;
mod kernels;
mod layer_norm;
mod max_pool;
mod memory;
mod packed;
mod peak;
mod pictures;
mod pieces;
mod pointwise;
#[cfg(test)]
mod reference;
mod runs;
mod simd;
mod threads;
mod times;
mod unsupported;
pub(crate) mod winograd3x3;

pub(crate) use kernels::{Kernels, available};
pub(crate) use unsupported::Unsupported;
