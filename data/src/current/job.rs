//! A run of a stage: the files that it may replace, declares, and has made.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::Place;
use super::digests::{Content, Digests};
use crate::commit::{self, Lock};
use crate::provenance::Provenance;

/// A run of a stage whose outputs are not current.
#[derive(Debug)]
pub struct Job {
    pub(super) place: Place,
    pub(super) provenance: Provenance,
    pub(super) made_before: BTreeMap<String, Option<String>>,
    /// Why the record cannot be read, if there is one.
    pub(super) unreadable: Option<String>,
    pub(super) digests: Digests,
    pub(super) from_scratch: bool,
}

impl Job {
    /// Returns whether the run must start from the beginning, even if an earlier one left files.
    pub fn from_scratch(&self) -> bool {
        self.from_scratch
    }

    /// Takes the locks of the stage, and reads its record again: another run may have ended since this one started.
    ///
    /// # Errors
    /// [`crate::stage::Exit::TryAgain`] if another process writes there.
    pub fn lock(&mut self) -> anyhow::Result<Vec<Lock>> {
        let locks = self.place.lock()?;
        self.read_record();
        Ok(locks)
    }

    pub(super) fn read_record(&mut self) {
        match self.place.listed() {
            Ok(listed) => {
                self.made_before = listed.map(|listed| listed.outputs).unwrap_or_default();
                // The record of an unfinished run lists itself. It is replaced in one step and never removed: a kill
                // between the two would leave files that no record lists.
                self.made_before.remove(&self.place.record);
                self.unreadable = None;
            }
            Err(error) => self.unreadable = Some(format!("{error:#}")),
        }
    }

    /// Refuses to write the files `names` if one of them exists and the record of this stage does not list it.
    ///
    /// # Errors
    /// Names the file, and `--force`, which replaces it.
    pub fn refuse_foreign(&self, names: &[impl AsRef<str> + Sync]) -> anyhow::Result<()> {
        let stage = self.place.stage;
        if let Some(unreadable) = self.unreadable.as_ref().filter(|_| !self.from_scratch) {
            anyhow::bail!(
                "{unreadable}; the files that the {stage} made are unknown: use --force to replace them, or another --out"
            );
        }
        names.par_iter().try_for_each(|name| {
            let path = self.place.dir.join(name.as_ref());
            let Ok(metadata) = path.symlink_metadata() else { return Ok(()) };
            anyhow::ensure!(
                !metadata.is_dir(),
                "{} is a folder, and the {stage} writes a file of this name; rename it, or use another --out",
                path.display()
            );
            let is_listed = self.made_before.contains_key(name.as_ref());
            if is_listed || self.from_scratch { Ok(()) } else { Err(self.foreign(&path)) }
        })
    }

    /// Refuses to write into the folders `names` if one of them exists and the record lists no file in it.
    ///
    /// # Errors
    /// Names the folder, and `--force`.
    pub fn refuse_foreign_folders(&self, names: &[&str]) -> anyhow::Result<()> {
        let is_known = |name: &str| self.made_before.keys().any(|made| Path::new(made).starts_with(name));
        let foreign = names.iter().filter(|name| !self.from_scratch && !is_known(name));
        let there =
            foreign.map(|name| self.place.dir.join(name)).find(|path| path.symlink_metadata().is_ok());
        there.map_or(Ok(()), |path| Err(self.foreign(&path)))
    }

    fn foreign(&self, path: &Path) -> anyhow::Error {
        anyhow::anyhow!(
            "{} exists, and no {} says that the {} made it; use --force to replace it, or another --out",
            path.display(),
            self.place.record,
            self.place.stage
        )
    }

    /// Adds files to the list of those that this stage made, whatever the record says of them, for a stage that knows
    /// its files by their content.
    pub fn adopt<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        for name in names {
            self.made_before.insert(name.to_owned(), None);
        }
    }

    /// Returns whether the file `name` in the stage's directory may be replaced or removed: it does not exist, or
    /// this stage made it, in a finished or an unfinished run.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub fn owns(&self, name: &str) -> anyhow::Result<bool> {
        let path = self.place.dir.join(name);
        let Ok(metadata) = path.symlink_metadata() else { return Ok(true) };
        Ok(match self.made_before.get(name) {
            None => false,
            Some(None) => metadata.is_file() || metadata.is_symlink(),
            Some(Some(made)) => match self.digests.of_output(&path)? {
                Content::Absent => true,
                found => found.text() == made,
            },
        })
    }

    /// Returns whether the file `name` has not changed since an earlier run made it, so that it need not be made
    /// again. Always false with `--force`.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub fn is_intact(&self, name: &str) -> anyhow::Result<bool> {
        let Some(made) = self.made_before.get(name).filter(|_| !self.from_scratch) else { return Ok(false) };
        let Content::File(found) = self.digests.of_output(&self.place.dir.join(name))? else {
            return Ok(false);
        };
        // Files are written atomically: a file of an unfinished run is complete.
        Ok(made.as_ref().is_none_or(|made| *made == found))
    }

    /// Removes the files of earlier runs whose names `is_old` selects, before any new file is made.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn remove_old(&mut self, is_old: impl Fn(&str) -> bool) -> anyhow::Result<()> {
        let old: BTreeMap<_, _> = self
            .made_before
            .iter()
            .filter(|(name, _)| is_old(name))
            .map(|(n, d)| (n.clone(), d.clone()))
            .collect();
        self.place.remove(&old, &mut self.digests)?;
        self.made_before.retain(|name, _| !old.contains_key(name));
        Ok(())
    }

    /// Declares the outputs before any of them is made: the record then lists them, even if the run is killed. A file
    /// of that name that has changed since this stage made it is renamed to `<name>.edited`, so that the stage makes it
    /// again and a person's work is kept; with `--force` it stays and will be replaced. The caller must hold the locks.
    ///
    /// # Errors
    /// As for [`Job::refuse_foreign`]; also if the record cannot be written.
    pub fn declare(&mut self, names: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        let names: Vec<String> = names.into_iter().collect();
        self.refuse_foreign(&names)?;
        if !self.from_scratch {
            self.set_changed_aside(&names)?;
        }
        for name in names {
            self.made_before.insert(name, None);
        }
        let mut record = self.provenance.clone();
        record.outputs.clone_from(&self.made_before);
        // At least one has no digest, which marks an unfinished run.
        record.outputs.insert(self.place.record.clone(), None);
        record.write(&self.place.record_path())
    }

    /// Renames those of `names` that have changed since an earlier run made them.
    fn set_changed_aside(&self, names: &[String]) -> anyhow::Result<()> {
        let changed = names.par_iter().map(|name| Ok((!self.owns(name)?).then_some(name)));
        let changed: Vec<Option<&String>> = changed.collect::<anyhow::Result<_>>()?;
        for name in changed.into_iter().flatten() {
            let path = self.place.dir.join(name);
            let kept = free_name(&path);
            commit::rename(&path, &kept)?;
            tracing::warn!(
                "{} has changed since the {} made it: it is kept as {}",
                path.display(),
                self.place.stage,
                kept.display()
            );
        }
        Ok(())
    }

    /// Records that `names`, relative to the stage's directory, were made, and removes the files of earlier runs that
    /// this one did not make. Returns the number of removed files.
    ///
    /// # Errors
    /// If an output is missing, or the record cannot be written.
    pub fn finish(self, names: impl IntoIterator<Item = String>) -> anyhow::Result<usize> {
        let Self { place, mut provenance, made_before, mut digests, .. } = self;
        let names: Vec<String> = names.into_iter().collect();
        digests.forget_outputs();
        let outputs = digests.of_outputs(&place.dir, &names)?;
        provenance.outputs = outputs.into_iter().map(|(name, digest)| (name, Some(digest))).collect();
        let stale: BTreeMap<_, _> =
            made_before.into_iter().filter(|(name, _)| !provenance.outputs.contains_key(name)).collect();
        let n_removed = place.remove(&stale, &mut digests)?;
        digests.write(&place.digests_path())?;
        provenance.write(&place.record_path())?;
        Ok(n_removed)
    }
}

/// Returns the first of `<path>.edited`, `<path>.edited-2`, ... that does not exist.
fn free_name(path: &Path) -> PathBuf {
    let named = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut free = named(".edited");
    for number in 2.. {
        if free.symlink_metadata().is_err() {
            break;
        }
        free = named(&format!(".edited-{number}"));
    }
    free
}
