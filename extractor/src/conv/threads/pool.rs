//! Threads that are kept between calls: to start one takes about as long as a layer.
//!
//! A call offers places to the idle threads, runs its own part, and withdraws the places that nobody has taken by then:
//! it waits for those who came, never for those who might. So it ends even if all threads are busy with other calls.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// All threads and calls of the program.
static POOL: Pool = Pool {
    state: Mutex::new(State { calls: Vec::new(), n_threads: 0, n_calls: 0 }),
    offered: Condvar::new(),
    left: Condvar::new(),
};

/// What the threads share.
struct Pool {
    state: Mutex<State>,
    /// A call has offered places.
    offered: Condvar,
    /// A thread has left a call.
    left: Condvar,
}

struct State {
    calls: Vec<Call>,
    /// Threads that were started: as many as the largest call so far has places for. They share the calls.
    n_threads: usize,
    /// Calls so far, which numbers them.
    n_calls: u64,
}

/// A call that is going on.
struct Call {
    number: u64,
    work: Work,
    /// The number that the next thread gets, if it is below `n_places`.
    next: usize,
    n_places: usize,
    /// Threads that came and have not left.
    n_present: usize,
    /// What the first thread that panicked gave.
    panic: Option<Box<dyn Any + Send>>,
}

/// The function of a call. The call lasts until all threads that may use it have left.
#[derive(Clone, Copy)]
struct Work(*const (dyn Fn(usize) + Sync));

// SAFETY: the function may be called from several threads at once, and `run` keeps it alive as long as one may call it.
unsafe impl Send for Work {}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that may panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work(0)` on the calling thread and `work(1)` to `work(n_threads - 1)` on as many idle threads as come in time.
/// A panic in one of them reaches the caller.
pub(super) fn run(n_threads: usize, work: &(dyn Fn(usize) + Sync)) {
    if n_threads <= 1 {
        return work(0);
    }
    let number = offer(n_threads, work);
    let own = catch_unwind(AssertUnwindSafe(|| work(0)));
    let others = withdraw(number);
    if let Some(panic) = own.err().or(others) {
        resume_unwind(panic);
    }
}

/// Offers `n_threads - 1` places to idle threads, which are started if there are fewer; gives the number of the call.
fn offer(n_threads: usize, work: &(dyn Fn(usize) + Sync)) -> u64 {
    // SAFETY: only the lifetime differs, and `withdraw` returns after the last use.
    let work = unsafe {
        std::mem::transmute::<*const (dyn Fn(usize) + Sync + '_), *const (dyn Fn(usize) + Sync + 'static)>(
            work,
        )
    };
    let mut state = POOL.lock();
    state.n_calls += 1;
    let number = state.n_calls;
    state.calls.push(Call {
        number,
        work: Work(work),
        next: 1,
        n_places: n_threads,
        n_present: 0,
        panic: None,
    });
    while state.n_threads + 1 < n_threads {
        let name = format!("convolution-{}", state.n_threads + 1);
        if std::thread::Builder::new().name(name).spawn(serve).is_err() {
            break; // the call goes on with fewer
        }
        state.n_threads += 1;
    }
    drop(state);
    for _ in 1..n_threads {
        POOL.offered.notify_one();
    }
    number
}

/// Withdraws the places of a call, waits until all threads have left it, and gives what one of them panicked with.
fn withdraw(number: u64) -> Option<Box<dyn Any + Send>> {
    let mut state = POOL.lock();
    loop {
        let i = state.calls.iter().position(|call| call.number == number)?;
        if state.calls[i].n_present == 0 {
            return state.calls.swap_remove(i).panic;
        }
        state.calls[i].n_places = 0;
        state = POOL.left.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
}

/// What each thread does: takes a place, works, leaves.
fn serve() {
    let mut state = POOL.lock();
    loop {
        let Some(call) = state.calls.iter_mut().find(|call| call.next < call.n_places) else {
            if cfg!(miri) {
                state.n_threads -= 1; // Miri takes a thread that outlives the program for an error.
                return;
            }
            state = POOL.offered.wait(state).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        let (number, work, thread) = (call.number, call.work, call.next);
        call.next += 1;
        call.n_present += 1;
        drop(state);
        // SAFETY: this thread is present, so that the call lasts.
        let outcome = catch_unwind(AssertUnwindSafe(|| unsafe { (*work.0)(thread) }));
        state = POOL.lock();
        if let Some(call) = state.calls.iter_mut().find(|call| call.number == number) {
            call.n_present -= 1;
            if let Err(panic) = outcome {
                call.panic.get_or_insert(panic);
            }
        }
        POOL.left.notify_all();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use super::*;

    /// Held by tests that wait for several threads: two of them could each have some that the other waits for. No call does
    /// that.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    pub(in super::super) fn one_at_a_time() -> MutexGuard<'static, ()> {
        ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `n` threads have come here.
    pub(in super::super) fn meet(here: &AtomicUsize, n: usize) {
        here.fetch_add(1, Ordering::SeqCst);
        let start = Instant::now();
        while here.load(Ordering::SeqCst) < n {
            assert!(start.elapsed() < Duration::from_secs(60), "nobody comes");
            std::thread::yield_now();
        }
    }

    #[test]
    fn each_number_is_given_once_and_threads_are_kept() {
        let _alone = one_at_a_time();
        for n_threads in [1, 2, 5] {
            for _ in 0..3 {
                let (here, seen) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
                run(n_threads, &|thread| {
                    seen.lock().unwrap().push(thread);
                    meet(&here, n_threads);
                });
                let mut seen = seen.into_inner().unwrap();
                seen.sort_unstable();
                assert!(seen.iter().copied().eq(0..n_threads), "{seen:?}");
            }
        }
        assert!(cfg!(miri) || POOL.lock().n_threads >= 4);
    }

    #[test]
    fn a_call_does_not_wait_for_threads_that_are_busy_with_others() {
        let _alone = one_at_a_time();
        let (here, free) = (AtomicUsize::new(0), AtomicUsize::new(0));
        // All threads are within a call when another is made.
        let n_threads = 4 + POOL.lock().n_threads;
        std::thread::scope(|scope| {
            scope.spawn(|| {
                run(n_threads, &|_| {
                    here.fetch_add(1, Ordering::SeqCst);
                    while free.load(Ordering::SeqCst) == 0 {
                        std::thread::yield_now();
                    }
                });
            });
            while here.load(Ordering::SeqCst) < n_threads {
                std::thread::yield_now();
            }
            let seen = AtomicUsize::new(0);
            run(3, &|_| {
                seen.fetch_add(1, Ordering::SeqCst);
            });
            free.store(1, Ordering::SeqCst);
            assert_eq!(seen.load(Ordering::SeqCst), 1, "only the caller is free");
        });
    }

    #[test]
    fn the_panic_of_any_thread_reaches_the_caller_and_the_threads_live_on() {
        let _alone = one_at_a_time();
        for culprit in 0..3 {
            let here = AtomicUsize::new(0);
            let outcome = catch_unwind(|| {
                run(3, &|thread| {
                    meet(&here, 3);
                    assert_ne!(thread, culprit, "on purpose");
                });
            });
            assert!(outcome.is_err(), "{culprit}");
        }
        let here = AtomicUsize::new(0);
        run(3, &|_| meet(&here, 3));
    }
}
