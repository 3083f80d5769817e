//! `decisions.csv`, one row per profile in the order of the profiles, and
//! `rejected-profiles.csv`, one row for each row that was not a profile.
//!
//! There is no column for a box: the whole photo is classified.

use std::path::Path;

use anyhow::Context;
use data::commit::Pending;
use data::table::escape_formula;

use crate::detect::Classes;
use crate::rules::Decision;
use crate::verdict::Verdict;
use data::profiles::{Profile, RejectedRow};

/// Name of the decisions in the output directory.
pub const FILE_NAME: &str = "decisions.csv";
/// Name of the rejected rows in the output directory.
pub const REJECTED_FILE_NAME: &str = "rejected-profiles.csv";

const COLUMNS: [&str; 11] = [
    "id",
    "name",
    "decision",
    "reason",
    "photo",
    "breed",
    "probability",
    "dog_probability",
    "size",
    "kg",
    "distance_km",
];

/// A decision with its profile and the photo that decided.
#[derive(Debug, Clone, Copy)]
pub struct Decided<'a> {
    /// The profile.
    pub profile: &'a Profile,
    /// Like or pass, and the reason.
    pub decision: &'a Decision,
    /// Verdict of the photo that decided.
    pub verdict: Option<&'a Verdict>,
    /// Distance from home.
    pub distance_km: Option<f64>,
}

impl Decided<'_> {
    /// Returns the path of the photo that decided, or an empty string.
    pub fn photo(&self) -> &str {
        self.decision.photo.map_or("", |i| &self.profile.photos[i])
    }

    /// Returns the verdict of that photo if it shows a dog.
    pub fn dog(&self) -> Option<&Verdict> {
        self.verdict.filter(|_| self.decision.dog)
    }
}

/// A table that is being written; the file does not appear before [`Table::commit`].
#[derive(Debug)]
pub struct Table(csv::Writer<Pending>);

impl Table {
    /// Begins `decisions.csv` in `out`.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn decisions(out: &Path) -> anyhow::Result<Self> {
        Self::create(&out.join(FILE_NAME), &COLUMNS)
    }

    /// Begins `rejected-profiles.csv` in `out`.
    ///
    /// # Errors
    /// If the directory cannot be written.
    pub fn rejected(out: &Path) -> anyhow::Result<Self> {
        Self::create(&out.join(REJECTED_FILE_NAME), &["line", "detail"])
    }

    fn create(path: &Path, columns: &[&str]) -> anyhow::Result<Self> {
        let mut table = csv::Writer::from_writer(Pending::create(path)?);
        table.write_record(columns)?;
        Ok(Self(table))
    }

    /// Writes a row of `decisions.csv`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn decided(&mut self, decided: &Decided<'_>, classes: &Classes) -> anyhow::Result<()> {
        let number =
            |value: Option<f64>, digits: usize| value.map_or(String::new(), |v| format!("{v:.digits$}"));
        let dog = decided.dog();
        let breed = dog.map(|v| classes.name(v.breed.class)).unwrap_or_default();
        let size = dog.and_then(|v| v.size);
        self.0.write_record([
            escape_formula(&decided.profile.id),
            escape_formula(&decided.profile.name),
            decided.decision.answer.name().to_owned(),
            escape_formula(&decided.decision.reason),
            escape_formula(decided.photo()),
            escape_formula(&breed),
            number(dog.map(|v| v.breed.probability), 4),
            number(decided.verdict.map(|v| v.dog_probability), 4),
            size.map(|s| s.size.to_string()).unwrap_or_default(),
            number(size.map(|s| s.kg), 1),
            number(decided.distance_km, 1),
        ])?;
        Ok(())
    }

    /// Writes a row of `rejected-profiles.csv`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn rejected_row(&mut self, row: &RejectedRow) -> anyhow::Result<()> {
        Ok(self.0.write_record([row.line.to_string(), escape_formula(&row.detail)])?)
    }

    /// Writes the table to disk under its final name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn commit(self) -> anyhow::Result<()> {
        self.0.into_inner().map_err(csv::IntoInnerError::into_error).context("cannot write a table")?.commit()
    }
}
