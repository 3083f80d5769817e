//! Weights from the Hugging Face hub.
//!
//! With `--full` the crate hf-hub fetches the whole file into the cache that all programs share ([`whole`]), and its
//! sha256 is checked. Without it only the bytes of the layers that make features are fetched ([`ranges`]): of VGG-16 59
//! of 553 MB. No digest of the whole file can check a part: the hub's ETag must equal the pinned sha256 with every
//! answer, and the header must describe exactly the file and the tensors that are expected. The digest of these layers is
//! recorded in the directory of the weights when they are fetched for the first time, and whatever is fetched later must
//! have the same. So the first time the server is trusted. Where no version of the file is known, it is trusted with the
//! digest of the whole file, too ([`lookup`]).

mod environment;
mod lookup;
mod parts;
mod ranges;
mod remote;
#[cfg(test)]
mod tests;
mod version;
mod whole;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use data::backbone::HubFile;
use data::provenance::{from_hex, sha256_file};
use data::stage::{CommonArgs, Exit};
use data::weights::{Origin, Weights};
use data::{commit, regular};
use fetch::RetryPolicy;
use hf_hub::{Cache, CacheRepo, Repo, RepoType};

use crate::config::Config;
use crate::published;
use environment::Environment;
use parts::Parts;
use remote::Remote;
use version::Version;

/// How downloads go.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    environment: Environment,
    policy: RetryPolicy,
    /// What is kept of an interrupted download is a multiple of this.
    piece_bytes: u64,
}

const POLICY: RetryPolicy = RetryPolicy {
    stall: Duration::from_secs(15),
    first_pause: Duration::from_secs(1),
    n_tries: 5,
    least_bytes: 64 << 10,
    least_bytes_per_window: 600 << 10,
    window: Duration::from_secs(60),
    longest_pause: Duration::from_secs(60),
};

impl Settings {
    /// Takes the endpoint, the cache and the token from the environment.
    ///
    /// # Errors
    /// A usage error for a variable that cannot be used.
    pub(crate) fn from_environment() -> anyhow::Result<Self> {
        Ok(Self { environment: Environment::read()?, policy: POLICY, piece_bytes: 8 << 20 })
    }
}

/// The weights of one network on the hub.
pub(crate) struct Hub<'a> {
    config: &'a Config,
    settings: Settings,
    common: &'a CommonArgs,
    version: Version,
}

impl<'a> Hub<'a> {
    /// Prepares to look for the weights of the configuration.
    ///
    /// # Errors
    /// If it cannot be found out which version of the file to take.
    pub(crate) fn new(
        config: &'a Config,
        settings: Settings,
        common: &'a CommonArgs,
    ) -> anyhow::Result<Self> {
        let version = lookup::find_version(&config.backbone.hub, &version_record(config), &settings)?;
        Ok(Self { config, settings, common, version })
    }

    /// Gives the parts of the configuration, fetched where they are not on this machine.
    ///
    /// # Errors
    /// If they cannot be fetched, with the command to run elsewhere.
    pub(crate) fn provide(&self) -> anyhow::Result<Vec<Weights>> {
        let mut whole = self.find_whole()?;
        if whole.is_none() && self.config.full {
            whole = Some(self.fetch(|remote| whole::fetch(self, remote))?);
        }
        let weights = match &whole {
            Some(path) => published::read_parts(path, self.config.backbone, self.origin(), self.config.full)?,
            None => {
                let features = self.fetch(|remote| ranges::fetch_features(self, remote))?;
                vec![Weights::of_features(self.config.backbone, self.origin(), features)]
            }
        };
        self.check_record(&weights[0].info.weights_sha256, whole.is_some())?;
        if self.published().pin.is_none() {
            self.version.record(&version_record(self.config))?;
        }
        self.parts().remove()?;
        Ok(weights)
    }

    fn published(&self) -> &'static HubFile {
        &self.config.backbone.hub
    }

    fn origin(&self) -> Origin {
        Origin {
            origin: self.config.backbone.hub_origin(),
            revision: Some(self.version.revision.clone()),
            licence: Some(self.published().licence.to_owned()),
            trained: true,
        }
    }

    fn repo(&self) -> Repo {
        Repo::with_revision(
            self.published().repository.to_owned(),
            RepoType::Model,
            self.version.revision.clone(),
        )
    }

    /// The address of the file at `endpoint`.
    fn url(&self, endpoint: &str) -> String {
        let repo = self.repo();
        format!("{endpoint}/{}/resolve/{}/{}", repo.url(), repo.url_revision(), self.published().file)
    }

    fn stem(&self) -> &'static str {
        stem(self.published())
    }

    // -----------------------------------------------------------------------------------------------
    // What is on this machine

    /// Where the digest of the fetched layers is recorded.
    fn record(&self) -> PathBuf {
        self.config.out.join(format!("{}-features.sha256", self.stem()))
    }

    /// The directory for pieces of an unfinished download.
    fn parts(&self) -> Parts {
        let name = format!(".{}-{}-features.parts", self.stem(), &self.version.revision[..8]);
        Parts { dir: self.config.out.join(name) }
    }

    /// Refuses layers with another digest than was recorded; records that of the first ones. `verified`: they are from
    /// the whole file, whose digest is known.
    fn check_record(&self, weights_sha256: &str, verified: bool) -> anyhow::Result<()> {
        let record = self.record();
        let recorded = match regular::read_to_string(&record) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            text => Some(text.with_context(|| format!("cannot read {}", record.display()))?),
        };
        let recorded = recorded.map(|text| text.trim().to_owned());
        match recorded {
            // Otherwise the server would be trusted anew.
            Some(damaged) if from_hex(&damaged).is_err() && !verified => anyhow::bail!(
                "{} is damaged, expected a sha256; --full fetches the whole file, whose sha256 is known",
                record.display()
            ),
            Some(recorded) if recorded == weights_sha256 => return Ok(()),
            Some(recorded) if !verified => {
                self.parts().remove()?;
                anyhow::bail!(
                    "the layers that {} sent have the sha256 {weights_sha256}, those of the first time had {recorded} \
                     ({}); one of the two is wrong: --full fetches the whole file, whose sha256 is known",
                    self.url(&self.settings.environment.endpoint),
                    record.display()
                );
            }
            Some(recorded) => tracing::warn!(
                "the layers that were fetched first, with the sha256 {recorded}, were not those of the file"
            ),
            None => {}
        }
        commit::write_bytes(&record, format!("{weights_sha256}\n").as_bytes())
    }

    /// Where somebody without a network puts the whole file.
    fn placed(&self) -> PathBuf {
        self.config.out.join(format!("{}.safetensors", self.stem()))
    }

    /// The repository in the cache.
    fn cache(&self) -> CacheRepo {
        Cache::new(self.settings.environment.cache.clone()).repo(self.repo())
    }

    /// Where the cache has the whole file of the pinned commit. (hf-hub's `get` asks for a branch of that name.)
    fn cached(&self) -> PathBuf {
        self.cache().pointer_path(&self.version.revision).join(self.published().file)
    }

    /// Finds the whole file on this machine and checks its digest.
    fn find_whole(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(path) = [self.placed(), self.cached()].into_iter().find(|path| path.exists()) else {
            return Ok(None);
        };
        let (found, expected) = (sha256_file(&path)?, &self.version.sha256);
        anyhow::ensure!(
            found == *expected,
            "{} is damaged or another file: its sha256 is {found}, expected {expected}; remove it and run again",
            path.display()
        );
        Ok(Some(path))
    }

    // -----------------------------------------------------------------------------------------------
    // Over the network

    /// Runs `fetch` on the remote file, unless the user wants no network; explains what else can be done.
    fn fetch<T>(&self, fetch: impl FnOnce(&mut Remote<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let (repository, stem) = (self.published().repository, self.stem());
        let elsewhere = format!(
            "where there is a network, run\n  curl -fL -o {stem}.safetensors {}\nand put the file into {}",
            self.url("https://huggingface.co"),
            self.config.out.display()
        );
        let Settings { environment, policy, .. } = &self.settings;
        anyhow::ensure!(
            !environment.offline,
            "the weights {repository} are not on this machine, and HF_HUB_OFFLINE is set; {elsewhere}"
        );
        let url = self.url(&environment.endpoint);
        fetch(&mut Remote::new(&self.version, url, environment, policy)).map_err(|error| {
            if error.is::<Exit>() {
                return error;
            }
            anyhow::anyhow!("cannot fetch the weights {repository}: {error:#}\n{elsewhere}")
        })
    }

    /// The arguments for progress bars.
    fn bar_args(&self) -> CommonArgs {
        let quiet = self.common.quiet || !self.settings.environment.bars;
        CommonArgs { quiet, ..self.common.clone() }
    }
}

/// The name of the repository without its owner.
fn stem(file: &HubFile) -> &'static str {
    file.repository.rsplit('/').next().unwrap_or(file.repository)
}

/// Where the version is recorded that was fetched first.
fn version_record(config: &Config) -> PathBuf {
    config.out.join(format!("{}.version.json", stem(&config.backbone.hub)))
}
