//! One block: expand, filter each channel, project.

use std::ops::Range;

use super::super::depthwise::DepthwiseRow;
use super::super::flat_map::FlatMap;
use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::packed::{LINE, PackedPointwise, in_lines};
use super::super::pointwise::{Activation, Pointwise};
use super::super::threads::ThreadGroup;
use super::super::times::LayerTimes;
use super::shape::{BlockShape, InputRows};
use super::stem::{Stem, StemRows};
use super::workspace::{Layout, Workspace};
use crate::conv::winograd3x3::LayerWeights;

/// The weights of a block as given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockWeights<'a> {
    /// (n_mid, n_in, 1, 1) and (n_mid); none in a block that does not expand.
    pub(crate) expand: Option<LayerWeights<'a>>,
    /// (n_mid, 1, kernel, kernel) and (n_mid)
    pub(crate) depthwise: LayerWeights<'a>,
    /// (n_out, n_mid, 1, 1) and (n_out)
    pub(crate) project: LayerWeights<'a>,
}

/// A block with its weights packed.
#[derive(Debug)]
pub(super) struct Block {
    shape: BlockShape,
    expand: Option<PackedPointwise>,
    /// `[n_mid/16][kernel * kernel][16]`
    depthwise: Buffer,
    /// `[n_mid/16][16]`
    depthwise_bias: Buffer,
    project: PackedPointwise,
}

/// What a block is computed from and to.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) kernels: &'static Kernels,
    pub(super) threads: &'a ThreadGroup<'a>,
    pub(super) layout: &'a Layout,
    /// The input of the stem: (3, side, side).
    pub(super) picture: &'a [f32],
    pub(super) stem: &'a Stem,
    pub(super) from: FlatMap,
    pub(super) to: FlatMap,
    /// The memory of this thread.
    pub(super) own: &'a Workspace,
    /// The filtered map that all threads write.
    pub(super) shared: &'a Buffer,
    /// The clock of the layers, and the number of this block's first layer.
    pub(super) times: Option<(&'a LayerTimes, usize)>,
}

impl Pass<'_> {
    /// Adds the time since the last call to one of the three layers of the block.
    fn end_layer(&self, layer: usize) {
        if let Some((times, first)) = self.times {
            times.add_to(first + layer);
        }
    }
}

impl Block {
    pub(super) fn new(shape: BlockShape, weights: &BlockWeights<'_>) -> Self {
        Self {
            shape,
            expand: weights.expand.map(PackedPointwise::new),
            depthwise: in_lines(weights.depthwise.0, shape.kernel * shape.kernel),
            depthwise_bias: in_lines(weights.depthwise.1, 1),
            project: PackedPointwise::new(weights.project),
        }
    }

    /// Computes this thread's share of the block.
    pub(super) fn run(&self, pass: &Pass<'_>) {
        if pass.layout.n_pieces() > 1 || self.expand.is_none() {
            self.run_in_pieces(pass);
        } else {
            self.run_together(pass);
        }
    }

    /// Computes pieces of rows from input to output, each by one thread.
    fn run_in_pieces(&self, pass: &Pass<'_>) {
        let layout = pass.layout;
        let filtered = FlatMap::new(&pass.own.filtered, self.shape.n_mid, layout.piece_pixels());
        while let Some(piece) = pass.threads.claim(layout.n_pieces()) {
            let first = piece * layout.piece_rows;
            let rows = first..(first + layout.piece_rows).min(layout.side_after());
            for group in 0..self.n_groups() {
                self.filter(pass, group, &rows, filtered);
            }
            let start = first * layout.side_after();
            for line in 0..self.project.n_lines() {
                self.project(pass, line, filtered, start, 0..rows.len() * layout.side_after());
            }
        }
        pass.threads.end_stage();
    }

    /// Computes all rows: threads share the channels of the filtered map, then the pixels and channels of the output.
    fn run_together(&self, pass: &Pass<'_>) {
        let layout = pass.layout;
        let n_pixels = layout.piece_pixels();
        let filtered = FlatMap::new(pass.shared, self.shape.n_mid, n_pixels);
        while let Some(group) = pass.threads.claim(self.n_groups()) {
            self.filter(pass, group, &(0..layout.side_after()), filtered);
        }
        pass.threads.end_stage();
        let n_parts = pass.threads.n_threads().min(n_pixels);
        while let Some(task) = pass.threads.claim(self.project.n_lines() * n_parts) {
            let (line, part) = (task / n_parts, task % n_parts);
            let pixels = n_pixels * part / n_parts..n_pixels * (part + 1) / n_parts;
            self.project(pass, line, filtered, 0, pixels);
        }
        pass.threads.end_stage();
    }

    /// Groups of channels that are filtered together: 16 channels, or the stem's 32.
    fn n_groups(&self) -> usize {
        match &self.expand {
            Some(expand) => expand.n_lines(),
            None => self.shape.n_mid / (2 * LINE),
        }
    }

    /// Expands and filters rows `rows` of a group of channels; the first of them is the first of `filtered`.
    fn filter(&self, pass: &Pass<'_>, group: usize, rows: &Range<usize>, filtered: FlatMap) {
        let layout = pass.layout;
        let inputs = InputRows::new(&self.shape, layout.side, rows);
        let n_lines = if self.expand.is_some() { 1 } else { 2 };
        let pitch = layout.expanded_pitch();
        let expanded = pass.own.expanded.at(0, n_lines * pitch);
        for line in 0..n_lines {
            // SAFETY: a line of the expanded piece, which belongs to this thread.
            unsafe { self.clear_border(layout, &inputs, expanded.add(line * pitch)) };
        }
        let corner = inputs.above * layout.row_pitch() + self.shape.before() * LINE;
        // SAFETY: the rows of the input are inside its map, and those of the expanded piece belong to this thread.
        unsafe {
            let to = expanded.add(corner);
            match &self.expand {
                Some(expand) => {
                    let x = pass.from.pixel(0, inputs.first * layout.side);
                    let n = inputs.n * layout.side;
                    debug_assert!(n <= layout.offsets.len());
                    (pass.kernels.pointwise)(&Pointwise {
                        offsets: layout.offsets.as_ptr(),
                        activation: Activation::Relu6,
                        ..expand.product(group, x, pass.from.pitch, n, to)
                    });
                }
                None => {
                    let to = StemRows { at: to, row_pitch: layout.row_pitch(), line_pitch: pitch };
                    pass.stem.run(pass.kernels, pass.picture, group, &inputs, &pass.own.rows, to);
                }
            }
            pass.end_layer(0);
            for line in 0..n_lines {
                self.filter_line(
                    pass,
                    group * n_lines + line,
                    rows.len(),
                    expanded.add(line * pitch),
                    filtered,
                );
            }
            pass.end_layer(1);
        }
    }

    /// Writes zeros around the rows of the input.
    ///
    /// # Safety
    /// `expanded` is valid for a line of channels of the piece.
    unsafe fn clear_border(&self, layout: &Layout, inputs: &InputRows, expanded: *mut f32) {
        let pitch = layout.row_pitch();
        let (left, right) =
            (self.shape.before(), self.shape.kernel - self.shape.stride - self.shape.before());
        // SAFETY: all rows and columns are those of the piece.
        unsafe {
            expanded.write_bytes(0, inputs.above * pitch);
            for row in inputs.above..inputs.above + inputs.n {
                let row = expanded.add(row * pitch);
                row.write_bytes(0, left * LINE);
                row.add(pitch - right * LINE).write_bytes(0, right * LINE);
            }
            expanded.add((inputs.above + inputs.n) * pitch).write_bytes(0, inputs.below * pitch);
        }
    }

    /// Filters `n` rows of a line of channels.
    ///
    /// # Safety
    /// `expanded` is valid for the inputs of these rows and `filtered` for the rows, of which no other thread writes this line.
    unsafe fn filter_line(
        &self,
        pass: &Pass<'_>,
        line: usize,
        n: usize,
        expanded: *const f32,
        filtered: FlatMap,
    ) {
        let Layout { shape, .. } = pass.layout;
        let (row_pitch, side) = (pass.layout.row_pitch(), pass.layout.side_after());
        let kernel = pass.kernels.depthwise[(shape.kernel - 3) / 2][shape.stride - 1];
        let area = shape.kernel * shape.kernel;
        for row in 0..n {
            // SAFETY: the rows are the caller's; the kernels are of a table that this machine can run.
            unsafe {
                kernel(&DepthwiseRow {
                    from: expanded.add(row * shape.stride * row_pitch),
                    row_pitch,
                    kernel: shape.kernel,
                    weights: self.depthwise.at(line * area * LINE, area * LINE),
                    bias: self.depthwise_bias.at(line * LINE, LINE),
                    to: filtered.pixel(line, row * side),
                    n: side,
                });
            }
        }
    }

    /// Computes a line of channels of the output from pixels `pixels` of `filtered`, whose first pixel is pixel `start` of the
    /// map.
    fn project(&self, pass: &Pass<'_>, line: usize, filtered: FlatMap, start: usize, pixels: Range<usize>) {
        // SAFETY: the pixels are inside the maps; those of the output are written by this task alone, and the input
        // is complete. The kernels are of a table that this machine can run.
        unsafe {
            let x = filtered.pixel(0, pixels.start);
            let to = pass.to.pixel(line, start + pixels.start);
            let residual = if self.shape.has_residual() {
                pass.from.pixel(line, start + pixels.start).cast_const()
            } else {
                std::ptr::null()
            };
            (pass.kernels.pointwise)(&Pointwise {
                residual,
                ..self.project.product(line, x, filtered.pitch, pixels.len(), to)
            });
        }
        pass.end_layer(2);
    }
}
