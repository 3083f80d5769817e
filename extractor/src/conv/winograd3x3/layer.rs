//! All layers but the first: packed weights, and two orders in which tiles are computed.

use std::ops::Range;

use super::super::kernels::Operands;
use super::super::memory::{Buffer, spread_pitch};
use super::super::runs::{Run, runs};
use super::super::threads::ThreadGroup;
use super::map::Blocks;
use super::product::{Lines, Product};
use super::schedule::{BlockBuffers, CHUNK, Pass, Schedule, Scratch};
use super::split::{self, split};
use super::winograd::{InputRun, N_XI, OutputRun, TILE, transform_filter};

/// A layer computed by F(4x4, 3x3).
#[derive(Debug)]
pub(in crate::conv) struct Winograd {
    n_in: usize,
    n_out: usize,
    pooled: bool,
    /// `[36][n_out/32][n_in][32]`; split, `[36][n_out/32][n_in/32][3][2][16][16][2]` of bfloat16, channel
    /// `c` in half `c / 16 % 2` of word `c % 16`.
    u: Buffer,
    operands: Operands,
    bias: Buffer,
}

impl Winograd {
    /// Transforms weight (n_out, n_in, 3, 3), both channels multiples of 32, on `n_threads` threads.
    pub(in crate::conv) fn new(
        weight: &[f32],
        bias: &[f32],
        pooled: bool,
        operands: Operands,
        n_threads: usize,
    ) -> Self {
        let n_out = bias.len();
        let n_in = weight.len() / 9 / n_out;
        let u = Buffer::zeroed(operands.floats(n_out * n_in * N_XI));
        ThreadGroup::run(n_threads, |threads, _| {
            let (chunks, pitch) = (n_out / CHUNK, operands.floats(n_in * CHUNK));
            while let Some(chunk) = threads.claim(chunks) {
                for c in 0..n_in {
                    // Whole rows at a time: the 36 lie so far apart that they push each other out of the
                    // caches.
                    let mut rows = [[0.0; CHUNK]; N_XI];
                    for lane in 0..CHUNK {
                        let o = chunk * CHUNK + lane;
                        let filter = transform_filter(&weight[(o * n_in + c) * 9..][..9]);
                        for xi in 0..N_XI {
                            rows[xi][lane] = filter[xi];
                        }
                    }
                    for (xi, row) in rows.iter().enumerate() {
                        let u = u.at((xi * chunks + chunk) * pitch, pitch);
                        // SAFETY: inside the chunk, which this thread alone has claimed.
                        unsafe {
                            match operands {
                                Operands::Floats => {
                                    u.add(c * CHUNK).copy_from_nonoverlapping(row.as_ptr(), CHUNK);
                                }
                                Operands::Split => put_split(u, c, row),
                            }
                        }
                    }
                }
            }
        });
        Self { n_in, n_out, pooled, u, operands, bias: Buffer::from_slice(bias) }
    }

    /// Channels in.
    pub(in crate::conv) fn n_in(&self) -> usize {
        self.n_in
    }

    /// Channels out.
    pub(in crate::conv) fn n_out(&self) -> usize {
        self.n_out
    }

    /// Whether the map is halved.
    pub(super) fn pooled(&self) -> bool {
        self.pooled
    }

    /// Computes this thread's share of the layer.
    pub(in crate::conv) fn run(
        &self,
        pass: &Pass,
        schedule: &Schedule,
        shared: &BlockBuffers,
        scratch: &Scratch,
    ) {
        let _ready = pass.kernels.ready(schedule.blocks().rows);
        match schedule {
            Schedule::Private(blocks) => self.run_private(pass, blocks, scratch),
            Schedule::Shared(blocks) => self.run_shared(pass, blocks, shared, scratch),
        }
    }

    /// Computes blocks of tiles from input to output, each by one thread.
    fn run_private(&self, pass: &Pass, blocks: &Blocks, scratch: &Scratch) {
        while let Some(block) = pass.threads.claim(blocks.n()) {
            let tiles = blocks.range(block);
            let context = BlockContext { pass, blocks, buffers: &scratch.block, scratch, origin: tiles.0 };
            self.transform(&context, tiles, 0..self.n_blocks());
            for xi in 0..N_XI {
                self.multiply(&context, xi, blocks.panels, 0..self.n_chunks(), None);
            }
            for chunk in 0..self.n_chunks() {
                self.finish(&context, chunk, tiles);
            }
        }
        pass.threads.end_stage();
    }

    /// Computes one block after the other, each by all threads.
    fn run_shared(&self, pass: &Pass, blocks: &Blocks, buffers: &BlockBuffers, scratch: &Scratch) {
        for block in 0..blocks.n() {
            let (start, end) = blocks.range(block);
            let context = BlockContext { pass, blocks, buffers, scratch, origin: start };
            let panels = (end - start).div_ceil(blocks.rows);
            let panel = |number: usize| {
                let first = start + number * blocks.rows;
                (first, (first + blocks.rows).min(end))
            };
            // 64 channels of a panel are a task: some microseconds.
            let parts = self.n_blocks().div_ceil(4);
            while let Some(task) = pass.threads.claim(panels * parts) {
                let first = task % parts * 4;
                let channels = first..(first + 4).min(self.n_blocks());
                self.transform(&context, panel(task / parts), channels);
            }
            pass.threads.end_stage();
            // A product of all tiles with some chunks of weights.
            let cuts = (3 * pass.threads.n_threads()).div_ceil(N_XI).min(self.n_chunks());
            while let Some(task) = pass.threads.claim(N_XI * cuts) {
                let (xi, cut) = (task / cuts, task % cuts);
                let next_xi = (task + pass.threads.n_threads()) / cuts; // probably
                let chunks = cut * self.n_chunks() / cuts..(cut + 1) * self.n_chunks() / cuts;
                self.multiply(&context, xi, panels, chunks, Some(next_xi));
            }
            pass.threads.end_stage();
            while let Some(task) = pass.threads.claim(self.n_chunks() * panels) {
                let (number, chunk) = (task % panels, task / panels);
                self.finish(&context, chunk, panel(number));
            }
            pass.threads.end_stage();
        }
    }

    /// Blocks of 16 channels in.
    fn n_blocks(&self) -> usize {
        self.n_in / 16
    }

    /// Chunks of channels out.
    fn n_chunks(&self) -> usize {
        self.n_out / CHUNK
    }

    /// Floats from one xi of V to the next.
    fn v_pitch(&self, blocks: &Blocks) -> usize {
        spread_pitch(blocks.tiles() * self.n_in)
    }

    /// Floats of the weights of one chunk and xi.
    fn u_pitch(&self) -> usize {
        self.operands.floats(self.n_in * CHUNK)
    }

    /// Gives the weights of one chunk and xi, numbered in the order of their addresses.
    fn weights(&self, number: usize) -> Lines {
        let len = self.u_pitch();
        if (number + 1) * len > self.u.len() {
            return Lines::NONE;
        }
        Lines { at: self.u.at(number * len, len), n: len / 16 }
    }

    /// Computes V of `tiles` and some blocks of 16 channels.
    fn transform(&self, context: &BlockContext, tiles: (usize, usize), channels: Range<usize>) {
        let BlockContext { pass, blocks, buffers, origin, .. } = *context;
        let map = pass.from_map;
        let v = buffers.v.at(0, N_XI * self.v_pitch(blocks));
        for block in channels {
            for run in runs(origin, tiles.0, tiles.1, map.tiles_aside(), blocks.rows) {
                let Run { picture, y, x, first, n } = run;
                let from = pass.from.at((pass.from_picture + picture) * map.picture_pitch(), map.len());
                let pixel = block * map.block_pitch() + map.pixel(y * TILE, x * TILE);
                let (panel, row) = (first / blocks.rows, first % blocks.rows);
                let line = (panel * self.n_blocks() + block) * blocks.rows + row;
                // SAFETY: tiles of the map with their border are inside it, tiles of the panel inside V;
                // this thread alone writes these tiles of V. The kernels are of a table that this machine
                // can run.
                unsafe {
                    (pass.kernels.input)(&InputRun {
                        from: from.add(pixel),
                        row_pitch: map.row_pitch(),
                        to: v.add(line * 16),
                        xi_pitch: self.v_pitch(blocks),
                        n,
                    });
                }
            }
        }
    }

    /// Computes M of one xi: the first `panels` panels of the block times some chunks of the weights. V of the xi is
    /// read again for each chunk and stays in the second cache. `next_xi` is the xi that follows, for prefetching where
    /// V and M are too large for that cache.
    fn multiply(
        &self,
        context: &BlockContext,
        xi: usize,
        panels: usize,
        chunks: Range<usize>,
        next_xi: Option<usize>,
    ) {
        let BlockContext { pass, blocks, buffers, .. } = *context;
        let v = self.prepare(context, xi, panels);
        let (u_pitch, m_pitch) = (self.u_pitch(), m_pitch(blocks));
        for chunk in chunks.clone() {
            // SAFETY: the shapes are those of V, U and M; this thread alone writes this part of M, and V was
            // written before the last barrier or by this thread. The kernels are of a table that this machine
            // can run, and this thread is ready for them.
            unsafe {
                (pass.kernels.multiply)(&Product {
                    v,
                    u: self.u.at((xi * self.n_chunks() + chunk) * u_pitch, u_pitch),
                    m: buffers.m.at((chunk * N_XI + xi) * m_pitch, panels * blocks.rows * CHUNK),
                    c: self.n_in,
                    rows: blocks.rows,
                    n_panels: panels,
                    ahead: self.ahead(context, xi, chunk, &chunks, next_xi),
                });
            }
        }
    }

    /// Lists what follows the product of `xi` and `chunk` where a thread goes through `chunks`: the next weights;
    /// and if more than those are far away, their part of M, and of the next xi's V a share for each chunk.
    fn ahead(
        &self,
        context: &BlockContext,
        xi: usize,
        chunk: usize,
        chunks: &Range<usize>,
        next_xi: Option<usize>,
    ) -> [Lines; 3] {
        let BlockContext { blocks, buffers, .. } = *context;
        let Some(next_xi) = next_xi else {
            return [self.weights(xi * self.n_chunks() + chunk + 1), Lines::NONE, Lines::NONE];
        };
        let (xi_after, chunk_after) =
            if chunk + 1 < chunks.end { (xi, chunk + 1) } else { (next_xi, chunks.start) };
        if xi_after >= N_XI {
            return [Lines::NONE; 3];
        }
        let m_pitch = m_pitch(blocks);
        let m = buffers.m.at((chunk_after * N_XI + xi_after) * m_pitch, m_pitch);
        let v = if next_xi < N_XI && next_xi != xi {
            let v_pitch = self.v_pitch(blocks);
            let share = (v_pitch / 16).div_ceil(chunks.len());
            let start = buffers.v.at(next_xi * v_pitch, v_pitch);
            Lines { at: start.wrapping_add((chunk - chunks.start) * share * 16), n: share }
        } else {
            Lines::NONE
        };
        let weights = self.weights(xi_after * self.n_chunks() + chunk_after);
        [weights, Lines { at: m, n: m_pitch / 16 }, v]
    }

    /// Gives the first `panels` panels of V of one xi, split if the product takes split operands.
    fn prepare(&self, context: &BlockContext, xi: usize, panels: usize) -> *const f32 {
        let BlockContext { pass, blocks, buffers, scratch, .. } = *context;
        let v = buffers.v.at(xi * self.v_pitch(blocks), panels * blocks.rows * self.n_in);
        match self.operands {
            Operands::Floats => v,
            Operands::Split => {
                let len = self.operands.floats(panels * split::ROWS * self.n_in);
                let to = scratch.split.at(0, len);
                // SAFETY: the shapes are those of V and its parts, which are this thread's own; V was written
                // before the last barrier or by this thread. The kernels are of a table that this machine can run.
                unsafe { (pass.kernels.split)(v, to, panels * self.n_in / split::GROUP, blocks.rows) };
                to
            }
        }
    }

    /// Transforms M back into the pixels of one chunk of channels out.
    fn finish(&self, context: &BlockContext, chunk: usize, tiles: (usize, usize)) {
        let BlockContext { pass, blocks, buffers, origin, .. } = *context;
        let (from_map, to_map) = (pass.from_map, pass.to_map);
        let xi_pitch = m_pitch(blocks);
        let tile = if self.pooled { TILE / 2 } else { TILE };
        let m = buffers.m.at(chunk * N_XI * xi_pitch, N_XI * xi_pitch);
        for run in runs(origin, tiles.0, tiles.1, from_map.tiles_aside(), usize::MAX) {
            let Run { picture, y, x, first, n } = run;
            let to = pass.to.at((pass.to_picture + picture) * to_map.picture_pitch(), to_map.len());
            let pixel = 2 * chunk * to_map.block_pitch() + to_map.pixel(y * tile + 1, x * tile + 1);
            // SAFETY: M holds the products of these tiles, written by this thread or before the last
            // barrier; their pixels, as far as they are inside the map, are written by this thread alone.
            // The kernels are of a table that this machine can run.
            unsafe {
                (pass.kernels.output)(&OutputRun {
                    from: m.add(first * CHUNK),
                    xi_pitch,
                    bias: self.bias.at(chunk * CHUNK, CHUNK),
                    to: to.add(pixel),
                    row_pitch: to_map.row_pitch(),
                    block_pitch: to_map.block_pitch(),
                    n,
                    n_rows: from_map.side - y * TILE,
                    n_columns: from_map.side - x * TILE,
                    pooled: self.pooled,
                });
            }
        }
    }
}

/// A block of tiles that is being computed, and where its V and M are.
#[derive(Clone, Copy)]
struct BlockContext<'a> {
    pass: &'a Pass<'a>,
    blocks: &'a Blocks,
    buffers: &'a BlockBuffers,
    scratch: &'a Scratch,
    /// The block's first tile.
    origin: usize,
}

/// Floats from one xi of M to the next.
fn m_pitch(blocks: &Blocks) -> usize {
    spread_pitch(blocks.tiles() * CHUNK)
}

/// Writes one channel's row of weights of one chunk, split.
///
/// # Safety
/// `u` is valid for the weights of one chunk and xi.
unsafe fn put_split(u: *mut f32, c: usize, row: &[f32; CHUNK]) {
    let (group, half, word) = (c / split::GROUP, c / 16 % 2, c % 16);
    for (column, &weight) in row.iter().enumerate() {
        for (part, bits) in split(weight).into_iter().enumerate() {
            let line = ((group * split::PARTS + part) * 2 + column / 16) * 16 + word;
            // SAFETY: two halves to a word, 16 words to a line, 32 lines to a part, within the chunk.
            unsafe { u.cast::<u16>().add((line * 16 + column % 16) * 2 + half).write(bits) };
        }
    }
}
