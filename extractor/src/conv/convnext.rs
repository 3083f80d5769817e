//! ConvNeXt, a whole network in one call.
//!
//! A block filters each channel by itself (depthwise, 7x7), normalises the channels of each pixel, and mixes them by two 1x1
//! convolutions with GELU between them; the result is added to its input. The map between the two convolutions is four times
//! as large as the block's, so it never exists as a whole: for a piece of some pixels ([`pieces`](super::pieces)) that stays in the near
//! caches, up to 256 of its channels are computed and at once added to the sums of all channels out ([`block`]). Before
//! each stage but the first, channels are normalised and the map is halved by a 2x2 convolution ([`downsample`]); the first
//! stage begins with a 4x4 convolution of the pictures ([`stem`]).
//!
//! Maps have a border of zeros as wide as the depthwise convolution reaches ([`map`]). Some pictures are computed together,
//! layer by layer, and their pixels count as those of one map: threads share its pieces ([`network`]).

mod block;
mod downsample;
mod map;
mod network;
mod pass;
#[cfg(test)]
mod reference;
mod shape;
mod stem;
#[cfg(test)]
mod tests;
mod weights;

pub(crate) use network::PackedConvNext;
pub(crate) use shape::Shape;
pub(crate) use weights::{BlockWeights, StageWeights, StemWeights};
