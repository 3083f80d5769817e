//! How long layers take.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long each layer took, measured on the first thread: since all threads end a stage together, its times are
/// those of the group.
#[derive(Debug)]
pub(super) struct LayerTimes(Mutex<(Instant, Vec<Duration>)>);

impl LayerTimes {
    /// Starts the clock of `n_layers` layers.
    pub(super) fn new(n_layers: usize) -> Self {
        Self(Mutex::new((Instant::now(), vec![Duration::ZERO; n_layers])))
    }

    /// Adds the time since the last call to that of `layer`.
    pub(super) fn add_to(&self, layer: usize) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, last) = (Instant::now(), times.0);
        times.1[layer] += now - last;
        times.0 = now;
    }

    /// Gives the time of each layer.
    pub(super) fn into_inner(self) -> Vec<Duration> {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner).1
    }
}
