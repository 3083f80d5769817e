//! `rejects.csv`: `path,reason,detail`, one row for every picture that a stage rejected.
//!
//! The paths begin with the folders as the user wrote them: relative to the directory where the stage was run.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;
use serde::Deserialize;

use crate::photo::Reject;
use crate::{commit, regular};

/// Name of the list in a stage's directory.
pub const FILE_NAME: &str = "rejects.csv";

/// Writes the pictures that a stage rejected, sorted by path.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, rejects: &[(String, Reject)]) -> anyhow::Result<()> {
    let mut sorted: Vec<_> = rejects.iter().collect();
    sorted.sort_by(|a, b| (&a.0, a.1.reason).cmp(&(&b.0, b.1.reason)));
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["path", "reason", "detail"])?;
        for (path, reject) in sorted {
            table.write_record([path.as_str(), reject.reason.name(), &reject.detail])?;
        }
        Ok(table.flush()?)
    })
}

/// A row of `rejects.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RejectedPicture {
    /// Path, with the folder as the user wrote it.
    pub path: String,
    /// One of [`crate::photo::Reason`]'s names.
    pub reason: String,
    /// Detail, as text for people.
    pub detail: String,
}

/// Reads a file from [`write()`]; `None` if it does not exist.
///
/// # Errors
/// If the file exists but is not a list of rejected pictures.
pub fn read(path: &Path) -> anyhow::Result<Option<Vec<RejectedPicture>>> {
    let named = || format!("cannot read {}", path.display());
    let file = match regular::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(named)?,
    };
    let rows = csv::Reader::from_reader(file).into_deserialize().collect::<Result<_, _>>();
    rows.map(Some).with_context(named)
}

/// The maximum number of rejected pictures of a stage.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxBad {
    /// A number of pictures.
    Count(usize),
    /// A share of the pictures, 0 to 1.
    Share(f64),
}

impl FromStr for MaxBad {
    type Err = anyhow::Error;

    /// Reads `1%` or `12`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("{text:?} is neither a count, as in 12, nor a share, as in 1%");
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().with_context(expected)?;
            anyhow::ensure!((0.0..=100.0).contains(&percent), "{}", expected());
            return Ok(MaxBad::Share(percent / 100.0));
        }
        Ok(MaxBad::Count(text.parse().with_context(expected)?))
    }
}

impl fmt::Display for MaxBad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxBad::Count(n) => write!(f, "{n}"),
            MaxBad::Share(share) => write!(f, "{}%", 100.0 * share),
        }
    }
}

impl MaxBad {
    /// Returns whether `n_bad` of `n_in` pictures are within the maximum.
    pub fn allows(self, n_bad: usize, n_in: usize) -> bool {
        n_bad as f64
            <= match self {
                MaxBad::Count(n) => n as f64,
                MaxBad::Share(share) => share * n_in as f64,
            }
    }

    /// Checks `rejects` of `n_in` pictures. Files that were not meant to be used do not count
    /// ([`crate::photo::Reason::is_bad`]).
    ///
    /// # Errors
    /// If there are too many; lists the first 20.
    pub fn check(self, n_in: usize, rejects: &[(String, Reject)]) -> anyhow::Result<()> {
        let bad: Vec<_> = rejects.iter().filter(|(_, reject)| reject.reason.is_bad()).collect();
        let n_in = n_in - (rejects.len() - bad.len());
        if self.allows(bad.len(), n_in) {
            return Ok(());
        }
        let mut listed: Vec<String> =
            bad.iter().take(20).map(|(path, reject)| format!("  {path}: {reject}")).collect();
        if bad.len() > listed.len() {
            listed.push(format!("  and {} more", bad.len() - listed.len()));
        }
        anyhow::bail!(
            "{} of {n_in} pictures are rejected, more than --max-bad allows:\n{}",
            bad.len(),
            listed.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_were_not_meant_to_be_used_are_not_counted_as_bad() {
        use crate::photo::Reason;
        let rejects = |reasons: &[Reason]| -> Vec<(String, Reject)> {
            reasons.iter().map(|&reason| ("x".to_owned(), Reject::new(reason, "why"))).collect()
        };
        let others = rejects(&[Reason::NoPicture; 9]);
        assert!(MaxBad::Count(0).check(10, &others).is_ok());
        let half = [rejects(&[Reason::Truncated, Reason::NotListed]), others].concat();
        let message = MaxBad::Share(0.4).check(12, &half).unwrap_err().to_string();
        assert!(
            message.starts_with("1 of 2 pictures are rejected") && message.contains("truncated (why)"),
            "{message}"
        );
        assert!(MaxBad::Share(0.5).check(12, &half).is_ok());
    }

    #[test]
    fn max_bad_reads_counts_and_shares() {
        assert_eq!("1%".parse::<MaxBad>().unwrap(), MaxBad::Share(0.01));
        assert_eq!("12".parse::<MaxBad>().unwrap(), MaxBad::Count(12));
        for bad in ["-1", "101%", "x", "nan%"] {
            assert!(bad.parse::<MaxBad>().is_err(), "{bad}");
        }
    }
}
