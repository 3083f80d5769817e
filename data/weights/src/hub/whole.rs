//! The whole file, through the crate hf-hub into the cache that all programs share.
//!
//! hf-hub 0.5.0 resumes a download and knows the layout of the cache. What it does not do is done here:
//!
//! * The header is fetched first, by ranges: another file, a refusal or a full disk are noticed before anything is
//!   stored, with a message that says what to do.
//! * hf-hub has no timeouts. It runs on a thread of its own, whose progress reports are watched: without one for
//!   [`fetch::RetryPolicy::stall`] the user is told to run again, which resumes. The thread cannot be ended and is left
//!   behind.
//! * Its own retries (`with_retries`) append at the wrong place; a download that failed is called again instead, which
//!   resumes from the length of the unfinished file.
//! * It panics over some answers, such as a redirect without a Location; the panic is caught.
//! * It sends the token to the host that the endpoint redirects to; so it gets no token if there is such a host.
//! * It checks no digest: it appends the whole file, or the text of an error, if that is what a server sends with
//!   status 200 for a range. The sha256 of the result is checked, and a wrong file is removed from the cache.

use std::any::Any;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use data::provenance::sha256_file;
use data::stage::{self, Exit};
use data::weights::Part;
use data::{commit, disk};
use fetch::{Failure, Tries};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};

use super::Hub;
use super::ranges::fetch_header;
use super::remote::Remote;
use crate::names::Names;

/// How often a wait looks for an interruption.
const POLL: Duration = Duration::from_millis(50);

/// Fetches the whole file and gives its path in the cache.
///
/// # Errors
/// As [`Remote::read`]; [`Exit::TryAgain`] for a server that is silent or far too slow; or if what came is not the file.
pub(super) fn fetch(hub: &Hub<'_>, remote: &mut Remote<'_>) -> anyhow::Result<PathBuf> {
    let header = fetch_header(remote)?;
    for part in [Part::Features, Part::Classifier] {
        Names::in_header(&remote.url(), hub.config.backbone, part, &header)?;
    }
    let environment = &hub.settings.environment;
    ensure_space(hub, remote.size()?)?;
    let token = environment.token.clone().filter(|_| !remote.is_elsewhere());
    let api = ApiBuilder::from_cache(hf_hub::Cache::new(environment.cache.clone()))
        .with_endpoint(environment.endpoint.clone())
        .with_token(token)
        .with_progress(false)
        .build()?;
    tracing::info!("fetching {:.1} MB from {}", remote.size()? as f64 / 1e6, remote.url());
    let bar = stage::progress_of_bytes(&hub.bar_args(), remote.size()?);
    let mut tries = hub.settings.policy.tries();
    let path = loop {
        let mut download = Download::start(api.repo(hub.repo()), hub.published().file);
        match download.wait(&mut tries, hub, &bar) {
            Ok(path) => break path,
            Err(failure) => tries.pause(failure, download.n_bytes)?,
        }
    };
    bar.finish_and_clear();
    verify(hub, path)
}

/// Checks the space for the missing bytes of a file of `n_bytes` in the cache, and for the layers in `--out`, which are
/// no more than the file.
fn ensure_space(hub: &Hub<'_>, n_bytes: u64) -> anyhow::Result<()> {
    let (cache, out) = (&hub.settings.environment.cache, &hub.config.out);
    let fetched = fs::metadata(unfinished(hub)).map_or(0, |metadata| metadata.len());
    let missing = n_bytes.saturating_sub(fetched);
    disk::ensure_space(cache, missing, "the whole file of the weights")?;
    let also = if disk::are_same(cache, out) { missing } else { 0 };
    disk::ensure_space(out, n_bytes + also, "the layers of the whole file, with what is to be fetched,")
}

/// Returns the path at which hf-hub stores an unfinished download.
fn unfinished(hub: &Hub<'_>) -> PathBuf {
    hub.cache().blob_path(&hub.version.sha256).with_extension("part")
}

/// Checks that `path`, where hf-hub put the file, is the pinned file; removes it otherwise.
fn verify(hub: &Hub<'_>, path: PathBuf) -> anyhow::Result<PathBuf> {
    let (found, expected) = (sha256_file(&path)?, &hub.version.sha256);
    if found == *expected {
        if path != hub.cached() {
            // Right, but where the next run will not find it.
            tracing::warn!(
                "hf-hub stored the file as {}, expected {}",
                path.display(),
                hub.cached().display()
            );
        }
        return Ok(path);
    }
    let blob = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
    commit::remove(&path)?;
    commit::remove(&blob)?;
    anyhow::bail!(
        "{} sent bytes with the sha256 {found}, expected {expected}; they were removed, run again to start over",
        hub.url(&hub.settings.environment.endpoint)
    )
}

/// What the thread of a download reports.
enum Report {
    /// The download begins after so many bytes, which an earlier one has brought.
    Resumed(u64),
    /// So many more bytes have come.
    Received(u64),
    /// The download has ended.
    Ended(Result<PathBuf, Failed>),
}

enum Failed {
    Api(ApiError),
    /// hf-hub panicked with this message.
    Panic(String),
}

/// A download by hf-hub on a thread of its own.
struct Download {
    reports: Receiver<Report>,
    /// Bytes that it has brought.
    n_bytes: u64,
}

impl Download {
    fn start(repo: ApiRepo, file: &'static str) -> Self {
        let (sender, reports) = channel();
        thread::spawn(move || {
            let progress = Reporter { reports: sender.clone(), has_begun: false };
            let ended = catch_unwind(AssertUnwindSafe(|| repo.download_with_progress(file, progress)));
            let ended = match ended {
                Ok(done) => done.map_err(Failed::Api),
                Err(payload) => Err(Failed::Panic(message(&*payload))),
            };
            // Nobody listens any more after a stall or an interruption.
            let _ = sender.send(Report::Ended(ended));
        });
        Self { reports, n_bytes: 0 }
    }

    /// Waits for the end; gives the path in the cache.
    fn wait(
        &mut self,
        tries: &mut Tries<'_>,
        hub: &Hub<'_>,
        bar: &indicatif::ProgressBar,
    ) -> Result<PathBuf, Failure> {
        let stall = hub.settings.policy.stall;
        let mut last = Instant::now();
        loop {
            match self.reports.recv_timeout(POLL) {
                Ok(Report::Resumed(n)) => bar.set_position(n),
                Ok(Report::Received(n)) => {
                    tries.received(usize::try_from(n)?)?;
                    self.n_bytes += n;
                    bar.inc(n);
                }
                Ok(Report::Ended(Ok(path))) => return Ok(path),
                Ok(Report::Ended(Err(failed))) => return Err(failure(failed, hub)?),
                Err(RecvTimeoutError::Timeout) => {
                    tries.received(0)?;
                    if last.elapsed() >= stall {
                        return Err(Failure::Final(stalled(stall).into()));
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::Final(anyhow::anyhow!("the download thread stopped unexpectedly")));
                }
            }
            last = Instant::now();
        }
    }
}

fn stalled(stall: Duration) -> Exit {
    Exit::TryAgain(format!(
        "gave up: the server sent nothing for {:.1} s; run the same command again to resume",
        stall.as_secs_f64()
    ))
}

/// Says whether it is worth trying again.
///
/// # Errors
/// If an unfinished file that cannot be resumed cannot be removed.
fn failure(failed: Failed, hub: &Hub<'_>) -> anyhow::Result<Failure> {
    Ok(match failed {
        Failed::Panic(message) => {
            Failure::Final(anyhow::anyhow!("the server's answer cannot be understood (hf-hub: {message})"))
        }
        Failed::Api(ApiError::LockAcquisition(path)) => Failure::Final(
            Exit::TryAgain(format!(
                "another program is fetching this file ({}); run again later",
                path.display()
            ))
            .into(),
        ),
        Failed::Api(error @ ApiError::InvalidResume) => {
            commit::remove(&unfinished(hub))?;
            Failure::passing(error)
        }
        Failed::Api(error) => {
            Failure::passing(anyhow::Error::new(error).context("the download was interrupted"))
        }
    })
}

fn message(payload: &(dyn Any + Send)) -> String {
    match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (_, Some(text)) => text.clone(),
        _ => "a panic".to_owned(),
    }
}

/// hf-hub's view of a [`Download`].
struct Reporter {
    reports: Sender<Report>,
    /// Whether the first update has come, which counts the bytes of earlier downloads.
    has_begun: bool,
}

impl Progress for Reporter {
    fn init(&mut self, _size: usize, _filename: &str) {
        self.has_begun = false;
    }

    fn update(&mut self, size: usize) {
        let n = size as u64;
        let report = if self.has_begun { Report::Received(n) } else { Report::Resumed(n) };
        self.has_begun = true;
        // Nobody listens any more after a stall or an interruption.
        let _ = self.reports.send(report);
    }

    fn finish(&mut self) {}
}
