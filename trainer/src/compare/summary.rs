//! The result of `trainer compare`, as text and as JSON.

use std::fmt;

use data::manifest::Split;
use data::metrics::is_top5_informative;
use serde::Serialize;

use super::finished_run::FinishedRun;
use super::verdict::Verdict;
use crate::metrics::wilson_interval;
use crate::report::flaws::flaws;

/// The metrics of one run on test. Shares are from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its name.
    pub name: String,
    /// Top-1 accuracy.
    pub top1: f64,
    /// Wilson's 95 % confidence interval for `top1`.
    pub top1_interval: [f64; 2],
    /// Top-5 accuracy.
    pub top5: f64,
    /// Number of classes.
    pub n_classes: usize,
    /// Wilson's 95 % confidence interval for `top5`.
    pub top5_interval: [f64; 2],
    /// Pictures in train, augmented copies included.
    pub n_train: usize,
    /// Pictures in valid.
    pub n_valid: usize,
    /// Pictures in test.
    pub n_test: usize,
    /// The flaws of its recipe, as in its report.
    pub flaws: Vec<String>,
}

impl RunSummary {
    pub(super) fn new(run: &FinishedRun) -> Self {
        let metrics = run.results.metrics_of_split();
        let n_top5 = (metrics.top5 * metrics.n as f64).round() as usize;
        Self {
            name: run.name.clone(),
            top1: metrics.top1,
            top1_interval: metrics.top1_interval,
            n_classes: metrics.n_classes,
            top5: metrics.top5,
            top5_interval: wilson_interval(n_top5, metrics.n),
            n_train: run.results.n_rows(Split::Train),
            n_valid: run.results.n_rows(Split::Valid),
            n_test: metrics.n,
            flaws: flaws(&run.results).into_iter().map(|flaw| flaw.what).collect(),
        }
    }
}

/// The result of `trainer compare`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The metrics, in the order of the flags.
    pub runs: Vec<RunSummary>,
    /// The comparison of the first run with each other one.
    pub verdicts: Vec<Verdict>,
    /// Parameters that are not the same in all runs: `<stage> <parameter>` and the value in each run.
    pub differences: Vec<(String, Vec<String>)>,
    /// Path of the page.
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
                if is_top5_informative(run.n_classes) {
                    share(run.top5, run.top5_interval)
                } else {
                    "-".to_owned()
                },
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
