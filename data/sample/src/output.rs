//! Writes the files of the program and keeps those of the user.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use data::current::Job;
use data::{commit, regular};

/// The output folder. A file that this program did not make, or that has changed since, is never replaced.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    dir: &'a Path,
    job: &'a Job,
    made: Mutex<Vec<String>>,
    foreign: Mutex<Vec<String>>,
}

impl<'a> Output<'a> {
    pub(crate) fn new(dir: &'a Path, job: &'a Job) -> Self {
        Self { dir, job, made: Mutex::default(), foreign: Mutex::default() }
    }

    /// Writes `bytes` to `name`, relative to the folder. The file is durable after [`Output::finish`].
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        let as_painted = regular::read(&path, bytes.len() as u64).is_ok_and(|found| found == bytes);
        let ours = as_painted || self.job.owns(name)?;
        if ours && !as_painted {
            write_picture(&path, bytes)?;
        }
        let list = if ours { &self.made } else { &self.foreign };
        list.lock().unwrap_or_else(PoisonError::into_inner).push(name.to_owned());
        Ok(())
    }

    /// Syncs the directories, warns of files that were not replaced, and returns the names of the made files.
    pub(crate) fn finish(self) -> anyhow::Result<Vec<String>> {
        let mut foreign = self.foreign.into_inner().unwrap_or_else(PoisonError::into_inner);
        foreign.sort();
        if !foreign.is_empty() {
            let shown = foreign.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                "{} files in {} were not made by this program, or have changed since, and are not replaced: {shown}{}",
                foreign.len(),
                self.dir.display(),
                if foreign.len() > 10 { ", ..." } else { "" }
            );
        }
        let made = self.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        let dirs: BTreeSet<PathBuf> =
            made.iter().filter_map(|name| Some(self.dir.join(name).parent()?.to_owned())).collect();
        dirs.iter().try_for_each(|dir| commit::sync_directory(dir))?;
        Ok(made)
    }
}

/// Writes a picture, which is durable after its directory is synced.
fn write_picture(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut file = commit::Pending::create(path)?;
    file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))?;
    file.commit_without_directory()
}
