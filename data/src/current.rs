//! Decides whether a stage's outputs are up to date: the one definition of "current".
//!
//! A stage describes its [`Inputs`]: its parameters and the files that it reads. This module compares them with
//! the provenance beside its outputs: the format version, the parameters, the content of every input, and the
//! content of every output. If all are equal, the stage is *current*: it prints that, changes nothing and ends.
//! Otherwise it prints the differences, and runs.
//!
//! File names and modification times do not count. A digest is computed again only if the file system's metadata
//! of the file has changed (`current/digests.rs`), so a check takes milliseconds.
//!
//! The provenance also lists every file that the stage makes, and is written before the first of them. A rerun and
//! `--clean` replace and remove only files that are on that list and have the content that the stage wrote. A file that
//! has changed since is renamed to `<name>.edited` before a rerun writes a new one; a file that is not on the list stops
//! the run. With `--force` a rerun replaces both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::commit::{self, Lock};
use crate::provenance::{Listed, Provenance, canonical_json, to_hex};
use crate::stage::{CommonArgs, Exit, print_summary, usage};
use digests::{Content, Digests};
pub use job::Job;

mod clean;
mod digests;
mod job;
mod reasons;
#[cfg(test)]
mod tests;

/// Reasons that are logged before a run; `--check` prints all.
const N_LOGGED: usize = 5;

/// What to do about existing outputs.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
#[command(next_help_heading = "Up to date")]
pub struct RerunArgs {
    /// Only print whether the outputs are up to date, and if not, why; exit code 0 or 1
    #[arg(long, conflicts_with_all = ["force", "clean"])]
    pub check: bool,
    /// Run even if the outputs are up to date, start from the beginning, and replace existing files
    #[arg(long, conflicts_with = "clean")]
    pub force: bool,
    /// Remove only the files that this program made here, then end
    #[arg(long)]
    pub clean: bool,
}

/// The directory of a stage's outputs, and their provenance.
#[derive(Debug, Clone)]
pub struct Place {
    dir: PathBuf,
    /// The provenance, relative to `dir`.
    record: String,
    stage: &'static str,
    locks: Locks,
    /// Removes what [`Place::clean`] must remove in addition to the listed outputs.
    remove_unlisted: Option<fn(&Path) -> anyhow::Result<()>>,
}

/// What a run locks.
#[derive(Debug, Clone)]
enum Locks {
    /// The directory and all below it.
    Tree,
    /// The directory alone: other stages write below it.
    Directory,
    /// Folders of the directory, each with all below it.
    Folders(Vec<&'static str>),
}

/// The inputs and parameters that a stage's result depends on.
#[derive(Debug, Default)]
pub struct Inputs {
    parameters: Value,
    inputs: BTreeMap<&'static str, Input>,
}

#[derive(Debug)]
enum Input {
    /// One file; its name does not count. A link is followed.
    File(PathBuf),
    /// Many files, each with a name that is the same on every machine. Links are not followed.
    Files(Vec<(String, PathBuf)>),
    /// A value that is not a file.
    Value(String),
}

impl Inputs {
    /// Returns the inputs with these parameters, a JSON object by flag name.
    ///
    /// # Errors
    /// If they are not a JSON object.
    pub fn new(parameters: &impl Serialize) -> anyhow::Result<Self> {
        let parameters = serde_json::to_value(parameters).context("parameters are not JSON")?;
        anyhow::ensure!(parameters.is_object(), "parameters are {parameters}, expected a JSON object");
        Ok(Self { parameters, inputs: BTreeMap::new() })
    }

    /// Adds a file. A missing file is an input, too.
    #[must_use]
    pub fn file(mut self, role: &'static str, path: &Path) -> Self {
        self.inputs.insert(role, Input::File(path.to_owned()));
        self
    }

    /// Adds files, each with its name; their order does not count.
    #[must_use]
    pub fn files(mut self, role: &'static str, files: impl IntoIterator<Item = (String, PathBuf)>) -> Self {
        let mut files: Vec<_> = files.into_iter().collect();
        files.sort();
        files.dedup();
        self.inputs.insert(role, Input::Files(files));
        self
    }

    /// Adds a value that is not the content of a file.
    ///
    /// # Errors
    /// If it cannot be written as JSON.
    pub fn value(mut self, role: &'static str, value: &impl Serialize) -> anyhow::Result<Self> {
        self.inputs.insert(role, Input::Value(canonical_json(value)?));
        Ok(self)
    }
}

/// The output of `--check`, and of a current stage.
#[derive(Debug, Serialize)]
struct Answer {
    stage: &'static str,
    current: bool,
    because: Vec<String>,
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.current {
            return write!(f, "{}: up to date", self.stage);
        }
        let lines: Vec<String> =
            self.because.iter().map(|reason| format!("{}: stale: {reason}", self.stage)).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl Place {
    /// Returns the place for the outputs of `stage` in `dir`, with the provenance in the file `record`.
    pub fn new(dir: &Path, record: &str, stage: &'static str) -> Self {
        let (dir, record) = (dir.to_owned(), record.to_owned());
        Self { dir, record, stage, locks: Locks::Tree, remove_unlisted: None }
    }

    /// Locks the directory, but leaves the temporary files below it alone: other stages write there.
    #[must_use]
    pub fn without_subdirectories(self) -> Self {
        Self { locks: Locks::Directory, ..self }
    }

    /// Locks only these folders of the directory.
    #[must_use]
    pub fn of_folders(self, folders: impl IntoIterator<Item = &'static str>) -> Self {
        Self { locks: Locks::Folders(folders.into_iter().collect()), ..self }
    }

    /// Lets `--clean` also call `remove` with the directory, for files that no record lists, such as checkpoints.
    #[must_use]
    pub fn with_unlisted(self, remove: fn(&Path) -> anyhow::Result<()>) -> Self {
        Self { remove_unlisted: Some(remove), ..self }
    }

    /// Takes the locks of a run, and removes the temporary files of a killed one.
    ///
    /// # Errors
    /// [`Exit::TryAgain`] if another process holds one of them.
    fn lock(&self) -> anyhow::Result<Vec<Lock>> {
        match self.locks {
            Locks::Directory => Ok(vec![commit::hold(&self.dir, self.stage)?]),
            _ => self.locked_directories().iter().map(|dir| commit::lock(dir, self.stage)).collect(),
        }
    }

    fn locked_directories(&self) -> Vec<PathBuf> {
        match &self.locks {
            Locks::Tree | Locks::Directory => vec![self.dir.clone()],
            Locks::Folders(folders) => folders.iter().map(|folder| self.dir.join(folder)).collect(),
        }
    }

    /// Returns whether the file `name` has not changed since this stage made it. False if it cannot be determined.
    pub fn has_intact(&self, name: &str) -> bool {
        let Ok(Some(Listed { outputs, .. })) = self.listed() else { return false };
        let Some(made) = outputs.get(name) else { return false };
        let digests = Digests::open(&self.digests_path());
        match digests.of_output(&self.dir.join(name)) {
            Ok(Content::File(found)) => made.as_ref().is_none_or(|made| *made == found),
            _ => false,
        }
    }

    /// Answers `--check`, does `--clean`, or prints that the outputs are current; in these cases the result is `None`
    /// and the caller must end. Otherwise returns the job to run.
    ///
    /// `asked` is called once, but not for `--clean`.
    ///
    /// # Errors
    /// [`Exit::Stale`] for `--check` of outputs that are not current; the errors of `asked`; an interruption.
    pub fn start(
        &self,
        rerun: &RerunArgs,
        common: &CommonArgs,
        asked: impl FnOnce() -> anyhow::Result<Inputs>,
    ) -> anyhow::Result<Option<Job>> {
        if rerun.clean {
            return self.clean().map(|()| None);
        }
        self.refuse_another_stage()?;
        let recorded = self.recorded();
        let state = asked().and_then(|asked| {
            let mut digests = Digests::open(&self.digests_path());
            let inputs =
                asked.inputs.into_iter().map(|(role, input)| Ok((role, digests.of_input(role, &input)?)));
            let inputs: BTreeMap<&str, String> = inputs.collect::<anyhow::Result<_>>()?;
            let because = reasons::why(self, &recorded, &asked.parameters, &inputs, &mut digests)?;
            Ok((asked.parameters, inputs, digests, because))
        });
        if rerun.check {
            let because = state.map(|(.., because)| because);
            return self.answer(common, because.or_else(error_as_reason)?).map(|()| None);
        }
        let (parameters, inputs, digests, because) = state?;
        if because.is_empty() && !rerun.force {
            print_summary(common, &Answer { stage: self.stage, current: true, because })?;
            return Ok(None);
        }
        self.log(&because);
        let mut provenance = Provenance::new(self.stage, &parameters)?;
        provenance.inputs = inputs.into_iter().map(|(role, digest)| (role.to_owned(), digest)).collect();
        let place = self.clone();
        let made_before = BTreeMap::new();
        let mut job =
            Job { place, provenance, made_before, unreadable: None, digests, from_scratch: rerun.force };
        job.read_record();
        Ok(Some(job))
    }

    fn answer(&self, common: &CommonArgs, because: Vec<String>) -> anyhow::Result<()> {
        let current = because.is_empty();
        print_summary(common, &Answer { stage: self.stage, current, because })?;
        if current { Ok(()) } else { Err(Exit::Stale.into()) }
    }

    fn log(&self, because: &[String]) {
        for reason in because.iter().take(N_LOGGED) {
            tracing::info!("{}: {reason}", self.stage);
        }
        if because.len() > N_LOGGED {
            tracing::info!("{}: and {} more reasons", self.stage, because.len() - N_LOGGED);
        }
    }

    fn record_path(&self) -> PathBuf {
        self.dir.join(&self.record)
    }

    /// Returns the path of the cache of digests: a hidden file beside the record.
    fn digests_path(&self) -> PathBuf {
        let record = self.record_path();
        let stem = record.file_stem().unwrap_or_default().to_string_lossy();
        record.with_file_name(format!(".{}.digests", stem.trim_start_matches('.')))
    }

    /// Reads the record; `None` if there is none.
    fn recorded(&self) -> anyhow::Result<Option<Provenance>> {
        Provenance::read(&self.record_path())
    }

    /// Reads the outputs in the record, of whatever format version; `None` if there is no record.
    fn listed(&self) -> anyhow::Result<Option<Listed>> {
        Listed::read(&self.record_path())
    }

    /// Refuses a directory with the record of another stage, whose outputs would be removed as old ones of this stage.
    fn refuse_another_stage(&self) -> anyhow::Result<()> {
        match self.listed() {
            Ok(Some(listed)) if listed.stage != self.stage => Err(usage(format!(
                "{} has the outputs of the {}; give the {} another folder",
                self.dir.display(),
                listed.stage,
                self.stage
            ))),
            _ => Ok(()),
        }
    }

    /// Returns the process that runs this stage now, as `extractor (pid 17)`.
    fn running(&self) -> Option<String> {
        self.locked_directories().iter().find_map(|dir| commit::holder(dir))
    }
}

/// For `--check`: converts an error while the inputs are collected, such as a missing input, to a reason for being
/// stale. Usage errors and interruptions stay errors.
fn error_as_reason(error: anyhow::Error) -> anyhow::Result<Vec<String>> {
    match error.downcast_ref::<Exit>() {
        Some(Exit::Usage(_) | Exit::Interrupted(_)) => Err(error),
        _ => Ok(vec![format!("{error:#}")]),
    }
}

/// Computes one digest over names and contents, in order.
fn digest_of_list<'a>(list: impl Iterator<Item = (&'a str, &'a Content)>) -> String {
    let mut digest = Sha256::new();
    for (name, content) in list {
        // File names contain no zero byte, so it separates the parts.
        digest.update(name);
        digest.update([0]);
        digest.update(content.text());
        digest.update([0]);
    }
    to_hex(&digest.finalize().into())
}

/// Returns the differences between two JSON objects of parameters, one line each.
pub fn differences(then: &Value, now: &Value) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (then, now) = (then.as_object().unwrap_or(&empty), now.as_object().unwrap_or(&empty));
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    let shown = |value: Option<&Value>| match value {
        None | Some(Value::Null) => "not set".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let null = json!(null);
    names
        .into_iter()
        .filter(|name| then.get(*name).unwrap_or(&null) != now.get(*name).unwrap_or(&null))
        .map(|name| format!("{name} was {}, is {}", shown(then.get(name)), shown(now.get(name))))
        .collect()
}
