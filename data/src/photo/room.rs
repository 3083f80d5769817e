//! Limits the memory of large pictures in all threads together.
//!
//! A stage decodes one picture per thread. If all are photos of 200 megapixels, with 600 MB each and twice as much
//! while they are turned, memory would grow with the cores. So the decoder of a large picture first reserves room
//! for its pixels, and waits until others have released theirs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Limits;

/// Maximum pixels of a picture that needs no room: a picture of a 16 megapixel camera.
const SMALL: u64 = 16_500_000;

/// The budget of the process for all large pictures: as many pixels as the largest picture.
static PROCESS: Budget = Budget::new(Limits::STANDARD.max_pixels);

/// Pixels of large pictures that may be in memory at the same time.
#[derive(Debug)]
struct Budget {
    pixels: u64,
    taken: Mutex<u64>,
    given_back: Condvar,
}

impl Budget {
    const fn new(pixels: u64) -> Self {
        Self { pixels, taken: Mutex::new(0), given_back: Condvar::new() }
    }

    fn taken(&self) -> MutexGuard<'_, u64> {
        // No code panics while it holds the lock, so a poisoned lock has a valid number.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room. A picture larger than the whole budget gets all of it.
    fn take(&'static self, pixels: u64) -> Room {
        if pixels <= SMALL {
            return Room { budget: self, pixels: 0 };
        }
        let wait = |taken: &mut u64| *taken > 0 && *taken + pixels > self.pixels;
        let waited = self.given_back.wait_while(self.taken(), wait);
        *waited.unwrap_or_else(PoisonError::into_inner) += pixels;
        Room { budget: self, pixels }
    }
}

/// The room reserved for a picture; dropping it releases the room.
///
/// A thread that holds it must not decode another picture: if that one is large, too, it may wait for ever.
#[derive(Debug)]
pub struct Room {
    budget: &'static Budget,
    pixels: u64,
}

impl Room {
    /// Waits for room for a picture of `pixels` pixels, and reserves it.
    pub(super) fn take(pixels: u64) -> Self {
        PROCESS.take(pixels)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.pixels > 0 {
            *self.budget.taken() -= self.pixels;
            self.budget.given_back.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn large_pictures_wait_for_each_other_and_small_ones_do_not() {
        static BUDGET: Budget = Budget::new(100_000_000);
        let most = AtomicU64::new(0);
        thread::scope(|scope| {
            for i in 0..16 {
                let most = &most;
                scope.spawn(move || {
                    for pixels in [40_000_000, 60_000_000, 20_000_000 + i] {
                        let _room = BUDGET.take(pixels);
                        most.fetch_max(*BUDGET.taken(), Ordering::Relaxed);
                        let _small = BUDGET.take(SMALL);
                        thread::yield_now();
                    }
                });
            }
        });
        assert!((20_000_000..=100_000_000).contains(&most.into_inner()));
        assert_eq!(*BUDGET.taken(), 0, "all room was released");
        drop(BUDGET.take(900_000_000));
    }
}
