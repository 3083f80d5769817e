//! The changes of a split compared with the existing one in `--out`.

use std::collections::BTreeMap;
use std::path::Path;

use data::current::Place;
use data::manifest::{FILE_NAME, Manifest, Row, Split};
use serde::Serialize;

use crate::output;

/// Numbers of pictures by the kind of change since the last split.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Changes {
    pub(crate) added: usize,
    pub(crate) removed: usize,
    /// Same name, other content.
    pub(crate) replaced: usize,
    /// Same name, now in another of train, valid and test.
    pub(crate) moved: usize,
    /// Whether the pictures of test have changed.
    pub(crate) test_changed: bool,
}

impl Changes {
    /// Returns whether anything has changed, so that metrics before and after are of different pictures.
    pub(crate) fn any(&self) -> bool {
        self.added + self.removed + self.replaced + self.moved > 0
    }
}

/// Compares `rows` with the manifest in `out`. Returns `None` if there is none, or it was edited since.
pub(crate) fn since_last_time(out: &Path, rows: &[Row]) -> Option<Changes> {
    if !Place::new(out, output::PROVENANCE, output::STAGE).has_intact(FILE_NAME) {
        return None;
    }
    Some(between(&Manifest::read(&out.join(FILE_NAME)).ok()?.rows, rows))
}

/// Compares the rows of two manifests.
pub(crate) fn between(before: &[Row], rows: &[Row]) -> Changes {
    let mut old: BTreeMap<&str, &Row> = before.iter().map(|row| (row.path.as_str(), row)).collect();
    let mut changes = Changes { added: 0, removed: 0, replaced: 0, moved: 0, test_changed: false };
    for row in rows {
        let Some(old) = old.remove(row.path.as_str()) else {
            changes.added += 1;
            changes.test_changed |= row.split == Split::Test;
            continue;
        };
        let is_replaced = old.sha256 != row.sha256;
        changes.replaced += usize::from(is_replaced);
        changes.moved += usize::from(old.split != row.split);
        let in_test = [old.split, row.split].map(|split| split == Split::Test);
        changes.test_changed |=
            in_test[0] != in_test[1] || in_test[0] && (is_replaced || old.crop != row.crop);
    }
    changes.removed = old.len();
    changes.test_changed |= old.values().any(|row| row.split == Split::Test);
    changes
}
