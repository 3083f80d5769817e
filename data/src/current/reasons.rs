//! The reasons why outputs are not current, one line each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::digests::{Content, Digests};
use super::{Place, differences};
use crate::provenance::Provenance;

/// Maximum number of outputs that are named; the others are only counted.
const N_NAMED: usize = 3;

/// Returns all differences between the record and the current inputs and outputs; empty if they are current.
pub(super) fn why(
    place: &Place,
    recorded: &anyhow::Result<Option<Provenance>>,
    parameters: &Value,
    inputs: &BTreeMap<&str, String>,
    digests: &mut Digests,
) -> anyhow::Result<Vec<String>> {
    let made = match recorded {
        Ok(None) => return Ok(vec!["not made yet".to_owned()]),
        Err(error) => return Ok(vec![format!("{error:#}")]),
        Ok(Some(made)) => made,
    };
    if made.outputs.values().any(Option::is_none) {
        let running = place.running().map(|process| format!("{process} is running"));
        return Ok(vec![running.unwrap_or_else(|| "an earlier run did not end".to_owned())]);
    }
    let mut reasons = differences(&made.parameters, parameters);
    reasons.extend(of_inputs(&made.inputs, inputs, digests));
    reasons.extend(of_outputs(place, &made.outputs, digests)?);
    Ok(reasons)
}

fn of_inputs(
    then: &BTreeMap<String, String>,
    now: &BTreeMap<&str, String>,
    digests: &Digests,
) -> Vec<String> {
    let mut reasons = Vec::new();
    for (role, digest) in now {
        match then.get(*role) {
            Some(before) if before == digest => {}
            Some(_) => reasons.push(digests.changes(role)),
            None => reasons.push(format!("{role} was not an input before")),
        }
    }
    let gone = then.keys().filter(|role| !now.contains_key(role.as_str()));
    reasons.extend(gone.map(|role| format!("{role} is no longer an input")));
    reasons
}

fn of_outputs(
    place: &Place,
    made: &BTreeMap<String, Option<String>>,
    digests: &mut Digests,
) -> anyhow::Result<Vec<String>> {
    let found = digests.look_at(made.keys().map(|name| (name.clone(), place.dir.join(name))).collect())?;
    let mut reasons = Vec::new();
    for (name, content) in found {
        let expected = made.get(&name).and_then(Option::as_deref);
        if expected == Some(content.text()) {
            continue;
        }
        reasons.push(match content {
            Content::Absent => format!("{name} is missing"),
            _ => format!("{name} is not what this stage made"),
        });
    }
    if reasons.len() > N_NAMED {
        let n_more = reasons.len() - N_NAMED;
        reasons.truncate(N_NAMED);
        reasons.push(format!("and {n_more} more outputs are missing or not what this stage made"));
    }
    Ok(reasons)
}
