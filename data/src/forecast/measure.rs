//! How fast this machine is, measured here and now.

use std::fs;
use std::time::Instant;

use crate::stage::check_interrupted;

/// A measurement lasts that long, and so many rounds, at least.
pub(super) const SECONDS: f64 = 1.0;
pub(super) const ROUNDS: usize = 4;

/// How many a second `round` does, which does some and says how many: after one round to warm up, for about a
/// second.
///
/// # Errors
/// Those of `round`, and an interruption.
pub fn measure(mut round: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<f64> {
    round()?;
    let start = Instant::now();
    let (mut n, mut rounds) = (0, 0);
    loop {
        check_interrupted()?;
        n += round()?;
        rounds += 1;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= SECONDS && rounds >= ROUNDS {
            return Ok(n as f64 / seconds);
        }
    }
}

/// The most memory that this process has had so far, in bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}
