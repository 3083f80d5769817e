//! ImageNet's weights from the Hugging Face hub.
//!
//! The convolutions are 59 of the file's 553 MB, so that only their bytes are fetched, into a slim file. No
//! digest of the whole can check a part: the hub's ETag must equal the pinned sha256 with every answer, the
//! header must describe exactly the file and the tensors that are expected, and from then on the slim file
//! carries a digest of its own. That digest is recorded beside it when the convolutions are fetched for the first
//! time: whatever is fetched later must have it, too. The first time the server is trusted. `--full` fetches the whole file into the cache that all programs share, and
//! checks its sha256.
//!
//! Not through the crate hf-hub: its version 1.0 begins a broken download anew, stores the text of an
//! error as if it were the file, takes whatever a server without ranges sends for the range, and has no
//! timeout; and it would double the time that the workspace takes to build.

mod environment;
mod parts;
mod remote;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use anyhow::Context;
use data::provenance::{from_hex, sha256_file, to_hex};
use data::stage::{self, CommonArgs, Exit};
use data::weights::{Header, LENGTH_BYTES};
use data::{commit, disk, regular};
use fetch::RetryPolicy;
use sha2::{Digest, Sha256};

use super::Weights;
use super::file::check_header;
use super::slim::{self, Origin};
use crate::vgg16::{LAYERS, Layer};
use environment::Environment;
use parts::{Parts, merged, pieces};
use remote::Remote;

/// A file of the hub, and what is known of it.
pub(super) struct Pin {
    /// Owner and name.
    pub(super) repository: &'static str,
    /// The commit, 40 hexadecimal digits.
    revision: &'static str,
    /// The file's name there.
    file: &'static str,
    /// Its digest, which is its ETag too.
    sha256: &'static str,
    /// What the weights may be used for.
    licence: &'static str,
    /// What it is called here.
    name: &'static str,
    /// The convolutions that it holds.
    layers: &'static [Layer],
}

/// torchvision's `VGG16_Weights.IMAGENET1K_V1` as timm publishes them.
pub(super) const PINNED: Pin = Pin {
    repository: "timm/vgg16.tv_in1k",
    revision: "3394518cba29aee1ea82a49d971be90d2dd1dab7",
    file: "model.safetensors",
    sha256: "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8",
    licence: "BSD-3-Clause",
    name: "vgg16.tv_in1k",
    layers: &LAYERS,
};

impl Pin {
    fn url(&self, endpoint: &str) -> String {
        format!("{endpoint}/{}/resolve/{}/{}", self.repository, self.revision, self.file)
    }
}

/// How a download goes.
struct Settings {
    policy: RetryPolicy,
    /// What is kept of an interrupted download is a multiple of this.
    piece_bytes: u64,
}

const SETTINGS: Settings = Settings {
    policy: RetryPolicy {
        stall: Duration::from_secs(15),
        first_pause: Duration::from_secs(1),
        n_tries: 5,
        least_bytes: 64 << 10,
        least_bytes_per_window: 600 << 10,
        window: Duration::from_secs(60),
        longest_pause: Duration::from_secs(60),
    },
    piece_bytes: 8 << 20,
};

/// The slim file of `pin` in `weights_dir`, fetched where it has to be; `full`: and the whole file, in the
/// cache, with a link in `weights_dir`.
///
/// # Errors
/// If the file is not here and cannot be fetched, with the command to run elsewhere.
pub(super) fn provide(
    pin: &Pin,
    full: bool,
    common: &CommonArgs,
    weights_dir: &Path,
) -> anyhow::Result<PathBuf> {
    let environment = Environment::read()?;
    Hub { pin, environment: &environment, settings: &SETTINGS, common, weights_dir }.provide(full)
}

/// Where the convolutions of `pin` stand.
pub(super) fn slim_path(pin: &Pin, weights_dir: &Path) -> PathBuf {
    weights_dir.join(format!("{}-convolutions.safetensors", pin.name))
}

struct Hub<'a> {
    pin: &'a Pin,
    environment: &'a Environment,
    settings: &'a Settings,
    common: &'a CommonArgs,
    weights_dir: &'a Path,
}

impl Hub<'_> {
    fn provide(&self, full: bool) -> anyhow::Result<PathBuf> {
        let slim = slim_path(self.pin, self.weights_dir);
        if !full && self.stands(&slim) {
            return Ok(slim);
        }
        let _lock = commit::lock(self.weights_dir, "extractor")?;
        let mut whole = self.find_whole()?;
        if full {
            let path = whole.map_or_else(|| self.fetch(|remote| self.fetch_whole(remote)), Ok)?;
            self.link_whole(&path)?;
            whole = Some(path);
        }
        if !self.stands(&slim) {
            let weights = match &whole {
                Some(path) => Weights::read_layers(path, self.pin.layers)?,
                None => self.fetch(|remote| self.fetch_convolutions(remote))?,
            };
            self.check_record(&weights, whole.is_some())?;
            self.write_slim(&slim, &weights)?;
            self.parts("convolutions").remove()?;
        }
        Ok(slim)
    }

    /// Whether the slim file is there and undamaged.
    fn stands(&self, slim: &Path) -> bool {
        let checked = slim.exists().then(|| Weights::read_layers(slim, self.pin.layers));
        if let Some(Err(error)) = &checked {
            tracing::warn!("{error:#}; making it anew");
        }
        checked.is_some_and(|weights| weights.is_ok())
    }

    /// Where the digest of the convolutions is recorded when they are fetched for the first time.
    fn record(&self) -> PathBuf {
        self.weights_dir.join(format!("{}-convolutions.sha256", self.pin.name))
    }

    /// Refuses convolutions with another digest than was recorded; records that of the first ones. `verified`: they
    /// are a part of the whole file, whose digest is known.
    fn check_record(&self, weights: &Weights, verified: bool) -> anyhow::Result<()> {
        let record = self.record();
        let recorded = regular::read_to_string(&record).ok().map(|text| text.trim().to_owned());
        match recorded.filter(|digest| from_hex(digest).is_ok()) {
            Some(recorded) if recorded == weights.sha256 => return Ok(()),
            Some(recorded) if !verified => {
                self.parts("convolutions").remove()?;
                anyhow::bail!(
                    "the convolutions that {} sent have the sha256 {}, those of the first time had {recorded} ({}); \
                     one of the two is wrong: --full fetches the whole file, whose sha256 is known",
                    self.pin.url(&self.environment.endpoint),
                    weights.sha256,
                    record.display()
                );
            }
            Some(recorded) => tracing::warn!(
                "the convolutions that were fetched first, with the sha256 {recorded}, were not those of the file"
            ),
            None => {}
        }
        commit::write_bytes(&record, format!("{}\n", weights.sha256).as_bytes())
    }

    fn write_slim(&self, path: &Path, weights: &Weights) -> anyhow::Result<()> {
        let origin = Origin {
            weights: format!("hub:{}", self.pin.repository),
            revision: Some(self.pin.revision),
            licence: Some(self.pin.licence),
            weights_sha256: &weights.sha256,
        };
        slim::write(path, self.pin.layers, weights, &origin, Some((self.pin.file, self.pin.sha256)))
    }

    // -----------------------------------------------------------------------------------------------
    // The whole file

    /// Where somebody without a network puts the whole file.
    fn placed(&self) -> PathBuf {
        self.weights_dir.join(format!("{}.safetensors", self.pin.name))
    }

    /// The repository's directory in the cache.
    fn cached_repository(&self) -> PathBuf {
        self.environment.cache.join(format!("models--{}", self.pin.repository.replace('/', "--")))
    }

    fn cached(&self) -> PathBuf {
        self.cached_repository().join("snapshots").join(self.pin.revision).join(self.pin.file)
    }

    /// The whole file, if it is on this machine.
    fn find_whole(&self) -> anyhow::Result<Option<PathBuf>> {
        let Some(path) = [self.placed(), self.cached()].into_iter().find(|path| path.exists()) else {
            return Ok(None);
        };
        let found = sha256_file(&path)?;
        anyhow::ensure!(
            found == self.pin.sha256,
            "{} is damaged or another file: its sha256 is {found}, expected {}; remove it and run again",
            path.display(),
            self.pin.sha256
        );
        Ok(Some(path))
    }

    /// Fetches the whole file into the cache, as `huggingface_hub` lays it out.
    fn fetch_whole(&self, remote: &mut Remote<'_>) -> anyhow::Result<PathBuf> {
        let header = self.fetch_header(remote)?;
        check_header(&remote.url(), self.pin.layers, &header)?;
        let parts = self.parts("whole");
        let range = 0..remote.size()?;
        disk::ensure_space(&self.environment.cache, range.end, "the whole file of the weights")?;
        let pieces = self.fetch_pieces(remote, &parts, std::slice::from_ref(&range))?;
        let blob = self.cached_repository().join("blobs").join(self.pin.sha256);
        let mut digest = Sha256::new();
        commit::write(&blob, |file| {
            parts.read_all(&pieces, |bytes| {
                stage::check_interrupted()?;
                digest.update(bytes);
                Ok(file.write_all(bytes)?)
            })?;
            let found = to_hex(&digest.finalize().into());
            if found != self.pin.sha256 {
                parts.remove()?;
                anyhow::bail!(
                    "{} sent bytes with the sha256 {found}, expected {}",
                    remote.url(),
                    self.pin.sha256
                );
            }
            Ok(())
        })?;
        commit::write_link(&self.cached(), &Path::new("../../blobs").join(self.pin.sha256))?;
        parts.remove()?;
        Ok(self.cached())
    }

    /// Makes the whole file appear beside the slim one, for the stages that want its dense layers.
    fn link_whole(&self, whole: &Path) -> anyhow::Result<()> {
        let link = self.placed();
        if whole == link {
            return Ok(());
        }
        let target = absolute(whole).with_context(|| format!("cannot find {}", whole.display()))?;
        commit::write_link(&link, &target)
    }

    // -----------------------------------------------------------------------------------------------
    // Over the network

    /// Runs `work` on the remote file, unless the user wants no network; explains what else can be done.
    fn fetch<T>(&self, work: impl FnOnce(&mut Remote<'_>) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let Pin { repository, name, .. } = self.pin;
        let elsewhere = format!(
            "where there is a network, run\n  curl -fL -o {name}.safetensors {}\nand put the file into {}",
            self.pin.url("https://huggingface.co"),
            self.weights_dir.display()
        );
        anyhow::ensure!(
            !self.environment.offline,
            "the weights {repository} are not on this machine, and HF_HUB_OFFLINE is set; {elsewhere}"
        );
        work(&mut Remote::new(self.pin, self.environment, &self.settings.policy)).map_err(|error| {
            if error.is::<Exit>() {
                return error;
            }
            anyhow::anyhow!("cannot fetch the weights {repository}: {error:#}\n{elsewhere}")
        })
    }

    fn fetch_header(&self, remote: &mut Remote<'_>) -> anyhow::Result<Header> {
        let mut bytes = Vec::new();
        let mut read = |range| {
            remote.read(range, |piece| {
                bytes.extend_from_slice(piece);
                Ok(())
            })?;
            anyhow::Ok(bytes.clone())
        };
        let length = read(0..LENGTH_BYTES)?;
        let n_header = Header::length(length.as_slice().try_into()?).context("it is no safetensors file")?;
        let start = read(LENGTH_BYTES..LENGTH_BYTES + n_header)?;
        let header = Header::read(&mut start.as_slice())?;
        header.check_size(remote.size()?)?;
        Ok(header)
    }

    fn fetch_convolutions(&self, remote: &mut Remote<'_>) -> anyhow::Result<Weights> {
        let header = self.fetch_header(remote)?;
        check_header(&remote.url(), self.pin.layers, &header)?;
        let names = self.pin.layers.iter().flat_map(Layer::tensors).map(|(name, _)| name);
        let ranges = merged(names.map(|name| header.range(&name)).collect::<anyhow::Result<_>>()?);
        let parts = self.parts("convolutions");
        self.fetch_pieces(remote, &parts, &ranges)?;

        let mut contents = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut content = Vec::with_capacity((range.end - range.start) as usize);
            let pieces: Vec<Range<u64>> = pieces(&range, self.settings.piece_bytes).collect();
            parts.read_all(&pieces, |bytes| {
                content.extend_from_slice(bytes);
                Ok(())
            })?;
            contents.push((range, content));
        }
        let collected = Weights::collect(self.pin.layers, |name| {
            let tensor = header.range(name)?;
            let (range, content) = contents
                .iter()
                .find(|(range, _)| range.contains(&tensor.start))
                .with_context(|| format!("{name} was not fetched"))?;
            let within = (tensor.start - range.start) as usize..(tensor.end - range.start) as usize;
            header.floats(name, &content[within])
        });
        if collected.is_err() {
            // They would be refused the next time as well.
            parts.remove()?;
        }
        collected
    }

    fn parts(&self, of: &str) -> Parts {
        let Pin { name, revision, .. } = self.pin;
        Parts { dir: self.weights_dir.join(format!(".{name}-{}-{of}.parts", &revision[..8])) }
    }

    /// Fetches what `parts` lacks of `ranges`; gives all their pieces.
    fn fetch_pieces(
        &self,
        remote: &mut Remote<'_>,
        parts: &Parts,
        ranges: &[Range<u64>],
    ) -> anyhow::Result<Vec<Range<u64>>> {
        let all: Vec<Range<u64>> = ranges.iter().flat_map(|r| pieces(r, self.settings.piece_bytes)).collect();
        let (standing, missing): (Vec<_>, Vec<_>) =
            all.iter().cloned().partition(|p| parts.load(p).is_some());
        let n_bytes = |pieces: &[Range<u64>]| pieces.iter().map(|p| p.end - p.start).sum::<u64>();
        // The pieces, and the file that is made of them.
        let needed = n_bytes(&missing) + n_bytes(&all);
        disk::ensure_space(self.weights_dir, needed, "the download of the weights")?;
        tracing::info!(
            "fetching {:.1} of {:.1} MB from {}",
            n_bytes(&missing) as f64 / 1e6,
            remote.size()? as f64 / 1e6,
            remote.url()
        );
        let quiet = self.common.quiet || !self.environment.bars;
        let bar = stage::progress_of_bytes(&CommonArgs { quiet, ..self.common.clone() }, n_bytes(&all));
        bar.inc(n_bytes(&standing));
        for run in missing.chunk_by(|a, b| a.end == b.start) {
            let mut pending = run.iter();
            let mut buffer = Vec::new();
            let mut piece = pending.next();
            let range = run[0].start..run[run.len() - 1].end;
            remote.read(range, |mut bytes| {
                bar.inc(bytes.len() as u64);
                while let Some(current) = piece.filter(|_| !bytes.is_empty()) {
                    let n_piece = (current.end - current.start) as usize;
                    let (now, later) = bytes.split_at(bytes.len().min(n_piece - buffer.len()));
                    buffer.extend_from_slice(now);
                    bytes = later;
                    if buffer.len() == n_piece {
                        parts.store(current, &buffer)?;
                        buffer.clear();
                        piece = pending.next();
                    }
                }
                Ok(())
            })?;
        }
        bar.finish_and_clear();
        Ok(all)
    }
}
