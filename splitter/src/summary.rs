//! The summary that the stage prints at its end.

use std::collections::BTreeMap;
use std::fmt;

use comfy_table::{CellAlignment, Table, presets};
use data::manifest::Row;
use serde::Serialize;

use crate::changes::Changes;
use crate::config::Config;
use crate::duplicates::Deduplicated;
use crate::scan::Ignored;

/// Maximum number of classes in the table without --verbose.
const MAX_CLASSES_SHOWN: usize = 30;

/// Counts of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Pictures to be split.
    n_in: usize,
    /// Rows of the manifest.
    n_ok: usize,
    n_rejected: usize,
    /// Rejected pictures by reason.
    rejected: BTreeMap<&'static str, usize>,
    train: usize,
    valid: usize,
    test: usize,
    n_classes: usize,
    biggest_class: ClassCounts,
    smallest_class: ClassCounts,
    /// Size of the largest class divided by that of the smallest.
    imbalance: f64,
    kept_duplicates: usize,
    label_conflicts: usize,
    ignored: Ignored,
    /// Pictures that are cropped to a box; `null` without --crop-to-box.
    boxed: Option<usize>,
    /// Pictures that neither list of --split-list names.
    unlisted: usize,
    classes: Vec<ClassCounts>,
    /// Changes compared with the previous manifest; `null` without one.
    changes: Option<Changes>,
    dry_run: bool,
    manifest: String,
    /// File that names the rejected pictures.
    rejects: String,
    #[serde(skip)]
    show_classes: bool,
}

/// Counts of one class.
#[derive(Debug, Clone, Default, Serialize)]
struct ClassCounts {
    class: String,
    train: usize,
    valid: usize,
    test: usize,
}

impl ClassCounts {
    fn n(&self) -> usize {
        self.train + self.valid + self.test
    }
}

impl Summary {
    /// Counts the pictures.
    pub(crate) fn new(
        config: &Config,
        n_in: usize,
        n_unlisted: usize,
        ignored: Ignored,
        deduplicated: &Deduplicated,
        rows: &[Row],
        changes: Option<Changes>,
    ) -> Self {
        let mut by_class: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
        for row in rows {
            by_class.entry(&row.class).or_default()[row.split as usize] += 1;
        }
        let classes: Vec<ClassCounts> = by_class
            .into_iter()
            .map(|(class, [train, valid, test])| ClassCounts { class: class.to_owned(), train, valid, test })
            .collect();
        let mut rejected = BTreeMap::new();
        for (_, reject) in &deduplicated.rejects {
            *rejected.entry(reject.reason.name()).or_default() += 1;
        }
        // The first among equals, in either case.
        let biggest_class = classes.iter().rev().max_by_key(|c| c.n()).cloned().unwrap_or_default();
        let smallest_class = classes.iter().min_by_key(|c| c.n()).cloned().unwrap_or_default();
        Self {
            n_in,
            n_ok: rows.len(),
            n_rejected: deduplicated.rejects.len(),
            rejected,
            train: classes.iter().map(|c| c.train).sum(),
            valid: classes.iter().map(|c| c.valid).sum(),
            test: classes.iter().map(|c| c.test).sum(),
            n_classes: classes.len(),
            imbalance: biggest_class.n() as f64 / smallest_class.n().max(1) as f64,
            biggest_class,
            smallest_class,
            kept_duplicates: deduplicated.n_kept_duplicates,
            label_conflicts: deduplicated.n_label_conflicts,
            ignored,
            boxed: config.annotations.as_ref().map(|_| rows.iter().filter(|row| row.crop.is_some()).count()),
            unlisted: n_unlisted,
            show_classes: config.common.verbose > 0 || classes.len() <= MAX_CLASSES_SHOWN,
            classes,
            changes,
            dry_run: config.dry_run,
            rejects: config.out.join(data::rejects::FILE_NAME).display().to_string(),
            manifest: config.out.join(data::manifest::FILE_NAME).display().to_string(),
        }
    }

    /// Checks that every input picture is a row or a reject.
    ///
    /// # Errors
    /// If one is neither or both, which is a bug.
    pub(crate) fn check_counts(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.n_in == self.n_ok + self.n_rejected && self.n_ok == self.train + self.valid + self.test,
            "{} pictures in, but {} in the manifest and {} rejected: this is a bug",
            self.n_in,
            self.n_ok,
            self.n_rejected
        );
        Ok(())
    }

    fn write_classes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["class", "train", "valid", "test", "all"]);
        let all = ClassCounts { class: "all".into(), train: self.train, valid: self.valid, test: self.test };
        for c in self.classes.iter().filter(|_| self.show_classes).chain([&all]) {
            let counts = [c.train, c.valid, c.test, c.n()].map(|n| n.to_string());
            table.add_row([c.class.clone()].into_iter().chain(counts));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        writeln!(f, "{}", table.trim_fmt())
    }

    fn write_changes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(changes) = self.changes.as_ref().filter(|changes| changes.any()) else { return Ok(()) };
        let Changes { added, removed, replaced, moved, test_changed } = changes;
        write!(f, "since the last split: {added} pictures added, {removed} removed, {replaced} replaced, ")?;
        writeln!(f, "{moved} of the old ones in another part")?;
        if *test_changed {
            writeln!(f, "test has changed: do not compare metrics from before and after")?;
        } else if *moved > 0 {
            writeln!(f, "test is the same, train and valid are not: train again before comparing metrics")?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} files = {} in the manifest + {} rejected", self.n_in, self.n_ok, self.n_rejected)?;
        for (reason, n) in &self.rejected {
            writeln!(f, "  rejected as {reason}: {n}")?;
        }
        if self.n_rejected > 0 && !self.dry_run {
            writeln!(f, "  each is named in {}", self.rejects)?;
        }
        let Ignored { hidden, beside_class_folders, nested_folders } = self.ignored;
        for (verb, n, what) in [
            ("kept", self.kept_duplicates, "pictures identical to another one, each group in one split"),
            ("found", self.label_conflicts, "pictures in several classes (label conflicts)"),
            ("ignored", self.unlisted, "pictures that are in neither list"),
            ("ignored", hidden, "hidden files"),
            ("ignored", beside_class_folders, "files beside the class folders"),
            ("ignored", nested_folders, "folders in class folders"),
        ] {
            if n > 0 {
                writeln!(f, "{verb} {n} {what}")?;
            }
        }
        if let Some(n) = self.boxed {
            writeln!(
                f,
                "cropped {n} pictures to their box; {} without a usable box are not cropped",
                self.n_ok - n
            )?;
        }
        writeln!(
            f,
            "{} classes, largest {} ({}), smallest {} ({}), imbalance {:.2}",
            self.n_classes,
            self.biggest_class.class,
            self.biggest_class.n(),
            self.smallest_class.class,
            self.smallest_class.n(),
            self.imbalance
        )?;
        self.write_classes(f)?;
        self.write_changes(f)?;
        match self.dry_run {
            true => write!(f, "dry run: nothing was written"),
            false => write!(f, "wrote {}", self.manifest),
        }
    }
}
