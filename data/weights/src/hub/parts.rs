//! The pieces of a file that have been fetched so far, on disk, so that the next run goes on after an interruption.

use std::fs;
use std::io::Write;
use std::ops::Range;
use std::path::PathBuf;

use anyhow::Context;
use data::{commit, regular};
use sha2::{Digest, Sha256};

const DIGEST_BYTES: usize = 32;

/// A directory of pieces. Each is a file of its own, named by its range, with its digest before its bytes.
pub(super) struct Parts {
    pub(super) dir: PathBuf,
}

impl Parts {
    fn path(&self, piece: &Range<u64>) -> PathBuf {
        self.dir.join(format!("{}-{}", piece.start, piece.end))
    }

    /// Reads `piece`; `None` if it is not there or damaged.
    pub(super) fn load(&self, piece: &Range<u64>) -> Option<Vec<u8>> {
        let n_bytes = piece.end - piece.start + DIGEST_BYTES as u64;
        let stored = regular::read(&self.path(piece), n_bytes).ok()?;
        let (digest, bytes) = stored.split_at_checked(DIGEST_BYTES)?;
        let whole = bytes.len() as u64 == piece.end - piece.start && Sha256::digest(bytes)[..] == *digest;
        whole.then(|| bytes.to_vec())
    }

    /// Writes `piece`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn store(&self, piece: &Range<u64>, bytes: &[u8]) -> anyhow::Result<()> {
        commit::write(&self.path(piece), |file| {
            file.write_all(&Sha256::digest(bytes))?;
            Ok(file.write_all(bytes)?)
        })
    }

    /// Gives the bytes of `pieces` to `sink`, one piece after the other; all must have been stored.
    ///
    /// # Errors
    /// If one is missing, or what `sink` says.
    pub(super) fn read_all(
        &self,
        pieces: &[Range<u64>],
        mut sink: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        for piece in pieces {
            let path = self.path(piece);
            sink(&self.load(piece).with_context(|| format!("{} is damaged; run again", path.display()))?)?;
        }
        Ok(())
    }

    /// Removes the directory with all pieces.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        if !self.dir.exists() {
            return Ok(());
        }
        fs::remove_dir_all(&self.dir).with_context(|| format!("cannot remove {}", self.dir.display()))
    }
}

/// Cuts `range` into pieces of `n_bytes`, the last one shorter.
pub(super) fn pieces(range: &Range<u64>, n_bytes: u64) -> impl Iterator<Item = Range<u64>> {
    let end = range.end;
    (range.start..end).step_by(n_bytes as usize).map(move |start| start..(start + n_bytes).min(end))
}

/// Sorts `ranges` and joins those that touch.
pub(super) fn merged(mut ranges: Vec<Range<u64>>) -> Vec<Range<u64>> {
    ranges.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => merged.push(range),
        }
    }
    merged
}
