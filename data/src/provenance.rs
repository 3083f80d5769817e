//! The provenance of an artefact: one canonical JSON string in it or beside it.
//!
//! Canonical means sorted keys and no white space, so that equal provenance has equal bytes. It has no
//! timestamps, host names or absolute paths: the same work gives the same bytes everywhere.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{commit, regular};

/// Version of all formats in this crate; must be raised when readers of the old version would be wrong.
pub const FORMAT_VERSION: u32 = 4;

/// The stage, parameters and inputs of an artefact, and all outputs of the stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// The stage: `splitter`, `augmenter`, ...
    pub stage: String,
    /// The parameters that the result depends on, by flag name.
    pub parameters: Value,
    /// sha256 of every input, by its role; for many files, that of their names and digests.
    pub inputs: BTreeMap<String, String>,
    /// sha256 of every output file, by its path relative to the stage's directory; `null` for one that an
    /// unfinished run may have made.
    pub outputs: BTreeMap<String, Option<String>>,
}

impl Provenance {
    /// Returns the provenance of `stage` with `parameters`, without inputs and outputs.
    ///
    /// # Errors
    /// If the parameters cannot be JSON (a map with keys that are not strings).
    pub fn new(stage: &str, parameters: &impl Serialize) -> anyhow::Result<Self> {
        Ok(Self {
            format_version: FORMAT_VERSION,
            stage: stage.to_owned(),
            parameters: serde_json::to_value(parameters).context("parameters are not JSON")?,
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
        })
    }

    /// Writes the provenance as `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        commit::write_bytes(path, (canonical_json(self)? + "\n").as_bytes())
    }

    /// Reads a file from [`Provenance::write`]; `None` if it does not exist.
    ///
    /// # Errors
    /// If the file exists but is not a provenance of this format version.
    pub fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let Some(value) = read_json(path)? else { return Ok(None) };
        check_version(path, value.get("format_version"))?;
        let provenance = serde_json::from_value(value)
            .with_context(|| format!("{} is not a provenance", path.display()))?;
        Ok(Some(provenance))
    }
}

/// The part of a provenance that is the same in every format version: the stage, and its outputs.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(crate) struct Listed {
    /// As [`Provenance::stage`].
    pub(crate) stage: String,
    /// As [`Provenance::outputs`].
    pub(crate) outputs: BTreeMap<String, Option<String>>,
}

impl Listed {
    /// Reads it from a provenance of any format version; `None` if the file does not exist.
    ///
    /// # Errors
    /// If the file exists but lists no outputs.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Option<Self>> {
        let Some(value) = read_json(path)? else { return Ok(None) };
        let listed = serde_json::from_value(value)
            .with_context(|| format!("{} is not a provenance", path.display()))?;
        Ok(Some(listed))
    }
}

/// Reads a JSON file; `None` if it does not exist.
fn read_json(path: &Path) -> anyhow::Result<Option<Value>> {
    let text = match regular::read_to_string(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.with_context(|| format!("cannot read {}", path.display()))?,
    };
    let value = serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?;
    Ok(Some(value))
}

/// Refuses an artefact of another format version.
///
/// # Errors
/// If `version` is not [`FORMAT_VERSION`]; the error names the file.
pub fn check_version(path: &Path, version: Option<&Value>) -> anyhow::Result<()> {
    let found = version.and_then(Value::as_u64);
    anyhow::ensure!(
        found == Some(u64::from(FORMAT_VERSION)),
        "{} was written by another version (format {}, this program reads {FORMAT_VERSION}); run the stage again",
        path.display(),
        found.map_or("none".to_owned(), |v| v.to_string()),
    );
    Ok(())
}

/// Returns `value` as JSON with sorted keys and no white space.
///
/// # Errors
/// If the value cannot be written as JSON.
pub fn canonical_json(value: &impl Serialize) -> anyhow::Result<String> {
    // A sorted map is built here, because a feature that another crate enables can change the order of serde_json's
    // own map.
    fn sorted(value: Value) -> Value {
        match value {
            Value::Object(map) => {
                let entries: BTreeMap<String, Value> = map.into_iter().map(|(k, v)| (k, sorted(v))).collect();
                Value::Object(entries.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
            other => other,
        }
    }
    Ok(serde_json::to_string(&sorted(serde_json::to_value(value)?))?)
}

/// Returns the sha256 of `bytes` as 64 lower-case hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    to_hex(&Sha256::digest(bytes).into())
}

/// Computes the sha256 of a file's content, read in pieces.
///
/// # Errors
/// If the file cannot be read.
pub fn sha256_file(path: &Path) -> anyhow::Result<String> {
    let read = || -> std::io::Result<String> {
        let mut file = regular::open(path)?;
        let mut digest = Sha256::new();
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(to_hex(&digest.finalize().into())),
                n => digest.update(&buffer[..n]),
            }
        }
    };
    read().with_context(|| format!("cannot read {}", path.display()))
}

/// Formats 32 bytes as 64 hexadecimal digits.
pub fn to_hex(digest: &[u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Parses 64 hexadecimal digits as 32 bytes.
///
/// # Errors
/// If `text` is not 64 hexadecimal digits.
pub fn from_hex(text: &str) -> anyhow::Result<[u8; 32]> {
    let mut digest = [0; 32];
    anyhow::ensure!(
        text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()),
        "{text:?} is not a sha256 (64 hexadecimal digits)"
    );
    for (i, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16)?;
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_json_sorts_keys_at_every_depth() {
        let value = serde_json::json!({"b": {"z": 1, "a": [{"y": 0, "x": 0}]}, "a": 2});
        assert_eq!(canonical_json(&value).unwrap(), r#"{"a":2,"b":{"a":[{"x":0,"y":0}],"z":1}}"#);
    }

    #[test]
    fn hex_is_parsed_back() {
        let digest = sha256_hex(b"abc");
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(to_hex(&from_hex(&digest).unwrap()), digest);
        assert!(from_hex("ba78").is_err());
    }

    #[test]
    fn another_format_version_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("provenance.json");
        commit::write_bytes(&path, br#"{"format_version":99}"#).unwrap();
        let message = format!("{:#}", Provenance::read(&path).unwrap_err());
        assert!(message.contains("provenance.json was written by another version (format 99"), "{message}");
    }
}
