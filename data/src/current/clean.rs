//! `--clean`, and the removal of old outputs: only of files that the record lists and that have not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path};

use anyhow::Context;

use super::Place;
use super::digests::{Content, Digests};
use crate::commit;

impl Place {
    /// Removes the files that the record lists, and the record: `--clean`.
    ///
    /// # Errors
    /// [`crate::stage::Exit::TryAgain`] if another process writes there; another error if the record cannot be read, so that what it
    /// lists is unknown, or if a file cannot be removed.
    pub fn clean(&self) -> anyhow::Result<()> {
        self.refuse_another_stage()?;
        let record = self.record_path();
        let locked = self.locked_directories();
        let has_locks = || locked.iter().any(|dir| commit::has_lock(dir));
        if record.symlink_metadata().is_err() && !has_locks() {
            return Ok(());
        }
        let locks = self.lock()?;
        // Read under the lock: another run may have ended just now.
        let listed = self.listed().with_context(|| {
            format!(
                "the files that {} lists are unknown, so nothing is removed; remove them by hand, or run the {} again \
                 with --force",
                record.display(),
                self.stage
            )
        })?;
        let outputs = listed.map(|listed| listed.outputs).unwrap_or_default();
        let mut digests = Digests::open(&self.digests_path());
        let n_removed = self.remove(&outputs, &mut digests)?;
        for path in [&record, &self.digests_path()] {
            commit::remove(path)?;
        }
        self.remove_unlisted.map_or(Ok(()), |remove| remove(&self.dir))?;
        tracing::info!("{}: removed {n_removed} files below {}", self.stage, self.dir.display());
        for dir in &locked {
            commit::remove_lock(dir)?;
            remove_empty(dir);
        }
        drop(locks);
        remove_empty(&self.dir);
        Ok(())
    }

    /// Removes the files of `outputs` that have not changed since the stage made them, and empty directories.
    pub(super) fn remove(
        &self,
        outputs: &BTreeMap<String, Option<String>>,
        digests: &mut Digests,
    ) -> anyhow::Result<usize> {
        let mut dirs = BTreeSet::new();
        let mut n_removed = 0;
        for (name, made) in outputs {
            let path = self.dir.join(name);
            if !stays_inside(name) {
                tracing::warn!(
                    "{} lists {name}, which is outside: not removed",
                    self.record_path().display()
                );
                continue;
            }
            match (digests.of_output(&path)?, made) {
                (Content::Absent, _) => {}
                (Content::Other(what), _) => tracing::warn!("{} is {what}: not removed", path.display()),
                (found, Some(made)) if found.text() != made => {
                    tracing::warn!("{} has changed since it was made: not removed", path.display());
                }
                _ => {
                    commit::remove(&path)?;
                    n_removed += 1;
                    let above = path.ancestors().skip(1).take_while(|dir| **dir != self.dir);
                    dirs.extend(above.map(Path::to_owned));
                }
            }
        }
        // The deepest first.
        dirs.iter().rev().for_each(|dir| remove_empty(dir));
        Ok(n_removed)
    }
}

/// Returns whether `name`, joined to a directory, is below it. A record may come from another person, and the files
/// that it lists are removed.
fn stays_inside(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Removes a directory if it is empty.
fn remove_empty(dir: &Path) {
    // Fails if the directory contains files of the user, which stay.
    let _ = fs::remove_dir(dir);
}
