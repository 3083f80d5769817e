//! A run of a stage: the files that it may replace, declares, and has made.

use std::collections::BTreeMap;

use super::digests::{Content, Digests};
use super::{Place, stays_inside};
use crate::commit;
use crate::provenance::Provenance;

/// A run of a stage whose outputs are not current.
#[derive(Debug)]
pub struct Job {
    pub(super) place: Place,
    pub(super) provenance: Provenance,
    pub(super) made_before: BTreeMap<String, Option<String>>,
    pub(super) has_record: bool,
    pub(super) digests: Digests,
    pub(super) from_scratch: bool,
}

impl Job {
    /// Returns whether the run must start from the beginning, even if an earlier one left files.
    pub fn from_scratch(&self) -> bool {
        self.from_scratch
    }

    /// Refuses to write `names` if one of them exists and the record of this stage does not list it.
    ///
    /// # Errors
    /// Names the file, and `--force`, which replaces it.
    pub fn refuse_foreign(&self, names: &[&str]) -> anyhow::Result<()> {
        if self.has_record || self.from_scratch {
            return Ok(());
        }
        let there =
            names.iter().map(|name| self.place.dir.join(name)).find(|path| path.symlink_metadata().is_ok());
        there.map_or(Ok(()), |path| {
            anyhow::bail!(
                "{} exists, and no {} says that the {} made it; use --force to replace it, or another --out",
                path.display(),
                self.place.record,
                self.place.stage
            )
        })
    }

    /// Returns whether the file `name` in the stage's directory may be replaced or removed: it does not exist, or
    /// this stage made it, in a finished or an unfinished run.
    ///
    /// # Errors
    /// If the run is interrupted.
    pub fn owns(&self, name: &str) -> anyhow::Result<bool> {
        Ok(match (self.digests.of_output(&self.place.dir.join(name))?, self.made_before.get(name)) {
            (Content::Absent, _) => true,
            (Content::File(_) | Content::Link(_), Some(None)) => true,
            (found, Some(Some(made))) => found.text() == made,
            _ => false,
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

    /// Removes the files that an earlier run made and that have changed since then, so that a stage that keeps files
    /// by [`Job::is_intact`] makes them again. Must be called before [`Job::declare`].
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn discard_changed(&self) -> anyhow::Result<()> {
        for (name, made) in self.made_before.iter().filter(|(name, _)| stays_inside(name)) {
            let path = self.place.dir.join(name);
            let Content::File(found) = self.digests.of_output(&path)? else { continue };
            if made.as_ref().is_some_and(|made| *made != found) {
                commit::remove(&path)?;
            }
        }
        Ok(())
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

    /// Declares the outputs before any of them is made: the record then lists them, even if the run is killed. The
    /// caller must hold the lock of the directory.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn declare(&mut self, names: impl IntoIterator<Item = String>) -> anyhow::Result<()> {
        for name in names {
            self.made_before.insert(name, None);
        }
        let mut record = self.provenance.clone();
        record.outputs.clone_from(&self.made_before);
        // At least one has no digest, which marks an unfinished run.
        record.outputs.insert(self.place.record.clone(), None);
        record.write(&self.place.record_path())
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
