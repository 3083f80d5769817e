//! The whole stack of convolutions in one call.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::first::{COLOURS, First};
use super::kernels::Kernels;
use super::layer::Winograd;
use super::map::Map;
use super::memory::Buffer;
use super::schedule::{Bench, CHUNK, Desk, Pass, Schedule};
use super::team::Team;

/// Sides of pictures must be multiples of this.
pub(crate) const STRIDE: usize = 32;

/// From this halving of the maps on, pictures go through the layers in large groups: the weights are then
/// larger than the maps.
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
    /// Kept from call to call: to make and zero it takes longer than a layer.
    workshops: Mutex<Vec<Workshop>>,
}

/// Why a stack of layers or a batch cannot be computed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(String);

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

/// Everything that is written during a pass.
#[derive(Debug)]
struct Workshop {
    side: usize,
    groups: Groups,
    /// Output of each layer, the first included.
    maps: Vec<(Map, Buffer)>,
    shared: Bench,
    desks: Vec<Desk>,
}

/// The first thread's watch: since all end a stage together, its times are the team's.
struct Clock(Mutex<(Instant, Vec<Duration>)>);

impl Clock {
    fn new(n_layers: usize) -> Self {
        Self(Mutex::new((Instant::now(), vec![Duration::ZERO; n_layers])))
    }

    /// The time since the last lap was `layer`'s.
    fn lap(&self, layer: usize) {
        let mut clock = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, last) = (Instant::now(), clock.0);
        clock.1[layer] += now - last;
        clock.0 = now;
    }

    fn times(self) -> Vec<Duration> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }
}

/// Pictures that pass a layer together, in the first and in the last layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Groups {
    early: usize,
    late: usize,
}

impl PackedVgg {
    /// Transforms and packs the weights for `kernels`, one of [`super::available`], on `n_threads` threads.
    ///
    /// # Errors
    /// Unless the first layer has 3 channels in and no pooling, there is a second, at most five have one, every
    /// layer's channels in are the channels out of the one before, and all channels out are multiples of 32.
    pub(crate) fn new(
        kernels: &'static Kernels,
        layers: &[LayerWeights],
        pool_after: &[bool],
        n_threads: usize,
    ) -> Result<Self, Unsupported> {
        if layers.len() != pool_after.len() || layers.len() < 2 || pool_after[0] {
            return Err(Unsupported(format!(
                "{} layers and {} poolings, expected as many, at least two, and none after the first",
                layers.len(),
                pool_after.len()
            )));
        }
        if pool_after.iter().filter(|&&pooled| pooled).count() > STRIDE.ilog2() as usize {
            return Err(Unsupported(format!(
                "sides are multiples of {STRIDE}: more poolings would cut pixels"
            )));
        }
        let mut n_in = COLOURS;
        for (i, (weight, bias)) in layers.iter().enumerate() {
            let n_out = bias.len();
            if n_out == 0 || n_out % CHUNK != 0 || weight.len() != n_out * n_in * 9 {
                return Err(Unsupported(format!(
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
            workshops: Mutex::new(Vec::new()),
        })
    }

    /// xs (batch, 3, side, side) -> (batch, channels, side', side'), halved by each pooling. The bits of a
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

    /// [`PackedVgg::forward`], and how long each layer took.
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
        let clock = Clock::new(self.layers.len() + 1);
        if side == 0 || !side.is_multiple_of(STRIDE) || xs.len() != batch * COLOURS * side * side {
            return Err(Unsupported(format!(
                "{} values, expected {batch} x {COLOURS} x {side} x {side} with a side that is a multiple of \
                 {STRIDE}",
                xs.len()
            )));
        }
        if batch == 0 {
            return Ok((Vec::new(), clock.times()));
        }
        let n_threads = n_threads.max(1);
        let maps = self.maps(side);
        let groups = self.groups(&maps, batch);
        let workshop = self.workshop(side, &maps, groups, n_threads);
        let last = maps[maps.len() - 1];
        let features = Buffer::zeroed(batch * last.channels * last.side * last.side);
        Team::run(n_threads, |team, thread| {
            let clock = (thread == 0).then_some(&clock);
            self.work(&workshop, groups, team, &workshop.desks[thread], xs, batch, &features, clock);
        });
        self.workshops.lock().unwrap_or_else(PoisonError::into_inner).push(workshop);
        // SAFETY: all threads are done, the buffer is this long and every float was written.
        let maps = unsafe { std::slice::from_raw_parts(features.at(0, features.len()), features.len()) };
        Ok((maps.to_vec(), clock.times()))
    }

    /// One thread's way through all groups and layers.
    #[expect(clippy::too_many_arguments, reason = "what the threads share, once")]
    fn work(
        &self,
        workshop: &Workshop,
        groups: Groups,
        team: &Team,
        desk: &Desk,
        xs: &[f32],
        batch: usize,
        features: &Buffer,
        clock: Option<&Clock>,
    ) {
        let lap = |layer: usize| {
            if let Some(clock) = clock {
                clock.lap(layer);
            }
        };
        let n_early = self.n_early();
        let maps = &workshop.maps;
        let pass = |layer: usize, n_pictures: usize| Pass {
            kernels: self.kernels,
            team,
            n_pictures,
            from: &maps[layer.saturating_sub(1)].1,
            from_map: maps[layer.saturating_sub(1)].0,
            from_picture: 0,
            to: &maps[layer].1,
            to_map: maps[layer].0,
            to_picture: 0,
        };
        for late in (0..batch).step_by(groups.late) {
            let n_late = groups.late.min(batch - late);
            for early in (0..n_late).step_by(groups.early) {
                let n = groups.early.min(n_late - early);
                self.first.run(&Pass { from_picture: late + early, ..pass(0, n) }, xs, desk);
                lap(0);
                for layer in 1..n_early {
                    let to_picture = if layer + 1 == n_early { early } else { 0 };
                    let pass = Pass { to_picture, ..pass(layer, n) };
                    self.run(layer, &pass, workshop, desk);
                    lap(layer);
                }
            }
            for layer in n_early..maps.len() {
                self.run(layer, &pass(layer, n_late), workshop, desk);
                lap(layer);
            }
            let (map, buffer) = &maps[maps.len() - 1];
            while let Some(picture) = team.claim(n_late) {
                unpack(map, buffer, picture, features, late + picture);
            }
            team.end_stage();
        }
    }

    fn run(&self, layer: usize, pass: &Pass, workshop: &Workshop, desk: &Desk) {
        let schedule = self.schedule(&pass.from_map, pass.n_pictures);
        self.layers[layer - 1].run(pass, &schedule, &workshop.shared, desk);
    }

    fn schedule(&self, from: &Map, n_pictures: usize) -> Schedule {
        Schedule::new(from.channels, n_pictures * from.n_tiles(), self.kernels)
    }

    /// Layers before the maps are small, the first included; at least two.
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

    /// The output of each layer.
    fn maps(&self, side: usize) -> Vec<Map> {
        let mut maps = vec![Map { channels: self.n_first, side }];
        let mut side = side;
        for layer in &self.layers {
            side /= 1 + usize::from(layer.pooled());
            maps.push(Map { channels: layer.n_out(), side });
        }
        maps
    }

    /// Equal groups that have tiles enough to fill the panels and to be worth reading the weights.
    fn groups(&self, maps: &[Map], batch: usize) -> Groups {
        let equal = |n: usize, tiles: usize, wanted: usize| {
            let n_groups = (n * tiles).div_ceil(wanted.max(tiles) * 8 / 7);
            n.div_ceil(n_groups)
        };
        let n_early = self.n_early();
        let late = equal(batch, maps[maps.len() - 2].n_tiles(), LATE_TILES);
        Groups { early: equal(late, maps[n_early - 2].n_tiles(), EARLY_TILES), late }
    }

    /// One that was left by an earlier call and fits, or a new one.
    fn workshop(&self, side: usize, maps: &[Map], groups: Groups, n_threads: usize) -> Workshop {
        let mut kept = self.workshops.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(old) = kept.pop() {
            if old.side == side && old.groups == groups && old.desks.len() >= n_threads {
                return old;
            }
        }
        drop(kept);
        let n_early = self.n_early();
        let (mut private, mut shared, mut split) = ((0, 0), (0, 0), 0); // floats of V and M
        for (i, layer) in self.layers.iter().enumerate() {
            let most = if i + 1 < n_early { groups.early } else { groups.late };
            for n_pictures in 1..=most {
                let schedule = self.schedule(&maps[i], n_pictures);
                let (v, m) = match schedule {
                    Schedule::Private(_) => &mut private,
                    Schedule::Shared(_) => &mut shared,
                };
                *v = schedule.v_len(layer.n_in()).max(*v);
                *m = schedule.m_len(layer.n_out()).max(*m);
                split = schedule.split_len(layer.n_in(), self.kernels.operands).max(split);
            }
        }
        let buffer = |(i, map): (usize, &Map)| {
            let n_pictures = if i + 1 < n_early { groups.early } else { groups.late };
            (*map, Buffer::zeroed(n_pictures * map.len()))
        };
        let bench = |(v, m)| Bench { v: Buffer::zeroed(v), m: Buffer::zeroed(m) };
        Workshop {
            side,
            groups,
            maps: maps.iter().enumerate().map(buffer).collect(),
            shared: bench(shared),
            desks: (0..n_threads)
                .map(|_| Desk {
                    bench: bench(private),
                    split: Buffer::zeroed(split),
                    rows: Buffer::zeroed(First::desk_len(side)),
                })
                .collect(),
        }
    }
}

/// Picture `from` of blocked maps to picture `to` of plain ones (channels, side, side).
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
