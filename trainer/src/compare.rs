//! `trainer compare`: finished runs side by side, and whether their figures may be compared at all.
//!
//! It reads what the stages wrote and measures nothing. Two test figures are comparable where they are of
//! the same pictures as they are; otherwise the page says why not.

mod page;
mod sign_test;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use data::commit;
use data::current::{Inputs, Place, RerunArgs};
use data::manifest::Split;
use data::stage::{CommonArgs, usage};
use serde::Serialize;
use serde_json::Value;

use crate::metrics::{top5_tells, wilson_interval};
use crate::report::ReportArgs;
use crate::report::flaws::flaws;
use crate::report::material::Material;
use crate::report::page::word;

/// Flags of `trainer compare`.
#[derive(Debug, Clone, clap::Args)]
pub struct CompareArgs {
    /// A name and a work directory with split, augmented, features and model, as `make` lays it out; give it
    /// twice or more. The first is what the others are compared with
    #[arg(long, value_name = "NAME=DIR", required = true)]
    pub run: Vec<NamedRun>,
    /// The page to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What to do about a page that is there already
    #[command(flatten)]
    pub rerun: RerunArgs,
}

/// A run under a name.
#[derive(Debug, Clone)]
pub struct NamedRun {
    /// What it is called on the page.
    pub name: String,
    /// Its work directory.
    pub dir: PathBuf,
}

impl FromStr for NamedRun {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let parts = text.split_once('=').filter(|(name, dir)| !name.is_empty() && !dir.is_empty());
        let (name, dir) =
            parts.with_context(|| format!("{text:?} is no NAME=DIR, as in default=data/runs/mine"))?;
        Ok(Self { name: name.to_owned(), dir: dir.into() })
    }
}

/// Compares runs; `None` if the page is current, or only that was asked.
///
/// # Errors
/// If there are fewer than two, a run is not complete (names the file and what to run), has no figures on
/// test, or the page cannot be written.
pub fn compare(args: &CompareArgs, common: &CommonArgs) -> anyhow::Result<Option<Summary>> {
    let name = args.out.file_name().with_context(|| format!("--out {} names no file", args.out.display()))?;
    let name = name.to_string_lossy().into_owned();
    let dir = args.out.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let place = Place::new(dir, &format!(".{name}.json"), "trainer compare");
    let Some(mut job) = place.start(&args.rerun, common, || asked(args))? else { return Ok(None) };
    job.declare([name.clone()])?;
    let runs = args.run.iter().map(Run::open).collect::<anyhow::Result<Vec<_>>>()?;
    let Some((first, others)) = runs.split_first().filter(|(_, others)| !others.is_empty()) else {
        return Err(usage("--run is given once, expected two runs or more"));
    };
    let summary = Summary {
        runs: runs.iter().map(RunSummary::of).collect(),
        verdicts: others.iter().map(|other| Verdict::on(first, other)).collect(),
        differences: differences(&runs),
        out: args.out.display().to_string(),
    };
    commit::write_bytes(&args.out, page::render(&summary, &runs).as_bytes())?;
    job.finish([name])?;
    Ok(Some(summary))
}

/// What the page depends on: the names, and the files of each run.
fn asked(args: &CompareArgs) -> anyhow::Result<Inputs> {
    let names: Vec<&str> = args.run.iter().map(|run| run.name.as_str()).collect();
    let files = [
        "split/rejects.csv",
        "split/provenance.json",
        "augmented/manifest.csv",
        "augmented/provenance.json",
        "features/index.json",
        "model/head.safetensors",
        "model/history.csv",
        "model/metrics.json",
        "model/predictions.csv",
    ];
    let of_run = |run: &NamedRun| files.map(|file| (format!("{}/{file}", run.name), run.dir.join(file)));
    Ok(Inputs::new(&serde_json::json!({ "run": names }))?.files("runs", args.run.iter().flat_map(of_run)))
}

/// A run that has been read.
struct Run {
    name: String,
    material: Material,
    /// For each test picture, by its original's place: whether the head names it right.
    test: BTreeMap<PathBuf, bool>,
}

impl Run {
    fn open(NamedRun { name, dir }: &NamedRun) -> anyhow::Result<Self> {
        let manifest = dir.join("augmented").join(data::manifest::FILE_NAME);
        let material = Material::gather(&ReportArgs {
            features: dir.join("features"),
            model: dir.join("model"),
            manifest: manifest.clone(),
            split_dir: Some(dir.join("split")),
            rerun: RerunArgs::default(),
        })
        .with_context(|| format!("the run {name}"))?;
        anyhow::ensure!(
            material.split == Split::Test,
            "the run {name} in {} has no figures on test; run trainer evaluate --split valid,test",
            dir.display()
        );
        let originals: BTreeMap<&str, PathBuf> = material
            .manifest
            .rows
            .iter()
            .filter(|row| row.split == Split::Test)
            .map(|row| (row.path.as_str(), row.augmented.as_ref().map_or(&row.path, |a| &a.source)))
            .map(|(path, original)| (path, place(&manifest, original)))
            .collect();
        let test = material
            .predictions
            .iter()
            .map(|p| {
                let original = originals.get(p.path.as_str()).with_context(|| {
                    format!(
                        "{} is no test picture of {}; run trainer evaluate again",
                        p.path,
                        manifest.display()
                    )
                })?;
                Ok((original.clone(), p.is_right()))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { name: name.clone(), material, test })
    }

    fn is_distorted(&self) -> bool {
        self.material.is_replaced(Split::Test)
    }
}

/// Where a picture lies, the same for all manifests that name it; as written where it is gone.
fn place(manifest: &Path, path: &str) -> PathBuf {
    let joined = manifest.parent().unwrap_or(Path::new("")).join(path);
    joined.canonicalize().unwrap_or(joined)
}

/// Every parameter that is not the same in all runs: its name, and its value in each.
fn differences(runs: &[Run]) -> Vec<(String, Vec<String>)> {
    let parameters: Vec<BTreeMap<String, String>> =
        runs.iter().map(|run| parameters(&run.material)).collect();
    let names: BTreeSet<&String> = parameters.iter().flat_map(BTreeMap::keys).collect();
    let values = |name: &String| -> Vec<String> {
        parameters.iter().map(|of_run| of_run.get(name).cloned().unwrap_or_else(|| "-".to_owned())).collect()
    };
    names
        .into_iter()
        .map(|name| (name.clone(), values(name)))
        .filter(|(_, values)| values.windows(2).any(|pair| pair[0] != pair[1]))
        .collect()
}

/// What a run was made with, by `<stage> <parameter>`.
fn parameters(material: &Material) -> BTreeMap<String, String> {
    /// What the head records beside its parameters.
    const OUTCOMES: [&str; 6] =
        ["best_epoch", "valid_loss", "valid_top1", "n_train", "n_valid", "features_sha256"];
    let mut found = BTreeMap::new();
    let mut add = |stage: &str, values: &Value| {
        for (name, value) in values.as_object().into_iter().flatten() {
            let is_outcome = stage == "trainer" && OUTCOMES.contains(&name.as_str());
            if !value.is_null() && !is_outcome {
                found.insert(format!("{stage} {}", name.replace('_', "-")), word(value));
            }
        }
    };
    for (stage, values) in &material.made_with {
        add(stage, values);
    }
    add("extractor", &serde_json::to_value(&material.head.recipe).unwrap_or_default());
    add("trainer", &material.head.training);
    found
}

/// Figures of one run. Shares are from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its name.
    pub name: String,
    /// Share of the test pictures that are named right.
    pub top1: f64,
    /// Wilson's interval at 95 %.
    pub top1_interval: [f64; 2],
    /// Share whose class is among the five most probable.
    pub top5: f64,
    /// Classes that it tells apart.
    pub n_classes: usize,
    /// Wilson's interval at 95 %.
    pub top5_interval: [f64; 2],
    /// Pictures in train, copies among them.
    pub n_train: usize,
    /// Pictures in valid.
    pub n_valid: usize,
    /// Pictures in test.
    pub n_test: usize,
    /// What is wrong with it, as in its report.
    pub flaws: Vec<String>,
}

impl RunSummary {
    fn of(run: &Run) -> Self {
        let figures = run.material.figures();
        let n_top5 = (figures.top5 * figures.n as f64).round() as usize;
        Self {
            name: run.name.clone(),
            top1: figures.top1,
            top1_interval: figures.top1_interval,
            n_classes: figures.n_classes,
            top5: figures.top5,
            top5_interval: wilson_interval(n_top5, figures.n),
            n_train: run.material.n_rows(Split::Train),
            n_valid: run.material.n_rows(Split::Valid),
            n_test: figures.n,
            flaws: flaws(&run.material).into_iter().map(|flaw| flaw.what).collect(),
        }
    }
}

/// Whether two test figures may be compared, and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Names of the two runs.
    pub runs: [String; 2],
    /// Whether both figures are of the same pictures as they are.
    pub comparable: bool,
    /// In words.
    pub text: String,
}

impl Verdict {
    fn on(a: &Run, b: &Run) -> Self {
        let runs = [a.name.clone(), b.name.clone()];
        let n_shared = a.test.keys().filter(|place| b.test.contains_key(*place)).count();
        let mut reasons = Vec::new();
        if n_shared < a.test.len() || n_shared < b.test.len() {
            reasons.push(format!(
                "they are of other test pictures ({} and {}, {n_shared} of them in both)",
                a.test.len(),
                b.test.len()
            ));
        }
        let distorted: Vec<&str> =
            [a, b].into_iter().filter(|run| run.is_distorted()).map(|run| run.name.as_str()).collect();
        if !distorted.is_empty() {
            reasons.push(format!("the test pictures of {} are distorted copies", distorted.join(" and ")));
        }
        if !reasons.is_empty() {
            let text = format!(
                "The test figures of {} and {} cannot be compared: {}.",
                a.name,
                b.name,
                reasons.join("; ")
            );
            return Self { runs, comparable: false, text };
        }
        let only = |one: &Run, other: &Run| {
            one.test.iter().filter(|(at, right)| **right && !other.test[*at]).count()
        };
        let (only_a, only_b) = (only(a, b), only(b, a));
        let chance = match 100.0 * sign_test::two_sided(only_a, only_b) {
            chance if chance < 0.1 => "less than 0.1".to_owned(),
            chance => format!("{chance:.1}"),
        };
        let text = format!(
            "{} and {} were judged on the same {} pictures, as they are: {} alone names {only_a} of them right, {} \
             alone {only_b}. Two equally good heads differ so much, or more, in {chance} % of cases.",
            a.name,
            b.name,
            a.test.len(),
            a.name,
            b.name
        );
        Self { runs, comparable: true, text }
    }
}

/// What was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Figures, in the order of the flags.
    pub runs: Vec<RunSummary>,
    /// The first run and each other one.
    pub verdicts: Vec<Verdict>,
    /// Parameters that are not the same in all: `<stage> <name>` and the value in each run.
    pub differences: Vec<(String, Vec<String>)>,
    /// The page.
    pub out: String,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.runs.iter().map(|run| run.name.chars().count()).max().unwrap_or(0).max(3);
        writeln!(
            f,
            "{:width$}  {:>21}  {:>21}  {:>6} {:>6} {:>6}  flaws",
            "run", "test top-1", "test top-5", "train", "valid", "test"
        )?;
        for run in &self.runs {
            let share = |share: f64, [low, high]: [f64; 2]| {
                format!("{:.1} % ({:.1} to {:.1})", 100.0 * share, 100.0 * low, 100.0 * high)
            };
            writeln!(
                f,
                "{:width$}  {:>21}  {:>21}  {:>6} {:>6} {:>6}  {:>5}",
                run.name,
                share(run.top1, run.top1_interval),
                if top5_tells(run.n_classes) { share(run.top5, run.top5_interval) } else { "-".to_owned() },
                run.n_train,
                run.n_valid,
                run.n_test,
                run.flaws.len()
            )?;
        }
        for verdict in &self.verdicts {
            writeln!(f, "{}", verdict.text)?;
        }
        write!(f, "wrote {}", self.out)
    }
}
