//! Whether the test metrics of two runs can be compared, and the result of the comparison.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::finished_run::FinishedRun;
use crate::sign_test;

/// The comparison of two runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Names of the two runs.
    pub runs: [String; 2],
    /// Whether both were evaluated on the same original pictures.
    pub comparable: bool,
    /// The result in words.
    pub text: String,
}

impl Verdict {
    /// Compares two runs.
    pub(super) fn new(a: &FinishedRun, b: &FinishedRun) -> Self {
        let runs = [a.name.clone(), b.name.clone()];
        let obstacles = obstacles(a, b);
        if obstacles.is_empty() {
            Self { runs, comparable: true, text: comparison(a, b) }
        } else {
            let obstacles = obstacles.join("; ");
            let text =
                format!("The test metrics of {} and {} cannot be compared: {obstacles}.", a.name, b.name);
            Self { runs, comparable: false, text }
        }
    }
}

/// Reasons why the metrics cannot be compared.
fn obstacles(a: &FinishedRun, b: &FinishedRun) -> Vec<String> {
    let mut obstacles = Vec::new();
    let (n_a, n_b) = (a.is_correct.len(), b.is_correct.len());
    let n_shared = a.is_correct.keys().filter(|path| b.is_correct.contains_key(*path)).count();
    if n_shared < n_a || n_shared < n_b {
        obstacles.push(format!("their test pictures differ ({n_a} and {n_b}, {n_shared} of them in both)"));
    }
    let augmented: Vec<&str> =
        [a, b].into_iter().filter(|run| run.has_augmented_test()).map(|run| run.name.as_str()).collect();
    if !augmented.is_empty() {
        obstacles.push(format!("the test pictures of {} are augmented copies", augmented.join(" and ")));
    }
    obstacles
}

/// The exact sign test in words.
fn comparison(a: &FinishedRun, b: &FinishedRun) -> String {
    type Correct = BTreeMap<PathBuf, bool>;
    let only = |one: &Correct, other: &Correct| {
        one.iter().filter(|(path, is_correct)| **is_correct && !other[*path]).count()
    };
    let (only_a, only_b) = (only(&a.is_correct, &b.is_correct), only(&b.is_correct, &a.is_correct));
    let p = sign_test::two_sided(only_a, only_b);
    let p_value = if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") };
    let evidence = if p < 0.05 { "evidence" } else { "no evidence" };
    format!(
        "{} and {} were evaluated on the same {} original pictures: only {} classifies {only_a} of them correctly, only \
         {} {only_b}. {p_value} (exact sign test): {evidence} that the heads differ.",
        a.name,
        b.name,
        a.is_correct.len(),
        a.name,
        b.name
    )
}
