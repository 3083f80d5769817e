//! Which version of a file to take.
//!
//! Of some networks this program knows commit and digest beforehand. Of the others the first answer of the hub is
//! believed: what it says is recorded beside the weights, and whatever is fetched later must be that version.

use std::path::{Path, PathBuf};

use data::backbone::{HubFile, Pin};
use data::stage::Exit;
use hf_hub::{Cache, Repo};

use super::Settings;
use super::remote::Remote;
use super::version::Version;

/// Gives the version of `file` to take: that which is known, recorded as `record`, in the cache, or the latest of the hub.
///
/// # Errors
/// If the record is damaged, or none is known and the hub cannot be asked or does not say.
pub(super) fn find_version(file: &HubFile, record: &Path, settings: &Settings) -> anyhow::Result<Version> {
    if let Some(Pin { revision, sha256 }) = file.pin {
        return Ok(Version { revision: revision.to_owned(), sha256: sha256.to_owned() });
    }
    if let Some(version) = Version::recorded(record)? {
        return Ok(version);
    }
    if let Some(path) = cached(file, settings) {
        return Version::of_cached(&path);
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
    said.map_err(|error| match error.is::<Exit>() {
        true => error,
        false => anyhow::anyhow!("cannot fetch the weights {}: {error:#}\n{manually}", file.repository),
    })
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
