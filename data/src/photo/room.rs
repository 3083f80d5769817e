//! Memory for large pictures, shared by all threads.
//!
//! A stage decodes one picture a thread. Where all of them are photos of 200 megapixels, of 600 MB each
//! and twice that while they are turned, memory would grow with the cores. So whoever decodes a large picture
//! first takes room for its pixels, and waits until others have given back theirs.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Limits;

/// Pixels of a picture that needs no room: what a camera of 16 megapixels makes.
const SMALL: u64 = 16_500_000;

/// All large pictures of the process together: as many pixels as one of the largest.
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
        // Nobody panics while holding it, and a number is never half changed.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room. One picture that is larger than the whole budget has it alone.
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

/// The room that a picture takes; dropping it lets others go on.
///
/// Whoever holds it must not decode another picture: if that is large too, both wait for ever.
#[derive(Debug)]
pub struct Room {
    budget: &'static Budget,
    pixels: u64,
}

impl Room {
    /// Room for a picture of so many pixels, as soon as there is some.
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
        assert_eq!(*BUDGET.taken(), 0, "all of it was given back");
        drop(BUDGET.take(900_000_000));
    }
}
