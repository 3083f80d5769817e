//! Downloads an archive, continues an interrupted download, and verifies the digest before use.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use data::stage::{self, CommonArgs, Exit};
use data::{commit, provenance, regular};
use fetch::{Agent, Answer, Failure, RetryPolicy, Tries, parse_content_range};

use crate::archives::Archive;
use crate::args::Args;

/// Timeouts and retries for a slow university server.
pub(crate) const RETRY_POLICY: RetryPolicy = RetryPolicy {
    stall: Duration::from_secs(30),
    first_pause: Duration::from_secs(1),
    n_tries: 6,
    least_bytes: 64 << 10,
    least_bytes_per_window: 600 << 10,
    window: Duration::from_secs(60),
    longest_pause: Duration::from_secs(60),
};
/// Maximum number of redirects, as usual in HTTP clients.
const MAX_REDIRECTS: u32 = 10;

/// The client that downloads the archives.
pub(crate) struct Client<'a> {
    policy: &'a RetryPolicy,
    common: &'a CommonArgs,
    agent: Agent,
    mirror: &'a str,
    /// Folder of the archives.
    folder: PathBuf,
}

impl<'a> Client<'a> {
    /// Returns a client for `args`; sends no request.
    pub(crate) fn new(args: &'a Args, policy: &'a RetryPolicy) -> Self {
        Self {
            policy,
            common: &args.common,
            agent: policy.agent(&args.mirror, MAX_REDIRECTS),
            mirror: args.mirror.trim_end_matches('/'),
            folder: args.out.join("download"),
        }
    }

    /// Returns the path of `archive` with a verified digest; downloads it if it does not exist.
    ///
    /// # Errors
    /// If it cannot be downloaded, with the path where it may be put by hand; if its digest is wrong, in which case
    /// the file is renamed; or if the user interrupts.
    pub(crate) fn fetch(&self, archive: &Archive) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(archive.name);
        if file.exists() {
            verify(archive, &file, &file)?;
            return Ok(file);
        }
        let part = part_of(&file);
        self.complete(archive, &part).with_context(|| {
            format!(
                "cannot fetch {}; run the same command again to continue, or put the file ({} bytes, sha256 {}) \
                 at {} by hand",
                archive.name,
                archive.size,
                archive.sha256,
                file.display()
            )
        })?;
        verify(archive, &part, &file)?;
        commit::publish(&part, &file)?;
        commit::remove(&validator_of(&part))?;
        Ok(file)
    }

    /// Sends requests until `part` has all of its bytes.
    fn complete(&self, archive: &Archive, part: &Path) -> anyhow::Result<()> {
        let bar = stage::progress_of_bytes(self.common, archive.size).with_message(archive.name);
        let mut tries = self.policy.tries();
        loop {
            let before = length(part)?;
            if before > archive.size {
                commit::remove(part)?;
                continue;
            }
            bar.set_position(before);
            bar.reset_eta();
            if before == archive.size {
                return Ok(());
            }
            if let Err(failure) = self.fetch_once(archive, part, before, &mut tries, &bar) {
                tries.pause(failure, length(part)?.saturating_sub(before))?;
            }
        }
    }

    /// Sends one request for the bytes from `start` on, and appends the received ones.
    fn fetch_once(
        &self,
        archive: &Archive,
        part: &Path,
        start: u64,
        tries: &mut Tries<'_>,
        bar: &indicatif::ProgressBar,
    ) -> Result<(), Failure> {
        let url = format!("{}/{}", self.mirror, archive.name);
        let mut headers = Vec::new();
        if start > 0 {
            headers.push(("range", format!("bytes={start}-")));
            // With a validator, a server whose file has changed sends the whole file.
            if let Ok(validator) = regular::read_to_string(&validator_of(part)) {
                headers.push(("if-range", validator));
            }
        }
        let mut answer = Answer::to(&self.agent, &url, &headers, start > 0, tries)?;
        if answer.status.is_success() {
            answer.ensure_plain(&url)?;
        }
        let start = match answer.status.as_u16() {
            206 => check_range(&answer, archive, start)?,
            200 => {
                let length = answer.header("content-length").and_then(|n| n.parse().ok());
                check_size(length, archive)?;
                0
            }
            416 => {
                commit::remove(part)?;
                return Err(Failure::passing(anyhow::anyhow!(
                    "{url} has nothing after the first {start} bytes"
                )));
            }
            _ => return Err(self.refusal(&answer, &url)),
        };
        note_validator(&answer, part)?;

        let named = || format!("cannot write {}", part.display());
        let mut file = open_part(part, start).with_context(named)?;
        bar.set_position(start);
        let mut position = start;
        while position < archive.size {
            let Some(bytes) = answer.read(tries)? else {
                return Err(Failure::passing(anyhow::anyhow!("{url} ended at {position} bytes")));
            };
            let n = bytes.len().min((archive.size - position) as usize);
            file.write_all(&bytes[..n]).with_context(named)?;
            position += n as u64;
            bar.inc(n as u64);
        }
        Ok(())
    }

    fn refusal(&self, answer: &Answer, url: &str) -> Failure {
        let (status, pause) = (answer.status, answer.retry_after());
        let answer = format!("{url} answers {status}");
        match status.as_u16() {
            408 | 429 | 500..=599 => {
                let wait = pause.map_or_else(|| "later".to_owned(), |p| format!("in {} s", p.as_secs()));
                let again = Exit::TryAgain(format!("{answer}; try again {wait}")).into();
                if pause.is_some_and(|p| p > self.policy.longest_pause) {
                    Failure::Final(again)
                } else {
                    Failure::Passing(again, pause)
                }
            }
            404 | 410 => Failure::Final(anyhow::anyhow!("{answer}; name another server with --mirror")),
            _ => Failure::Final(anyhow::anyhow!("{answer}, expected 200 or 206")),
        }
    }
}

/// Returns the path of the unfinished download of `file`.
pub(crate) fn part_of(file: &Path) -> PathBuf {
    beside(file, "part")
}

/// Returns the path of the file with the server's validator of `part`: an ETag or a date.
fn validator_of(part: &Path) -> PathBuf {
    beside(part, "validator")
}

/// Returns the path `<file>.<extension>`.
fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Checks that `found` is `archive`, and renames it if it is not.
fn verify(archive: &Archive, found: &Path, file: &Path) -> anyhow::Result<()> {
    // Opened first, so that a path that is not a file is not renamed.
    let size = regular::open(found)
        .and_then(|file| file.metadata())
        .with_context(|| format!("cannot read {}", found.display()))?
        .len();
    // A file of another size is not read.
    let sha256 =
        if size == archive.size { provenance::sha256_file(found)? } else { "not computed".to_owned() };
    if sha256 == archive.sha256 {
        return Ok(());
    }
    let aside = beside(file, "wrong");
    commit::publish(found, &aside)?;
    anyhow::bail!(
        "{} is another file: {size} bytes with sha256 {sha256}, expected {} bytes with {}; it was renamed to \
         {}; run the same command to fetch it again, or use another server with --mirror",
        file.display(),
        archive.size,
        archive.sha256,
        aside.display()
    )
}

fn length(path: &Path) -> anyhow::Result<u64> {
    match fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(0),
        found => {
            let about = found.with_context(|| format!("cannot read the type of {}", path.display()))?;
            anyhow::ensure!(about.is_file(), "{} is not a regular file; remove it", path.display());
            Ok(about.len())
        }
    }
}

/// Opens the unfinished download. Only this file is written in place, under a name that no other program reads.
fn open_part(part: &Path, start: u64) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(part)?;
    file.set_len(start)?;
    Ok(file)
}

fn note_validator(answer: &Answer, part: &Path) -> anyhow::Result<()> {
    // If-Range must not have a weak ETag (RFC 9110, 13.1.5).
    let strong = answer.header("etag").filter(|etag| !etag.starts_with("W/"));
    match strong.or_else(|| answer.header("last-modified")) {
        Some(validator) => commit::write_bytes(&validator_of(part), validator.as_bytes()),
        None => commit::remove(&validator_of(part)),
    }
}

fn check_range(answer: &Answer, archive: &Archive, start: u64) -> anyhow::Result<u64> {
    let range = answer.header("content-range");
    let (_, size) = range
        .and_then(parse_content_range)
        .filter(|(first, _)| *first == start)
        .with_context(|| format!("the server answers with the range {range:?}, expected one from {start}"))?;
    check_size(Some(size), archive)?;
    Ok(start)
}

fn check_size(size: Option<u64>, archive: &Archive) -> anyhow::Result<()> {
    anyhow::ensure!(
        size.is_none_or(|size| size == archive.size),
        "the server's {} has {} bytes, expected {}",
        archive.name,
        size.unwrap_or_default(),
        archive.size
    );
    Ok(())
}
