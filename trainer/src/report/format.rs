//! Numbers and parameters as the pages show them.

use serde_json::Value;

/// Formats a share from 0 to 1 in percent.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

/// Formats the value of a parameter.
pub(crate) fn parameter(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" : "),
        other => other.to_string(),
    }
}

/// Formats parameters by name, without those that are not set.
pub(crate) fn parameters(values: &Value) -> String {
    match values {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{} {}", name.replace(['_', '-'], " "), parameter(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => parameter(other),
    }
}
