//! Threads that go through the same stages together and share the tasks of each stage.
//!
//! The threads are kept between calls ([`pool`]). One may take a millisecond to get a core. Nobody waits for it: the others
//! begin, and it joins the stage that they are in, or none if it comes after the last.

mod pool;

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// How often a waiting thread checks before it sleeps: some 500 microseconds, longer than most waits between
/// layers and shorter than a scheduler's slice.
const SPINS: usize = 20_000;
/// After so many of them, some microseconds, it lets others run: where there are more threads than cores, the one that it waits
/// for may be among them.
const SPINS_OF_YIELD: usize = 100;

/// One thread's view of a group of threads: a counter of the tasks of the current stage, and a barrier at its end.
#[derive(Debug)]
pub(super) struct ThreadGroup<'a> {
    shared: &'a Shared,
    /// The stage in which this thread joined; it skips those before.
    joined: u64,
    /// The number of stages that this thread has ended or skipped.
    stage: Cell<u64>,
}

/// What the threads of a group share.
#[derive(Debug)]
struct Shared {
    n_threads: usize,
    /// A [`State`].
    state: AtomicU64,
    /// The next task of even and of odd stages: that of the next stage is set to 0 before the stage begins.
    next_task: [AtomicUsize; 2],
    failed: AtomicBool,
    sleepers: Mutex<()>,
    wake: Condvar,
}

/// How far a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// The number of stages that all threads have ended.
    stage: u64,
    /// Threads that have joined.
    n_joined: u64,
    /// Those of them that have ended the current stage.
    n_arrived: u64,
}

impl State {
    /// Bits of each number of threads.
    const BITS: u32 = 20;
    const MASK: u64 = (1 << Self::BITS) - 1;

    fn unpack(packed: u64) -> Self {
        Self {
            stage: packed >> (2 * Self::BITS),
            n_joined: packed >> Self::BITS & Self::MASK,
            n_arrived: packed & Self::MASK,
        }
    }

    fn pack(self) -> u64 {
        self.stage << (2 * Self::BITS) | self.n_joined << Self::BITS | self.n_arrived
    }
}

impl ThreadGroup<'_> {
    /// Runs `work(thread)` on up to `n_threads` threads of a new group, the caller's being number 0: those come that are idle.
    /// A panic in one reaches the caller.
    pub(super) fn run(n_threads: usize, work: impl Fn(&ThreadGroup<'_>, usize) + Sync) {
        let shared = Shared {
            n_threads,
            state: AtomicU64::new(State { stage: 0, n_joined: 1, n_arrived: 0 }.pack()),
            next_task: [AtomicUsize::new(0), AtomicUsize::new(0)],
            failed: AtomicBool::new(false),
            sleepers: Mutex::new(()),
            wake: Condvar::new(),
        };
        let worker = |thread: usize| {
            let guard = FailureGuard(&shared);
            let joined = if thread == 0 { 0 } else { shared.join() };
            work(&ThreadGroup { shared: &shared, joined, stage: Cell::new(0) }, thread);
            std::mem::forget(guard);
        };
        pool::run(n_threads, &worker);
    }

    /// The number of threads in the group.
    pub(super) fn n_threads(&self) -> usize {
        self.shared.n_threads
    }

    /// Takes one of `n_tasks` tasks of this stage, until none is left.
    pub(super) fn claim(&self, n_tasks: usize) -> Option<usize> {
        let stage = self.stage.get();
        if stage < self.joined {
            return None;
        }
        // Relaxed: the barrier orders the data; here only the number counts.
        let task = self.shared.next_task[stage as usize % 2].fetch_add(1, Ordering::Relaxed);
        (task < n_tasks).then_some(task)
    }

    /// Waits for all threads that have joined: what was written in this stage is visible to all of them in the next,
    /// whose tasks start at 0.
    ///
    /// # Panics
    /// If another thread of the group panicked.
    pub(super) fn end_stage(&self) {
        let stage = self.stage.get();
        self.stage.set(stage + 1);
        if stage >= self.joined && !self.shared.arrive(stage) {
            self.shared.wait(stage);
        }
    }
}

impl Shared {
    /// Makes the calling thread one that the others wait for; gives the stage that they are in, and what was written in
    /// the stages before is visible to the caller.
    fn join(&self) -> u64 {
        let mut packed = self.state.load(Ordering::Acquire);
        loop {
            let state = State::unpack(packed);
            let joined = State { n_joined: state.n_joined + 1, ..state };
            match self.state.compare_exchange_weak(packed, joined.pack(), Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return state.stage,
                Err(newer) => packed = newer,
            }
        }
    }

    /// Ends `stage` for the calling thread; gives whether it was the last, and so began the next stage.
    fn arrive(&self, stage: u64) -> bool {
        let mut packed = self.state.load(Ordering::Acquire);
        loop {
            let state = State::unpack(packed);
            let is_last = state.n_arrived + 1 == state.n_joined;
            let next = if is_last {
                // If a thread joins meanwhile, the exchange fails and the stage goes on; its counter is the other one.
                self.next_task[(stage + 1) as usize % 2].store(0, Ordering::Relaxed);
                State { stage: stage + 1, n_arrived: 0, ..state }
            } else {
                State { n_arrived: state.n_arrived + 1, ..state }
            };
            match self.state.compare_exchange_weak(packed, next.pack(), Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) if is_last => {
                    self.wake_all();
                    return true;
                }
                Ok(_) => return false,
                Err(newer) => packed = newer,
            }
        }
    }

    /// Waits until all have ended `stage`.
    fn wait(&self, stage: u64) {
        let over = || {
            State::unpack(self.state.load(Ordering::Acquire)).stage != stage
                || self.failed.load(Ordering::Acquire)
        };
        for spin in 0..SPINS {
            if over() {
                break;
            }
            if spin % SPINS_OF_YIELD == SPINS_OF_YIELD - 1 {
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        let mut guard = self.sleepers.lock().unwrap_or_else(PoisonError::into_inner);
        while !over() {
            guard = self.wake.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        drop(guard);
        assert!(!self.failed.load(Ordering::Acquire), "another thread of the convolution panicked");
    }

    /// Wakes all waiting threads. It takes the lock first: a thread that has checked, and does not sleep yet, holds it.
    fn wake_all(&self) {
        drop(self.sleepers.lock().unwrap_or_else(PoisonError::into_inner));
        self.wake.notify_all();
    }
}

/// Dropped only by a panic: tells the other threads not to wait for this one.
struct FailureGuard<'a>(&'a Shared);

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Release);
        self.0.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::pool::tests::{meet, one_at_a_time};
    use super::*;

    #[test]
    fn a_thread_that_comes_late_skips_what_is_done_and_takes_part_in_the_rest() {
        const N_STAGES: usize = 200;
        for n_threads in [1, 2, 5] {
            let done: Vec<AtomicUsize> = (0..N_STAGES).map(|_| AtomicUsize::new(0)).collect();
            ThreadGroup::run(n_threads, |threads, thread| {
                // The first stages are over before the last thread has begun.
                std::thread::sleep(std::time::Duration::from_micros(100 * thread as u64));
                for stage in 0..N_STAGES {
                    while let Some(task) = threads.claim(7) {
                        assert!(stage == 0 || done[stage - 1].load(Ordering::Relaxed) == 7, "begun early");
                        assert!(task < 7);
                        done[stage].fetch_add(1, Ordering::Relaxed);
                    }
                    threads.end_stage();
                }
            });
            assert!(done.iter().all(|n| n.load(Ordering::Relaxed) == 7), "{n_threads} threads: {done:?}");
        }
    }

    #[test]
    fn a_panic_in_one_thread_reaches_the_caller_and_leaves_none_waiting() {
        let _alone = one_at_a_time();
        for culprit in 0..3 {
            let here = AtomicUsize::new(0);
            let outcome = std::panic::catch_unwind(|| {
                ThreadGroup::run(3, |threads, thread| {
                    meet(&here, 3);
                    assert_ne!(thread, culprit, "on purpose");
                    threads.end_stage();
                });
            });
            assert!(outcome.is_err());
        }
    }
}
