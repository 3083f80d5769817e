//! The other layers: packed weights, and the two ways through the tiles.

use super::map::{Blocks, Run, runs};
use super::memory::Buffer;
use super::product::Product;
use super::schedule::{Bench, CHUNK, Desk, Pass, Schedule, xi_pitch};
use super::team::Team;
use super::winograd::{InputRun, N_XI, OutputRun, TILE, transform_filter};

/// A layer computed by F(4x4, 3x3).
#[derive(Debug)]
pub(super) struct Winograd {
    n_in: usize,
    n_out: usize,
    pooled: bool,
    /// `[n_out/32][36][n_in][32]`
    u: Buffer,
    bias: Buffer,
}

impl Winograd {
    /// weight (n_out, n_in, 3, 3), n_out a multiple of 32, n_in of 16; transformed by all of `n_threads`.
    pub(super) fn new(weight: &[f32], bias: &[f32], pooled: bool, n_threads: usize) -> Self {
        let n_out = bias.len();
        let n_in = weight.len() / 9 / n_out;
        let u = Buffer::zeroed(n_out * n_in * N_XI);
        Team::run(n_threads, |team, _| {
            while let Some(chunk) = team.claim(n_out / CHUNK) {
                let u = u.at(chunk * N_XI * n_in * CHUNK, N_XI * n_in * CHUNK);
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
                        // SAFETY: inside the chunk, which this thread alone has claimed.
                        unsafe {
                            let to = u.add((xi * n_in + c) * CHUNK);
                            to.copy_from_nonoverlapping(row.as_ptr(), CHUNK);
                        }
                    }
                }
            }
        });
        Self { n_in, n_out, pooled, u, bias: Buffer::from_slice(bias) }
    }

    /// Channels in.
    pub(super) fn n_in(&self) -> usize {
        self.n_in
    }

    /// Channels out.
    pub(super) fn n_out(&self) -> usize {
        self.n_out
    }

    /// Whether the map is halved.
    pub(super) fn pooled(&self) -> bool {
        self.pooled
    }

    /// This thread's share of the layer.
    pub(super) fn run(&self, pass: &Pass, schedule: &Schedule, shared: &Bench, desk: &Desk) {
        match schedule {
            Schedule::Private(blocks) => {
                while let Some(block) = pass.team.claim(blocks.n()) {
                    let tiles = blocks.range(block);
                    self.transform(pass, blocks, &desk.bench.v, tiles.0, tiles, 0..self.n_in / 16);
                    for chunk in 0..self.n_out / CHUNK {
                        for xi in 0..N_XI {
                            self.multiply(
                                pass,
                                blocks,
                                &desk.bench.v,
                                &desk.bench.m,
                                (chunk, 0),
                                xi,
                                blocks.panels,
                            );
                        }
                        self.finish(pass, blocks, &desk.bench.m, (chunk, 0), tiles.0, tiles);
                    }
                }
                pass.team.end_stage();
            }
            Schedule::Shared(blocks) => {
                for block in 0..blocks.n() {
                    let (start, end) = blocks.range(block);
                    // Four channel blocks of a panel are a task: some microseconds.
                    let parts = (self.n_in / 16).div_ceil(4);
                    let panels = (end - start).div_ceil(blocks.rows);
                    while let Some(task) = pass.team.claim(panels * parts) {
                        let (panel, part) = (task / parts, task % parts);
                        let first = start + panel * blocks.rows;
                        let tiles = (first, (first + blocks.rows).min(end));
                        let channels = part * 4..(part * 4 + 4).min(self.n_in / 16);
                        self.transform(pass, blocks, &shared.v, start, tiles, channels);
                    }
                    pass.team.end_stage();
                    // A product of all tiles with some chunks of weights: V of one xi is read again for
                    // each chunk and stays in the second cache.
                    let chunks = self.n_out / CHUNK;
                    let cuts = (3 * pass.team.n_threads()).div_ceil(N_XI).min(chunks);
                    while let Some(task) = pass.team.claim(N_XI * cuts) {
                        let (xi, cut) = (task / cuts, task % cuts);
                        for chunk in cut * chunks / cuts..(cut + 1) * chunks / cuts {
                            self.multiply(pass, blocks, &shared.v, &shared.m, (chunk, chunk), xi, panels);
                        }
                    }
                    pass.team.end_stage();
                    while let Some(task) = pass.team.claim(chunks * panels) {
                        let (panel, chunk) = (task % panels, task / panels);
                        let first = start + panel * blocks.rows;
                        let tiles = (first, (first + blocks.rows).min(end));
                        self.finish(pass, blocks, &shared.m, (chunk, chunk), start, tiles);
                    }
                    pass.team.end_stage();
                }
            }
        }
    }

    /// V of `tiles` and some blocks of 16 channels, in a block that begins with tile `origin`.
    fn transform(
        &self,
        pass: &Pass,
        blocks: &Blocks,
        v: &Buffer,
        origin: usize,
        tiles: (usize, usize),
        channels: std::ops::Range<usize>,
    ) {
        let map = pass.from_map;
        let xi_pitch = xi_pitch(blocks.tiles() * self.n_in);
        let v = v.at(0, N_XI * xi_pitch);
        for channel in channels {
            for run in runs(origin, tiles.0, tiles.1, map.tiles_aside(), blocks.rows) {
                let Run { picture, y, x, first, n } = run;
                let from = pass.from.at((pass.from_picture + picture) * map.len(), map.len());
                let (panel, row) = (first / blocks.rows, first % blocks.rows);
                let to = (panel * self.n_in + channel * 16) * blocks.rows + row * 16;
                // SAFETY: tiles of the map with their border are inside it, tiles of the panel inside V;
                // this thread alone writes these tiles of V. The kernels are of a table that this machine
                // can run.
                unsafe {
                    (pass.kernels.input)(&InputRun {
                        from: from.add(channel * map.block_pitch() + map.pixel(y * TILE, x * TILE)),
                        row_pitch: map.row_pitch(),
                        to: v.add(to),
                        xi_pitch,
                        n,
                    });
                }
            }
        }
    }

    /// M of one xi: the first `panels` panels of a block times chunk `chunk.0` of the weights, kept as chunk
    /// `chunk.1` of M.
    #[expect(clippy::too_many_arguments, reason = "one call's place in the nest of loops")]
    fn multiply(
        &self,
        pass: &Pass,
        blocks: &Blocks,
        v: &Buffer,
        m: &Buffer,
        chunk: (usize, usize),
        xi: usize,
        panels: usize,
    ) {
        let n_tiles = blocks.rows * panels;
        let v_pitch = xi_pitch(blocks.tiles() * self.n_in);
        let m_pitch = xi_pitch(blocks.tiles() * CHUNK);
        // SAFETY: the shapes are those of V, U and M; this thread alone writes this part of M, and V was
        // written before the last barrier or by this thread. The kernels are of a table that this machine
        // can run.
        unsafe {
            (pass.kernels.multiply)(&Product {
                v: v.at(xi * v_pitch, n_tiles * self.n_in),
                u: self.u.at((chunk.0 * N_XI + xi) * self.n_in * CHUNK, self.n_in * CHUNK),
                m: m.at((chunk.1 * N_XI + xi) * m_pitch, n_tiles * CHUNK),
                c: self.n_in,
                rows: blocks.rows,
                n_panels: panels,
            });
        }
    }

    /// From M, where they are chunk `chunk.1`, to the pixels of chunk `chunk.0`: `tiles` of a block that
    /// begins with tile `origin`.
    fn finish(
        &self,
        pass: &Pass,
        blocks: &Blocks,
        m: &Buffer,
        chunk: (usize, usize),
        origin: usize,
        tiles: (usize, usize),
    ) {
        let (from_map, to_map) = (pass.from_map, pass.to_map);
        let xi_pitch = xi_pitch(blocks.tiles() * CHUNK);
        let tile = if self.pooled { TILE / 2 } else { TILE };
        for run in runs(origin, tiles.0, tiles.1, from_map.tiles_aside(), usize::MAX) {
            let Run { picture, y, x, first, n } = run;
            let to = pass.to.at((pass.to_picture + picture) * to_map.len(), to_map.len());
            let pixel = 2 * chunk.0 * to_map.block_pitch() + to_map.pixel(y * tile + 1, x * tile + 1);
            let m = m.at(chunk.1 * N_XI * xi_pitch, N_XI * xi_pitch);
            // SAFETY: M holds the products of these tiles, written by this thread or before the last
            // barrier; their pixels, as far as they are inside the map, are written by this thread alone.
            // The kernels are of a table that this machine can run.
            unsafe {
                (pass.kernels.output)(&OutputRun {
                    from: m.add(first * CHUNK),
                    xi_pitch,
                    bias: self.bias.at(chunk.0 * CHUNK, CHUNK),
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
