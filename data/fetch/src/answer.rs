//! The answer to a request. The client waits for the server on a thread of its own, so that whoever reads the
//! answer can be interrupted while the server is silent.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use data::stage::check_interrupted;
use ureq::http::HeaderMap;
use ureq::{Agent, http::StatusCode};

use crate::headers::parse_retry_after;
use crate::retry::{Failure, Tries};

/// How often a wait looks at the signals.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes that are read at once; two pieces wait at most.
const PIECE_BYTES: usize = 1 << 16;
const N_WAITING: usize = 2;

/// An answer whose body is yet to be read. When it is dropped the connection is closed.
#[derive(Debug)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    headers: HeaderMap,
    pieces: Receiver<std::io::Result<Vec<u8>>>,
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    /// Asks for `url`, with these request headers. `has_answered`: see [`Failure::no_answer`].
    ///
    /// # Errors
    /// If there is no answer, too slow a server, or the user interrupts. An answer of any status is none.
    pub fn to(
        agent: &Agent,
        url: &str,
        headers: &[(&str, String)],
        has_answered: bool,
        tries: &mut Tries<'_>,
    ) -> Result<Self, Failure> {
        let mut request = agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let (head_sender, head) = sync_channel(1);
        let (sender, pieces) = sync_channel(N_WAITING);
        thread::spawn(move || match request.call() {
            Ok(mut response) => {
                let head = Head { status: response.status(), headers: response.headers().clone() };
                if head_sender.send(Ok(head)).is_ok() {
                    forward(response.body_mut().as_reader(), &sender);
                }
            }
            Err(error) => drop(head_sender.send(Err(error))),
        });
        match wait(&head, tries)? {
            Some(Ok(Head { status, headers })) => Ok(Self { status, headers, pieces }),
            Some(Err(error)) => Err(Failure::no_answer(error, url, has_answered)),
            None => Err(Failure::passing(anyhow::anyhow!("{url} was not asked: the client has ended"))),
        }
    }

    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// If the connection breaks, the server is too slow, or the user interrupts.
    pub fn read(&mut self, tries: &mut Tries<'_>) -> Result<Option<Vec<u8>>, Failure> {
        match wait(&self.pieces, tries)? {
            None => Ok(None),
            Some(Ok(bytes)) => {
                tries.received(bytes.len())?;
                Ok(Some(bytes))
            }
            Some(Err(e)) => Err(Failure::passing(anyhow::Error::new(e).context("the connection broke"))),
        }
    }

    /// The header `name`, if it is there and text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the server asks to wait: `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        parse_retry_after(self.header("retry-after")?, SystemTime::now())
    }

    /// Refuses a body that is not the bytes of the file. Only these were asked for, and a range of a compressed file is
    /// a range of something else.
    ///
    /// The crate hf-hub turns on ureq's decompression for the whole workspace. ureq then decompresses a body in gzip and
    /// removes the headers that say so, the length with them; so an answer that does not say how long it is, is refused
    /// too.
    ///
    /// # Errors
    /// If the body is encoded.
    pub fn ensure_plain(&self, url: &str) -> anyhow::Result<()> {
        let mut encodings = self.headers.get_all("content-encoding").iter();
        if let Some(found) = encodings.find(|found| !found.as_bytes().eq_ignore_ascii_case(b"identity")) {
            anyhow::bail!(
                "{url} sends the file with the content-encoding {found:?}, which was not asked for; a proxy or mirror \
                 on the way changes it"
            );
        }
        let has_length =
            ["content-length", "transfer-encoding"].iter().any(|name| self.headers.contains_key(*name));
        anyhow::ensure!(
            has_length,
            "{url} sends the file with the content-encoding \"gzip\", which was not asked for, or does not say how much it \
             sends; a proxy or mirror on the way changes it"
        );
        Ok(())
    }
}

/// What comes next through `channel`; `None` when the other end has gone.
fn wait<T>(channel: &Receiver<T>, tries: &mut Tries<'_>) -> Result<Option<T>, Failure> {
    loop {
        check_interrupted()?;
        match channel.recv_timeout(POLL_INTERVAL) {
            Ok(received) => return Ok(Some(received)),
            Err(RecvTimeoutError::Disconnected) => return Ok(None),
            Err(RecvTimeoutError::Timeout) => tries.received(0)?,
        }
    }
}

/// Passes on what comes until the end, an error, or until nobody listens any more.
fn forward(mut body: impl Read, sender: &SyncSender<std::io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        let read = body.read(&mut piece).map(|n| {
            piece.truncate(n);
            piece
        });
        let ended = read.as_ref().map_or(true, Vec::is_empty);
        let at_end = read.as_ref().is_ok_and(Vec::is_empty);
        if at_end || sender.send(read).is_err() || ended {
            return;
        }
    }
}
