//! The version of a file, and the record of it beside the weights.

use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context;
use data::provenance::{from_hex, sha256_file};
use data::{commit, regular};
use serde::{Deserialize, Serialize};

/// One version of a file of the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Version {
    /// The commit, 40 hexadecimal digits.
    pub(super) revision: String,
    /// The sha256 of the file.
    pub(super) sha256: String,
}

impl Version {
    /// Checks that commit and digest can be such.
    pub(super) fn checked(self) -> anyhow::Result<Self> {
        let is_commit = self.revision.len() == 40 && self.revision.bytes().all(|b| b.is_ascii_hexdigit());
        anyhow::ensure!(is_commit, "{:?} is no commit, expected 40 hexadecimal digits", self.revision);
        from_hex(&self.sha256).with_context(|| format!("{:?} is no sha256", self.sha256))?;
        Ok(self)
    }

    /// Reads what [`Version::record`] wrote, if it has.
    pub(super) fn recorded(record: &Path) -> anyhow::Result<Option<Self>> {
        let text = match regular::read_to_string(record) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("cannot read {}", record.display()))?,
        };
        let version: anyhow::Result<Self> = serde_json::from_str(&text).map_err(anyhow::Error::from);
        // Otherwise the server would be believed anew.
        version.and_then(Self::checked).map(Some).with_context(|| {
            format!("{} is damaged; remove it to take the latest version of the hub", record.display())
        })
    }

    /// Records the version as `record`, unless it is recorded.
    pub(super) fn record(&self, record: &Path) -> anyhow::Result<()> {
        if Self::recorded(record)?.is_some() {
            return Ok(());
        }
        commit::write_bytes(record, format!("{}\n", serde_json::to_string_pretty(self)?).as_bytes())
    }

    /// Gives the version of a file of the cache, whose directory is named after the commit.
    pub(super) fn of_cached(path: &Path) -> anyhow::Result<Self> {
        let revision = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        Self { revision: revision.into_owned(), sha256: sha256_file(path)? }
            .checked()
            .with_context(|| format!("cannot use {}", path.display()))
    }
}
