//! The last convolution, 1x1 with ReLU6, and the mean of each channel.

use super::super::flat_map::FlatMap;
use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise};
use super::super::pointwise::{Activation, Pointwise};
use super::super::threads::ThreadGroup;
use super::workspace::Workspace;

/// What a network gives for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Output {
    /// The last map: (channels, side / 32, side / 32).
    Map,
    /// The mean of each channel of the last map.
    Means,
}

impl Output {
    /// Floats of a channel whose map has `n` pixels.
    pub(super) fn len(self, n: usize) -> usize {
        match self {
            Self::Map => n,
            Self::Means => 1,
        }
    }
}

/// Computes this thread's share of a picture's output from its map of `n` pixels.
pub(super) fn run(
    head: &PackedPointwise,
    (kernels, threads): (&'static Kernels, &ThreadGroup<'_>),
    (from, n): (FlatMap, usize),
    own: &Workspace,
    output: Output,
    to: &Buffer,
    picture: usize,
) {
    let len = output.len(n);
    let scratch = own.expanded.at(0, n * LINE);
    while let Some(line) = threads.claim(head.n_lines()) {
        // SAFETY: the map is complete and has `n` pixels, and the scratch belongs to this thread. The kernels are of a
        // table that this machine can run.
        unsafe {
            (kernels.pointwise)(&Pointwise {
                activation: Activation::Relu6,
                ..head.product(line, from.at, from.pitch, n, scratch)
            });
        }
        for channel in line * LINE..((line + 1) * LINE).min(head.n_out()) {
            let to = to.at((picture * head.n_out() + channel) * len, len);
            // SAFETY: the pixels were just written; this thread alone writes this channel of this picture.
            let pixel = |i: usize| unsafe { *scratch.add(i * LINE + channel % LINE) };
            match output {
                // SAFETY: as above.
                Output::Map => (0..n).for_each(|i| unsafe { *to.add(i) = pixel(i) }),
                // SAFETY: as above.
                Output::Means => unsafe { *to = (0..n).map(pixel).sum::<f32>() / n as f32 },
            }
        }
    }
    threads.end_stage();
}
