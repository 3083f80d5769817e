//! The whole stack of convolutions in one call.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::super::kernels::Kernels;
use super::super::memory::Buffer;
use super::super::pictures::{COLOURS, check_pictures};
use super::super::threads::ThreadGroup;
use super::super::times::LayerTimes;
use super::super::unsupported::Unsupported;
use super::first::First;
use super::layer::Winograd;
use super::map::Map;
use super::schedule::{BlockBuffers, CHUNK, Pass, Room, Schedule, Scratch};

/// Sides of pictures must be multiples of this.
pub(crate) const STRIDE: usize = 32;

/// After this halving of the maps, layers are computed for large groups of pictures: the weights are then larger than
/// the maps.
const HALVINGS_OF_LATE: usize = 3;
/// Tiles of the last layer that a large group should have.
const LATE_TILES: usize = 224;
/// Tiles of the last early layer that a small group should have.
const EARLY_TILES: usize = 98;

/// One layer as given: weight (n_out, n_in, 3, 3) and bias (n_out).
pub(crate) type LayerWeights<'a> = (&'a [f32], &'a [f32]);

/// A stack of 3x3 convolutions (stride 1, a border of zeros, bias, ReLU, and after some the maximum of each
/// 2x2) with its weights transformed and packed: VGG-16's thirteen, or fewer for a test.
#[derive(Debug)]
pub(crate) struct PackedVgg {
    kernels: &'static Kernels,
    first: First,
    n_first: usize,
    layers: Vec<Winograd>,
    /// Kept from call to call: allocating and zeroing them takes longer than a layer.
    kept_buffers: Mutex<Vec<Buffers>>,
}

/// Everything that is written during a call.
#[derive(Debug)]
struct Buffers {
    side: usize,
    groups: Groups,
    /// Output of each layer, the first included.
    maps: Vec<(Map, Buffer)>,
    /// For blocks that all threads compute together.
    shared: BlockBuffers,
    /// One for each thread.
    scratch: Vec<Scratch>,
}

/// The number of pictures that are computed together, in the first and in the last layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Groups {
    early: usize,
    late: usize,
}

impl PackedVgg {
    /// Transforms and packs the weights for `kernels`, one of [`available`](crate::conv::available), on `n_threads` threads.
    ///
    /// # Errors
    /// Unless there are at least two layers; the first has 3 channels in and no pooling; at most five have a pooling;
    /// each layer's channels in are the channels out of the one before; and all channels out are multiples of 32.
    pub(crate) fn new(
        kernels: &'static Kernels,
        layers: &[LayerWeights],
        pool_after: &[bool],
        n_threads: usize,
    ) -> Result<Self, Unsupported> {
        if layers.len() != pool_after.len() || layers.len() < 2 || pool_after[0] {
            return Err(Unsupported::new(format!(
                "{} layers and {} poolings, expected as many, at least two, and none after the first",
                layers.len(),
                pool_after.len()
            )));
        }
        if pool_after.iter().filter(|&&pooled| pooled).count() > STRIDE.ilog2() as usize {
            return Err(Unsupported::new(format!(
                "sides are multiples of {STRIDE}: more poolings would cut pixels"
            )));
        }
        let mut n_in = COLOURS;
        for (i, (weight, bias)) in layers.iter().enumerate() {
            let n_out = bias.len();
            if n_out == 0 || n_out % CHUNK != 0 || weight.len() != n_out * n_in * 9 {
                return Err(Unsupported::new(format!(
                    "layer {i}: {} weights and {n_out} biases, expected a multiple of {CHUNK} biases and \
                     weights for {n_in} channels",
                    weight.len()
                )));
            }
            n_in = n_out;
        }
        Ok(Self {
            kernels,
            first: First::new(layers[0].0, layers[0].1),
            n_first: layers[0].1.len(),
            layers: std::iter::zip(layers, pool_after)
                .skip(1)
                .map(|((weight, bias), pooled)| {
                    Winograd::new(weight, bias, *pooled, kernels.operands, n_threads.max(1))
                })
                .collect(),
            kept_buffers: Mutex::new(Vec::new()),
        })
    }

    /// Computes xs (batch, 3, side, side) -> (batch, channels, side', side'), halved by each pooling. The bits of a
    /// picture's map depend on the picture, the weights and the kernels alone.
    ///
    /// # Errors
    /// Unless the side is a multiple of 32 and xs has the stated shape.
    pub(crate) fn forward(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
    ) -> Result<Vec<f32>, Unsupported> {
        self.forward_timed(xs, batch, side, n_threads).map(|(maps, _)| maps)
    }

    /// Does the same as [`PackedVgg::forward`], and measures how long each layer took.
    ///
    /// # Errors
    /// As [`PackedVgg::forward`].
    pub(crate) fn forward_timed(
        &self,
        xs: &[f32],
        batch: usize,
        side: usize,
        n_threads: usize,
    ) -> Result<(Vec<f32>, Vec<Duration>), Unsupported> {
        let times = LayerTimes::new(self.layers.len() + 1);
        check_pictures(xs, batch, side, STRIDE)?;
        if batch == 0 {
            return Ok((Vec::new(), times.into_inner()));
        }
        let n_threads = n_threads.max(1);
        let maps = self.maps(side);
        let groups = self.groups(&maps, batch);
        let buffers = self.buffers(side, &maps, groups, n_threads);
        let last = maps[maps.len() - 1];
        let features = Buffer::zeroed(batch * last.channels * last.side * last.side);
        let call = Call { stack: self, buffers: &buffers, xs, batch, features: &features, times: &times };
        ThreadGroup::run(n_threads, |threads, thread| call.run(threads, thread));
        self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        // SAFETY: all threads are done, the buffer is this long and every float was written.
        let maps = unsafe { std::slice::from_raw_parts(features.at(0, features.len()), features.len()) };
        Ok((maps.to_vec(), times.into_inner()))
    }

    fn schedule(&self, from: &Map, n_pictures: usize) -> Schedule {
        Schedule::new(from.channels, n_pictures * from.n_tiles(), self.kernels)
    }

    /// The number of layers before the maps are small, the first included; at least two.
    fn n_early(&self) -> usize {
        let mut halvings = 0;
        for (i, layer) in self.layers.iter().enumerate() {
            halvings += usize::from(layer.pooled());
            if halvings == HALVINGS_OF_LATE {
                return i + 2;
            }
        }
        self.layers.len() + 1
    }

    /// The shape of each layer's output.
    fn maps(&self, side: usize) -> Vec<Map> {
        let mut maps = vec![Map::bordered(self.n_first, side)];
        let mut side = side;
        for layer in &self.layers {
            side /= 1 + usize::from(layer.pooled());
            maps.push(Map::bordered(layer.n_out(), side));
        }
        maps
    }

    /// Divides a batch into equal groups with enough tiles to fill the panels and to be worth reading the weights.
    fn groups(&self, maps: &[Map], batch: usize) -> Groups {
        let equal = |n: usize, tiles: usize, wanted: usize| {
            let n_groups = (n * tiles).div_ceil(wanted.max(tiles) * 8 / 7);
            n.div_ceil(n_groups)
        };
        let n_early = self.n_early();
        let late = equal(batch, maps[maps.len() - 2].n_tiles(), LATE_TILES);
        Groups { early: equal(late, maps[n_early - 2].n_tiles(), EARLY_TILES), late }
    }

    /// Takes buffers that an earlier call left and that fit, or makes new ones.
    fn buffers(&self, side: usize, maps: &[Map], groups: Groups, n_threads: usize) -> Buffers {
        let mut kept = self.kept_buffers.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(old) = kept.pop() {
            if old.side == side && old.groups == groups && old.scratch.len() >= n_threads {
                return old;
            }
        }
        drop(kept);
        let n_early = self.n_early();
        let mut room = Room::default();
        for (i, layer) in self.layers.iter().enumerate() {
            let most = if i + 1 < n_early { groups.early } else { groups.late };
            for n_pictures in 1..=most {
                let channels = (layer.n_in(), layer.n_out());
                room.add(&self.schedule(&maps[i], n_pictures), channels, self.kernels.operands);
            }
        }
        let buffer = |(i, map): (usize, &Map)| {
            let n_pictures = if i + 1 < n_early { groups.early } else { groups.late };
            (*map, Buffer::zeroed(n_pictures * map.len()))
        };
        Buffers {
            side,
            groups,
            maps: maps.iter().enumerate().map(buffer).collect(),
            shared: room.shared(),
            scratch: (0..n_threads).map(|_| room.scratch(First::scratch_len(side))).collect(),
        }
    }
}

/// One call of the stack: what its threads share.
struct Call<'a> {
    stack: &'a PackedVgg,
    buffers: &'a Buffers,
    /// (batch, 3, side, side)
    xs: &'a [f32],
    batch: usize,
    /// (batch, channels, side', side')
    features: &'a Buffer,
    times: &'a LayerTimes,
}

impl Call<'_> {
    /// Computes one thread's share of all groups and layers.
    fn run(&self, threads: &ThreadGroup<'_>, thread: usize) {
        let Buffers { groups, maps, scratch, .. } = self.buffers;
        let scratch = &scratch[thread];
        let end_layer = |layer: usize| {
            if thread == 0 {
                self.times.add_to(layer);
            }
        };
        let n_early = self.stack.n_early();
        for late in (0..self.batch).step_by(groups.late) {
            let n_late = groups.late.min(self.batch - late);
            for early in (0..n_late).step_by(groups.early) {
                let n = groups.early.min(n_late - early);
                let first = Pass { from_picture: late + early, ..self.pass(threads, 0, n) };
                self.stack.first.run(&first, self.xs, scratch);
                end_layer(0);
                for layer in 1..n_early {
                    let to_picture = if layer + 1 == n_early { early } else { 0 };
                    self.run_layer(layer, &Pass { to_picture, ..self.pass(threads, layer, n) }, scratch);
                    end_layer(layer);
                }
            }
            for layer in n_early..maps.len() {
                self.run_layer(layer, &self.pass(threads, layer, n_late), scratch);
                end_layer(layer);
            }
            let (map, buffer) = &maps[maps.len() - 1];
            while let Some(picture) = threads.claim(n_late) {
                unpack(map, buffer, picture, self.features, late + picture);
            }
            threads.end_stage();
        }
    }

    /// The arguments of `layer` for `n_pictures` pictures, from the first picture of its input to that of its output.
    fn pass<'b>(&'b self, threads: &'b ThreadGroup<'b>, layer: usize, n_pictures: usize) -> Pass<'b> {
        let (from_map, from) = &self.buffers.maps[layer.saturating_sub(1)];
        let (to_map, to) = &self.buffers.maps[layer];
        Pass {
            kernels: self.stack.kernels,
            threads,
            n_pictures,
            from,
            from_map: *from_map,
            from_picture: 0,
            to,
            to_map: *to_map,
            to_picture: 0,
        }
    }

    fn run_layer(&self, layer: usize, pass: &Pass, scratch: &Scratch) {
        let schedule = self.stack.schedule(&pass.from_map, pass.n_pictures);
        self.stack.layers[layer - 1].run(pass, &schedule, &self.buffers.shared, scratch);
    }
}

/// Copies picture `from` of blocked maps to picture `to` of plain ones (channels, side, side).
fn unpack(map: &Map, blocked: &Buffer, from: usize, plain: &Buffer, to: usize) {
    let area = map.side * map.side;
    let blocked = blocked.at(from * map.len(), map.len());
    let plain = plain.at(to * map.channels * area, map.channels * area);
    for channel in 0..map.channels {
        for i in 0..area {
            let pixel = map.pixel(i / map.side + 1, i % map.side + 1);
            // SAFETY: a pixel of the map, written before the last barrier; this picture of `plain` is
            // written by this thread alone.
            unsafe {
                let value = *blocked.add(channel / 16 * map.block_pitch() + pixel + channel % 16);
                *plain.add(channel * area + i) = value;
            }
        }
    }
}
