//! Networks of inverted residuals, a whole one in one call: EfficientNet-Lite0.
//!
//! A block widens its input by a 1x1 convolution (expand), filters each channel by itself (depthwise) and
//! narrows it by another 1x1 convolution (project). The wide maps are many times the size of the narrow ones,
//! so they are computed in pieces that stay in the near caches ([`block`]): some rows of 16 channels are
//! expanded and filtered, and as soon as all channels of some rows are filtered, they are projected. The first
//! block has no expansion; the network's first convolution takes its place ([`stem`]). The last convolution
//! ([`head`]) gives its map or only the mean of each channel.
//!
//! Maps are `[channels/16][pixels][16]` without a border; the border of zeros is written around the piece that
//! is filtered. With as many pictures as threads each thread computes its own, from beginning to end; pictures
//! that are left over are computed by all threads together ([`network`]).

mod block;
mod check;
mod head;
mod network;
mod shape;
mod stem;
#[cfg(test)]
mod tests;
mod workspace;

pub(crate) use block::BlockWeights;
pub(crate) use network::PackedLite0;
