//! Which version of a file to take.
//!
//! Of some networks this program knows commit and digest beforehand. Of the others the first answer of the hub is
//! believed: what it says is recorded beside the weights, and whatever is fetched later must be that version.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::Context;
use data::backbone::{HubFile, Pin};
use data::provenance::{from_hex, sha256_file};
use data::{commit, regular};
use hf_hub::{Cache, Repo};
use serde::{Deserialize, Serialize};

use super::Settings;
use super::remote::Remote;

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
    /// Gives the version of `file` to take: that which is known, recorded as `record`, in the cache, or the latest of the hub.
    ///
    /// # Errors
    /// If the record is damaged, or none is known and the hub cannot be asked or does not say.
    pub(super) fn find(file: &HubFile, record: &Path, settings: &Settings) -> anyhow::Result<Self> {
        if let Some(Pin { revision, sha256 }) = file.pin {
            return Ok(Self { revision: revision.to_owned(), sha256: sha256.to_owned() });
        }
        if let Some(version) = Self::recorded(record)? {
            return Ok(version);
        }
        if let Some(path) = cached(file, settings) {
            return Self::of_cached(&path);
        }
        let url = latest(file, &settings.environment.endpoint);
        let manually = format!(
            "where there is a network, run\n  curl -fL -o FILE.safetensors {}\nand give that file with --from",
            latest(file, "https://huggingface.co")
        );
        anyhow::ensure!(
            !settings.environment.offline,
            "the weights {} are not on this machine, and HF_HUB_OFFLINE is set; {manually}",
            file.repository
        );
        let mut remote = Remote::unpinned(url, &settings.environment, &settings.policy);
        let said = remote.read(0..1, |_| Ok(())).and_then(|()| remote.version());
        said.map_err(|error| match error.is::<data::stage::Exit>() {
            true => error,
            false => anyhow::anyhow!("cannot fetch the weights {}: {error:#}\n{manually}", file.repository),
        })
    }

    /// Checks that commit and digest can be such.
    pub(super) fn checked(self) -> anyhow::Result<Self> {
        let is_commit = self.revision.len() == 40 && self.revision.bytes().all(|b| b.is_ascii_hexdigit());
        anyhow::ensure!(is_commit, "{:?} is no commit, expected 40 hexadecimal digits", self.revision);
        from_hex(&self.sha256).with_context(|| format!("{:?} is no sha256", self.sha256))?;
        Ok(self)
    }

    /// Reads what [`Version::record`] wrote, if it has.
    fn recorded(record: &Path) -> anyhow::Result<Option<Self>> {
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
    fn of_cached(path: &Path) -> anyhow::Result<Self> {
        let revision = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        Self { revision: revision.into_owned(), sha256: sha256_file(path)? }
            .checked()
            .with_context(|| format!("cannot use {}", path.display()))
    }
}

/// Finds the file in the cache that all programs share, at the commit that the branch had when it was fetched.
fn cached(file: &HubFile, settings: &Settings) -> Option<PathBuf> {
    let repo = Repo::model(file.repository.to_owned());
    Cache::new(settings.environment.cache.clone()).repo(repo).get(file.file)
}

/// The address of the latest version at `endpoint`.
fn latest(file: &HubFile, endpoint: &str) -> String {
    let repo = Repo::model(file.repository.to_owned());
    format!("{endpoint}/{}/resolve/{}/{}", repo.url(), repo.url_revision(), file.file)
}
