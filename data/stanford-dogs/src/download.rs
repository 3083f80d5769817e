//! One archive: fetched from where the last run stopped, and known by its digest before it is used.

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

/// A server of a university, at its own pace.
pub(crate) const RETRY_POLICY: RetryPolicy = RetryPolicy {
    stall: Duration::from_secs(30),
    first_pause: Duration::from_secs(1),
    n_tries: 6,
    least_bytes: 64 << 10,
    least_bytes_per_window: 600 << 10,
    window: Duration::from_secs(60),
    longest_pause: Duration::from_secs(60),
};
/// As HTTP clients commonly do.
const MAX_REDIRECTS: u32 = 10;

/// Whoever fetches the archives.
pub(crate) struct Client<'a> {
    policy: &'a RetryPolicy,
    common: &'a CommonArgs,
    agent: Agent,
    mirror: &'a str,
    /// Where the archives are put.
    folder: PathBuf,
}

impl<'a> Client<'a> {
    /// A client for `args`; nothing is asked yet.
    pub(crate) fn new(args: &'a Args, policy: &'a RetryPolicy) -> Self {
        Self {
            policy,
            common: &args.common,
            agent: policy.agent(&args.mirror, MAX_REDIRECTS),
            mirror: args.mirror.trim_end_matches('/'),
            folder: args.out.join("download"),
        }
    }

    /// The path of `archive`, whole and with the right digest; fetched only if it does not stand there.
    ///
    /// # Errors
    /// If it cannot be fetched, saying where to put it by hand; if its digest is wrong, in which case it is
    /// set aside; or if the user interrupts.
    pub(crate) fn fetch(&self, archive: &Archive) -> anyhow::Result<PathBuf> {
        let file = self.folder.join(archive.name);
        if file.exists() {
            verify(archive, &file, &file)?;
            return Ok(file);
        }
        let part = part_of(&file);
        self.complete(archive, &part).with_context(|| {
            format!(
                "cannot fetch {}; run the same command again to go on, or put the file ({} bytes, sha256 {}) \
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

    /// Asks until `part` has all of its bytes.
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

    /// One request for what is missing after the first `start` bytes, as far as it goes.
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
            // With a validator a server whose file is another one by now sends all of it.
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

/// The unfinished download of `file`.
pub(crate) fn part_of(file: &Path) -> PathBuf {
    beside(file, "part")
}

/// What the server called the content of `part`: an ETag or a date.
fn validator_of(part: &Path) -> PathBuf {
    beside(part, "validator")
}

/// The path `<file>.<extension>`.
fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    PathBuf::from(name)
}

/// Sets `found` aside if it is not `archive`.
fn verify(archive: &Archive, found: &Path, file: &Path) -> anyhow::Result<()> {
    // Opened first, so that what is no file is left where it is.
    let size = regular::open(found)
        .and_then(|file| file.metadata())
        .with_context(|| format!("cannot read {}", found.display()))?
        .len();
    // A file of another size need not be read.
    let sha256 =
        if size == archive.size { provenance::sha256_file(found)? } else { "not computed".to_owned() };
    if sha256 == archive.sha256 {
        return Ok(());
    }
    let aside = beside(file, "wrong");
    commit::publish(found, &aside)?;
    anyhow::bail!(
        "{} is another file: {size} bytes with sha256 {sha256}, expected {} bytes with {}; it was set aside as \
         {}; run the same command again to fetch it anew, or from elsewhere with --mirror",
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
            let about = found.with_context(|| format!("cannot look at {}", path.display()))?;
            anyhow::ensure!(about.is_file(), "{} is no regular file; remove it", path.display());
            Ok(about.len())
        }
    }
}

/// A download in progress is the one file that grows in sight, under a name that nobody reads.
fn open_part(part: &Path, start: u64) -> std::io::Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(part)?;
    file.set_len(start)?;
    Ok(file)
}

fn note_validator(answer: &Answer, part: &Path) -> anyhow::Result<()> {
    // A weak ETag must not stand in If-Range (RFC 9110, 13.1.5).
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
