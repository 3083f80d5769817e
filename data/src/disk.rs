//! The free space and the speed of a disk.

use std::path::Path;
use std::time::Instant;

use anyhow::Context;

use crate::commit;

/// Measures the bytes per second that the disk of `dir` writes with fsync, on a file of `n_bytes` without a name.
///
/// # Errors
/// If the disk cannot be written.
pub fn measure_disk(dir: &Path, n_bytes: usize) -> anyhow::Result<f64> {
    // Not zeros, which some disks do not store.
    let bytes: Vec<u8> = (0..n_bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let start = Instant::now();
    commit::write_trial(existing(dir), &bytes)?;
    Ok(n_bytes as f64 / start.elapsed().as_secs_f64().max(1e-6))
}

/// Returns the free bytes on the disk of `dir`; `dir` itself need not exist.
///
/// # Errors
/// If the free space cannot be read.
pub fn free_space(dir: &Path) -> anyhow::Result<u64> {
    let there = existing(dir);
    let disk = rustix::fs::statvfs(there)
        .with_context(|| format!("cannot read the free space of {}", there.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Checks that the disk of `dir` has space for `what`, of `n_bytes`.
///
/// # Errors
/// If it has not, with both sizes; or if the free space cannot be read.
pub fn ensure_space(dir: &Path, n_bytes: u64, what: &str) -> anyhow::Result<()> {
    let free = free_space(dir)?;
    anyhow::ensure!(
        free >= n_bytes,
        "the disk of {} has {} free, {what} needs {}; free some space or choose another folder",
        dir.display(),
        size(free),
        size(n_bytes)
    );
    Ok(())
}

/// Returns whether two directories are on the same disk; they need not exist.
pub fn are_same(a: &Path, b: &Path) -> bool {
    let device = |dir: &Path| rustix::fs::stat(existing(dir)).map(|status| status.st_dev).ok();
    device(a).is_some() && device(a) == device(b)
}

/// Returns `dir` or its nearest parent directory that exists.
pub fn existing(dir: &Path) -> &Path {
    let named = dir.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    named.into_iter().find(|dir| dir.is_dir()).unwrap_or(Path::new("."))
}

/// Formats a number of bytes for people, as in `2.07 GB`.
pub fn size(n_bytes: u64) -> String {
    let n = n_bytes as f64;
    if n < 1e9 { format!("{:.1} MB", n / 1e6) } else { format!("{:.2} GB", n / 1e9) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_free_space_are_for_people() {
        assert_eq!((size(2_065_243_200), size(1_500_000)), ("2.07 GB".into(), "1.5 MB".into()));
        let nowhere = Path::new("/nowhere/at/all");
        assert!(free_space(nowhere).unwrap() > 0);
        ensure_space(nowhere, 1, "a byte").unwrap();
        let refused = ensure_space(nowhere, 1 << 62, "too much").unwrap_err().to_string();
        assert!(refused.contains("too much needs 4611686018.43 GB"), "{refused}");
    }
}
