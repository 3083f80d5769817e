//! Identical pictures: kept together, dropped, or reported as a label conflict.
//!
//! A copy of a test picture in train makes the test metrics too good, so the members of a group are never in two
//! splits. If lists put them there, the train copy is dropped and the test list stays as it was published. If one
//! picture is in two classes, at least one label is wrong. Only a person can tell which, so both stay, in one
//! split, and are reported.

use std::collections::BTreeMap;

use data::manifest::Split;
use data::photo::{Reason, Reject};

use crate::args::Duplicates;
use crate::config::Config;
use crate::inspect::{Inspection, Picture};

/// Maximum number of conflicts that are logged without --verbose.
const N_SHOWN: usize = 20;

/// The pictures that go into the manifest, and which of them are identical.
#[derive(Debug)]
pub(crate) struct Deduplicated {
    /// Sorted by class, then by name.
    pub(crate) pictures: Vec<Picture>,
    /// For each picture the index of the first one with the same bytes: its group.
    pub(crate) groups: Vec<u32>,
    /// All rejects, dropped duplicates among them.
    pub(crate) rejects: Vec<(String, Reject)>,
    /// Number of pictures in the manifest that are identical to another one there.
    pub(crate) n_kept_duplicates: usize,
    /// Number of pictures that are in the manifest under two classes or more.
    pub(crate) n_label_conflicts: usize,
}

/// Decides about the duplicates in `inspection`.
pub(crate) fn resolve(config: &Config, classes: &[String], inspection: Inspection) -> Deduplicated {
    let Inspection { mut pictures, mut rejects } = inspection;
    let path = |i: usize| {
        let Picture { class, name, .. } = &pictures[i];
        config.shown(&classes[*class as usize], name)
    };
    let Decisions { dropped_for, conflicts } = decide(config.duplicates, &pictures);
    warn_of_conflicts(&conflicts, path);
    for (&dropped, &kept) in &dropped_for {
        let in_test = if pictures[kept].listed == Some(Split::Test) { ", of the test list" } else { "" };
        tracing::debug!("duplicate dropped: {} is {}", path(dropped), path(kept));
        rejects.push((
            path(dropped),
            Reject::new(Reason::Duplicate, format!("same as {}{in_test}", path(kept))),
        ));
    }

    let mut i = 0;
    pictures.retain(|_| {
        i += 1;
        !dropped_for.contains_key(&(i - 1))
    });
    let groups = groups(&pictures);
    let mut sizes = vec![0usize; pictures.len()];
    groups.iter().for_each(|&g| sizes[g as usize] += 1);
    Deduplicated {
        n_kept_duplicates: sizes.iter().filter(|&&n| n > 1).sum(),
        n_label_conflicts: conflicts.len(),
        pictures,
        groups,
        rejects,
    }
}

/// Decisions about identical pictures; the numbers are their indices.
struct Decisions {
    /// For each dropped picture the identical one that is kept.
    dropped_for: BTreeMap<usize, usize>,
    /// For each group in several classes two pictures with different labels, sorted.
    conflicts: Vec<(usize, usize)>,
}

fn decide(duplicates: Duplicates, pictures: &[Picture]) -> Decisions {
    let (mut dropped_for, mut conflicts) = (BTreeMap::new(), Vec::new());
    let order = by_content(pictures);
    for group in order.chunk_by(|&a, &b| pictures[a].sha256 == pictures[b].sha256).filter(|g| g.len() > 1) {
        let mut kept = group.to_vec();
        if let Some(&test) = group.iter().find(|&&i| pictures[i].listed == Some(Split::Test)) {
            kept.retain(|&i| pictures[i].listed != Some(Split::Train));
            dropped_for.extend(group.iter().filter(|i| !kept.contains(i)).map(|&i| (i, test)));
        }
        if duplicates == Duplicates::Drop {
            // Sorted by class: the first of each class is kept.
            kept.dedup_by(|&mut later, &mut first| {
                let same_class = pictures[later].class == pictures[first].class;
                if same_class {
                    dropped_for.insert(later, first);
                }
                same_class
            });
        }
        if let Some(&other) = kept.iter().find(|&&i| pictures[i].class != pictures[kept[0]].class) {
            conflicts.push((kept[0], other));
        }
    }
    conflicts.sort_unstable();
    Decisions { dropped_for, conflicts }
}

fn warn_of_conflicts(conflicts: &[(usize, usize)], path: impl Fn(usize) -> String) {
    for (n, &(a, b)) in conflicts.iter().enumerate() {
        let message = format!("duplicate label conflict: {} and {} are the same picture", path(a), path(b));
        if n < N_SHOWN { tracing::warn!("{message}") } else { tracing::debug!("{message}") }
    }
    if conflicts.len() > N_SHOWN {
        tracing::warn!("duplicate label conflict: {} more, listed with --verbose", conflicts.len() - N_SHOWN);
    }
}

/// Returns for each picture the index of the first one with the same bytes.
pub(crate) fn groups(pictures: &[Picture]) -> Vec<u32> {
    let mut groups = vec![0; pictures.len()];
    for group in by_content(pictures).chunk_by(|&a, &b| pictures[a].sha256 == pictures[b].sha256) {
        group.iter().for_each(|&i| groups[i] = group[0] as u32);
    }
    groups
}

/// Returns the indices sorted by content, so that identical pictures are adjacent; their indices ascend.
fn by_content(pictures: &[Picture]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..pictures.len()).collect();
    order.sort_unstable_by(|&a, &b| pictures[a].sha256.cmp(&pictures[b].sha256).then(a.cmp(&b)));
    order
}
