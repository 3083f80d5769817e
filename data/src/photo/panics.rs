//! Catches the panics of decoders.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use super::{Reason, Reject};

thread_local! {
    /// Whether this thread is inside [`catch`].
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work`; a panic becomes [`Reason::DecoderPanic`] and prints nothing.
///
/// Panics of other threads print as usual, because the panic hook checks the thread. `work` only reads shared data,
/// so a panic leaves nothing in an inconsistent state.
pub(super) fn catch<T>(work: impl FnOnce() -> Result<T, Reject>) -> Result<T, Reject> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let print = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.try_with(Cell::get).unwrap_or(false) {
                print(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    outcome.unwrap_or_else(|payload| Err(Reject::new(Reason::DecoderPanic, message(&*payload))))
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "",
    }
}
