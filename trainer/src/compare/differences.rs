//! The parameters in which finished runs differ.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::finished_run::FinishedRun;
use crate::report::format;
use crate::report::results::Results;

/// Finds every parameter that is not the same in all runs: its name, `<stage> <parameter>`, and its value in each run.
pub(super) fn differences(runs: &[FinishedRun]) -> Vec<(String, Vec<String>)> {
    let parameters: Vec<BTreeMap<String, String>> = runs.iter().map(|run| parameters(&run.results)).collect();
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

/// Lists the parameters of all stages of a run, by `<stage> <parameter>`.
fn parameters(results: &Results) -> BTreeMap<String, String> {
    let training = results.head_info.training.as_ref();
    let extractor = ("extractor".to_owned(), json!(results.head_info.recipe));
    let trainer = ("trainer".to_owned(), json!(training.map(|training| &training.hyperparameters)));
    let epochs = ("trainer".to_owned(), json!({ "epochs": training.map(|training| training.epochs) }));
    let mut found = BTreeMap::new();
    for (stage, values) in results.made_with.iter().chain([&extractor, &trainer, &epochs]) {
        for (name, value) in
            values.as_object().into_iter().flatten().filter(|(_, value)| **value != Value::Null)
        {
            found.insert(format!("{stage} {}", name.replace('_', "-")), format::parameter(value));
        }
    }
    found
}
