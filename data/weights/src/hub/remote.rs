//! One file on a server of which only parts are read, and everything that can go wrong on the way.
//!
//! Every request asks the endpoint anew and follows its redirects here: the digest and the commit come with
//! the redirect, and the token must not go to the host that the redirect names.

use std::ops::Range;

use anyhow::Context;
use data::stage::Exit;
use fetch::http::Uri;
use fetch::{Agent, Answer, Failure, RetryPolicy, Tries, parse_content_range};

use super::environment::Environment;
use super::version::Version;

const MAX_REDIRECTS: usize = 5;

/// A file at an endpoint.
pub(super) struct Remote<'a> {
    /// The version that it must have, if that is known.
    pin: Option<&'a Version>,
    /// The commit and the digest that an answer has named.
    said: [Option<String>; 2],
    policy: &'a RetryPolicy,
    agent: Agent,
    url: String,
    token: Option<&'a str>,
    /// Bytes of the whole file, once an answer has said so.
    size: Option<u64>,
    /// What the server that sends the bytes calls them.
    etag: Option<String>,
    /// Whether an answer came from another host than the endpoint.
    is_elsewhere: bool,
}

impl<'a> Remote<'a> {
    /// The file `pin` at the address `url`; nothing is asked yet.
    pub(super) fn new(
        pin: &'a Version,
        url: String,
        environment: &'a Environment,
        policy: &'a RetryPolicy,
    ) -> Self {
        Self { pin: Some(pin), ..Self::unpinned(url, environment, policy) }
    }

    /// The file at the address `url`, whatever it is; nothing is asked yet.
    pub(super) fn unpinned(url: String, environment: &'a Environment, policy: &'a RetryPolicy) -> Self {
        Self {
            pin: None,
            said: [None, None],
            policy,
            // Redirects are followed here, see above.
            agent: policy.agent(&environment.endpoint, 0),
            url,
            token: environment.token.as_deref(),
            size: None,
            etag: None,
            is_elsewhere: false,
        }
    }

    /// Gives the version that the answers have named.
    ///
    /// # Errors
    /// If they have not.
    pub(super) fn version(&self) -> anyhow::Result<Version> {
        let [Some(revision), Some(sha256)] = self.said.clone() else {
            anyhow::bail!("{} does not say which version it sends (X-Repo-Commit and ETag)", self.url);
        };
        let version = Version { revision, sha256 }.checked();
        version.with_context(|| format!("{} does not say which version it sends", self.url))
    }

    /// The address at the endpoint.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether the endpoint redirected to another host.
    pub(super) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// Gives the number of bytes of the whole file.
    ///
    /// # Errors
    /// If nothing has been read yet.
    pub(super) fn size(&self) -> anyhow::Result<u64> {
        self.size.context("the size of the file is not known yet")
    }

    /// Gives the bytes of `range` to `sink`, piece by piece and in order; resumes where a connection
    /// broke.
    ///
    /// # Errors
    /// If the server does not have the pinned file, does not want to, or does not answer; what `sink` says;
    /// or if the user interrupts.
    pub(super) fn read(
        &mut self,
        range: Range<u64>,
        mut sink: impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut position = range.start;
        let mut tries = self.policy.tries();
        while position < range.end {
            let before = position;
            if let Err(failure) = self.read_once(&mut position, range.end, &mut tries, &mut sink) {
                tries.pause(failure, position - before)?;
            }
        }
        Ok(())
    }

    /// Asks once for what is left, and reads as far as it goes.
    fn read_once(
        &mut self,
        position: &mut u64,
        end: u64,
        tries: &mut Tries<'_>,
        sink: &mut impl FnMut(&[u8]) -> anyhow::Result<()>,
    ) -> Result<(), Failure> {
        let mut answer = self.get(*position..end, tries)?;
        let mut to_skip = self.check_content(&answer, *position)?;
        while *position < end {
            let Some(bytes) = answer.read(tries)? else {
                return Err(Failure::passing(anyhow::anyhow!("the server sent too few bytes")));
            };
            let skipped = to_skip.min(bytes.len() as u64);
            to_skip -= skipped;
            let fresh = &bytes[skipped as usize..];
            // A server may send more than the range that was asked for.
            let fresh = &fresh[..fresh.len().min((end - *position) as usize)];
            sink(fresh)?;
            *position += fresh.len() as u64;
        }
        Ok(())
    }

    /// Follows all redirects to an answer with content.
    fn get(&mut self, range: Range<u64>, tries: &mut Tries<'_>) -> Result<Answer, Failure> {
        let mut url = self.url.clone();
        let mut pinned = false;
        for _ in 0..=MAX_REDIRECTS {
            let mut headers = vec![("range", format!("bytes={}-{}", range.start, range.end - 1))];
            if let Some(token) = self.token.filter(|_| origin(&url) == origin(&self.url)) {
                headers.push(("authorization", format!("Bearer {token}")));
            }
            let answer = Answer::to(&self.agent, &url, &headers, self.size.is_some(), tries)?;
            pinned |= self.check_commit(&answer)?;
            match answer.status.as_u16() {
                301 | 302 | 303 | 307 | 308 => url = redirected(&url, answer.header("location"))?,
                200 | 206 => {
                    answer.ensure_plain(shown(&url))?;
                    self.check_etag(&answer, pinned)?;
                    self.is_elsewhere |= origin(&url) != origin(&self.url);
                    return Ok(answer);
                }
                _ => return Err(self.refusal(&answer, &url)),
            }
        }
        Err(Failure::Final(anyhow::anyhow!("{} redirects more than {MAX_REDIRECTS} times", self.url)))
    }

    /// Checks that the answer is about the pinned commit; `true` if it also says that it is about the pinned content.
    fn check_commit(&mut self, answer: &Answer) -> anyhow::Result<bool> {
        if let Some(commit) = answer.header("x-repo-commit") {
            if let Some(pin) = self.pin {
                anyhow::ensure!(
                    commit == pin.revision,
                    "{} is of the commit {commit}, expected {}",
                    self.url,
                    pin.revision
                );
            }
            self.said[0] = Some(commit.to_owned());
        }
        let Some(linked) = answer.header("x-linked-etag").map(bare) else { return Ok(false) };
        self.ensure_pinned(linked)?;
        Ok(true)
    }

    /// Checks that an answer with content has the pinned content, and the same as the answers before.
    fn check_etag(&mut self, answer: &Answer, pinned: bool) -> anyhow::Result<()> {
        let etag = answer.header("etag").map(bare);
        if !pinned {
            let expected =
                self.pin.map_or_else(String::new, |pin| format!(", expected sha256 {}", pin.sha256));
            let etag =
                etag.with_context(|| format!("{} does not say what it sends (no ETag){expected}", self.url))?;
            self.ensure_pinned(etag)?;
        }
        if let (Some(etag), Some(before)) = (etag, &self.etag) {
            anyhow::ensure!(etag == before, "{} changed while it was read: {before}, now {etag}", self.url);
        }
        self.etag = etag.map(str::to_owned).or_else(|| self.etag.take());
        Ok(())
    }

    fn ensure_pinned(&mut self, etag: &str) -> anyhow::Result<()> {
        if let Some(pin) = self.pin {
            anyhow::ensure!(
                etag == pin.sha256,
                "{} is another file: its ETag is {etag}, expected the sha256 {}",
                self.url,
                pin.sha256
            );
        }
        self.said[1] = Some(etag.to_owned());
        Ok(())
    }

    /// Gives the number of bytes of the body that come before `start`.
    fn check_content(&mut self, answer: &Answer, start: u64) -> Result<u64, Failure> {
        let (size, to_skip) = if answer.status.as_u16() == 206 {
            let range = answer.header("content-range");
            let parsed = range.and_then(parse_content_range).filter(|(first, _)| *first == start);
            let parsed = parsed.with_context(|| {
                format!("{} answers with the range {range:?}, expected one from {start}", self.url)
            })?;
            (Some(parsed.1), 0)
        } else {
            // The whole file: the server, or something before it, knows no ranges.
            (answer.header("content-length").and_then(|n| n.parse().ok()), start)
        };
        let changed = self.size.filter(|&before| size.is_some_and(|size| size != before));
        if let Some(before) = changed {
            let now = size.unwrap_or_default();
            let error =
                anyhow::anyhow!("{} changed while it was read: it had {before} bytes, now {now}", self.url);
            return Err(Failure::Final(error));
        }
        self.size = size.or(self.size);
        Ok(to_skip)
    }

    fn refusal(&self, answer: &Answer, url: &str) -> Failure {
        let pause = answer.retry_after();
        let status = answer.status.as_u16();
        let answer = format!("{} answers {}", shown(url), answer.status);
        let what = match status {
            401 | 403 if self.token.is_some() => "it does not accept the token; check HF_TOKEN",
            401 | 403 => "give a token of the hub in HF_TOKEN",
            404 | 410 => "it does not have this file; check HF_ENDPOINT",
            408 | 429 | 500..=599 => {
                let wait = pause.map_or_else(|| "later".to_owned(), |p| format!("in {} s", p.as_secs()));
                let again = Exit::TryAgain(format!("{answer}; run the same command again {wait}")).into();
                return match pause {
                    Some(pause) if pause > self.policy.longest_pause => Failure::Final(again),
                    _ => Failure::Passing(again, pause),
                };
            }
            _ => "expected 200, 206 or a redirect",
        };
        Failure::Final(anyhow::anyhow!("{answer}: {what}"))
    }
}

/// Gives an ETag without its quotation marks.
fn bare(etag: &str) -> &str {
    etag.trim().trim_start_matches("W/").trim_matches('"')
}

/// Gives scheme, host and port.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_ascii_lowercase()))
}

/// Gives `url` without its query: that of a redirect is a signature of a thousand letters.
fn shown(url: &str) -> &str {
    url.split('?').next().unwrap_or(url)
}

/// Gives the address that the answer of `url` redirects to.
pub(super) fn redirected(url: &str, location: Option<&str>) -> anyhow::Result<String> {
    let location = location.with_context(|| format!("{} redirects without a Location", shown(url)))?;
    let (scheme, host) = origin(url).with_context(|| format!("{url} is no address"))?;
    let next = if location.starts_with("http://") || location.starts_with("https://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else {
        anyhow::ensure!(
            location.starts_with('/'),
            "{} redirects to {location:?}, which is no address",
            shown(url)
        );
        format!("{scheme}://{host}{location}")
    };
    anyhow::ensure!(
        scheme == "http" || next.starts_with("https://"),
        "{} redirects from https to {}",
        shown(url),
        shown(&next)
    );
    Ok(next)
}
