//! Threads that go through the same stages together and share the tasks of each stage.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// How often a waiting thread checks before it sleeps: some 500 microseconds, longer than most waits between
/// layers and shorter than a scheduler's slice.
const SPINS: usize = 20000;

/// A group of `n_threads` threads: a counter of the tasks of the current stage, and a barrier at its end.
#[derive(Debug)]
pub(super) struct ThreadGroup {
    n_threads: usize,
    next_task: AtomicUsize,
    n_arrived: AtomicUsize,
    stage: AtomicUsize,
    failed: AtomicBool,
    sleepers: Mutex<()>,
    wake: Condvar,
}

impl ThreadGroup {
    pub(super) fn new(n_threads: usize) -> Self {
        Self {
            n_threads,
            next_task: AtomicUsize::new(0),
            n_arrived: AtomicUsize::new(0),
            stage: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            sleepers: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Runs `work(thread)` on all threads of a new group, the caller's being number 0. A panic in one reaches
    /// the caller.
    pub(super) fn run(n_threads: usize, work: impl Fn(&Self, usize) + Sync) {
        let group = Self::new(n_threads);
        let worker = |thread: usize| {
            let guard = FailureGuard(&group);
            work(&group, thread);
            std::mem::forget(guard);
        };
        std::thread::scope(|scope| {
            // If the system refuses a thread, those before it are already waiting for it.
            let guard = FailureGuard(&group);
            for thread in 1..n_threads {
                let worker = &worker;
                scope.spawn(move || worker(thread));
            }
            std::mem::forget(guard);
            worker(0);
        });
    }

    /// The number of threads in the group.
    pub(super) fn n_threads(&self) -> usize {
        self.n_threads
    }

    /// Takes one of `n_tasks` tasks of this stage, until none is left.
    pub(super) fn claim(&self, n_tasks: usize) -> Option<usize> {
        // Relaxed: the barrier orders the data; here only the number counts.
        let task = self.next_task.fetch_add(1, Ordering::Relaxed);
        (task < n_tasks).then_some(task)
    }

    /// Waits for all threads: what was written in this stage is visible to all of them in the next, whose tasks start
    /// at 0.
    ///
    /// # Panics
    /// If another thread of the group panicked.
    pub(super) fn end_stage(&self) {
        let stage = self.stage.load(Ordering::Relaxed);
        if self.n_arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.n_threads {
            self.next_task.store(0, Ordering::Relaxed);
            self.n_arrived.store(0, Ordering::Relaxed);
            self.stage.store(stage + 1, Ordering::Release);
            self.wake_all();
            return;
        }
        let over = || self.stage.load(Ordering::Acquire) != stage || self.failed.load(Ordering::Acquire);
        for _ in 0..SPINS {
            if over() {
                break;
            }
            std::hint::spin_loop();
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
struct FailureGuard<'a>(&'a ThreadGroup);

impl Drop for FailureGuard<'_> {
    fn drop(&mut self) {
        self.0.failed.store(true, Ordering::Release);
        self.0.wake_all();
    }
}
