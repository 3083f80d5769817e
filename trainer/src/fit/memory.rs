//! Refuses a head that this machine cannot train, before anything is allocated.

use data::disk::size;
use data::forecast;
use data::head::{Hyperparameters, Init, MAX_BYTES};

/// Checks that a head with layers of these sizes, from the features to the classes, can be trained and read again.
///
/// # Errors
/// With the numbers: of weights, of bytes, and what is possible.
pub(super) fn check(sizes: &[usize], hyperparameters: &Hyperparameters) -> anyhow::Result<()> {
    let of_layer = |pair: &[usize]| (pair[0] as u64).saturating_add(1).saturating_mul(pair[1] as u64);
    let n_weights = sizes.windows(2).map(of_layer).fold(0, u64::saturating_add);
    let n_bytes = n_weights.saturating_mul(4);
    let hidden = &hyperparameters.hidden;
    anyhow::ensure!(
        n_bytes <= MAX_BYTES,
        "--hidden {hidden} is a head of {n_weights} weights, {}, more than {}, the largest that is read again; choose \
         fewer units, or features with --pool avg",
        size(n_bytes),
        size(MAX_BYTES)
    );
    // The weights, those of the best epoch, and the momentum buffers, each also in the checkpoint that is being written.
    let n_copies = if hyperparameters.momentum > 0.0 { 6 } else { 4 };
    // Those of the pretrained start, twice.
    let n_copies = n_copies + if hyperparameters.init == Init::Pretrained { 2 } else { 0 };
    let n_needed = n_copies * n_bytes;
    if let Some(memory) = forecast::memory() {
        anyhow::ensure!(
            n_needed <= memory,
            "--hidden {hidden} is a head of {n_weights} weights; its training needs {} of memory, this machine has {}; \
             choose fewer units, or features with --pool avg",
            size(n_needed),
            size(memory)
        );
    }
    Ok(())
}
