//! Measures the speed of this machine.

use std::fs;
use std::time::Instant;

use crate::stage::check_interrupted;

/// Minimum duration and number of rounds of a measurement.
pub(super) const SECONDS: f64 = 1.0;
pub(super) const ROUNDS: usize = 4;

/// Measures the items per second of `round`, which returns its number of items: one warm-up round, then about a
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

/// Returns the bytes of memory of this machine, or of the container if that has fewer; `None` if the system does not
/// report it.
pub fn memory() -> Option<u64> {
    let about = fs::read_to_string("/proc/meminfo").ok()?;
    let line = about.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let machine = line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.saturating_mul(1024);
    let container = fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let container = container.and_then(|text| text.trim().parse::<u64>().ok());
    Some(container.map_or(machine, |limit| limit.min(machine)))
}

/// Returns the peak memory of this process in bytes; `None` if the system does not report it.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}
