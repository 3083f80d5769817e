//! Networks of bottleneck blocks, a whole one in one call: ResNet-50.
//!
//! A block narrows its input by a 1x1 convolution (reduce), convolves it 3x3 ([`conv3x3`]: by Winograd's method or, where the
//! stride is 2 or a map has few tiles, directly) and widens it again by another 1x1 convolution (expand), to which its input
//! is added, or where shapes differ a 1x1 convolution of it (shortcut). The wide maps are large, so a piece of one is read
//! once after it was written: the thread that expands some pixels at once reduces them for the block that follows
//! ([`block`]). The network begins with a 7x7 convolution whose rows are pooled while they are near ([`stem`]).
//!
//! Inputs of 3x3 convolutions have a border, as [`winograd3x3`](super::winograd3x3) wants it; all other maps are flat, and the
//! pixels of some pictures count as those of one ([`network`]).

mod block;
mod conv3x3;
mod network;
mod pass;
#[cfg(test)]
mod reference;
mod shape;
mod stem;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use network::PackedResNet;
pub(crate) use shape::Shape;
pub(crate) use weights::BlockWeights;
