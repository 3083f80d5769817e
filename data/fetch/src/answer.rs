//! The answer to a request. The client waits for the server on a separate thread, so that the reader of the answer
//! can be interrupted while the server sends nothing.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, SystemTime};

use data::stage::check_interrupted;
use ureq::http::HeaderMap;
use ureq::{Agent, http::StatusCode};

use crate::headers::parse_retry_after;
use crate::retry::{Failure, Tries};

/// Interval at which a wait checks for signals.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// Bytes per read; at most two pieces are buffered.
const PIECE_BYTES: usize = 1 << 16;
const N_WAITING: usize = 2;

/// An answer whose body is not yet read. Dropping it closes the connection.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    headers: HeaderMap,
    pieces: Receiver<std::io::Result<Vec<u8>>>,
}

struct Head {
    status: StatusCode,
    headers: HeaderMap,
}

impl Answer {
    /// Requests `url` with these headers. `has_answered` is that of [`Failure::no_answer`].
    ///
    /// # Errors
    /// If there is no answer, the server is too slow, or the user interrupts; any status is accepted.
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
            None => Err(Failure::passing(anyhow::anyhow!("{url} was not requested: the client has ended"))),
        }
    }

    /// Reads the next bytes of the body; `None` at its end.
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

    /// Returns the header `name`, if it exists and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns how long the server asks to wait: `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        parse_retry_after(self.header("retry-after")?, SystemTime::now())
    }

    /// Refuses a body with a content encoding. The request accepts none, because a range of a compressed file is not
    /// a range of the file.
    ///
    /// The crate hf-hub enables ureq's decompression for the whole workspace. ureq then decompresses a body in gzip and
    /// removes the headers for encoding and length; so an answer without a length is refused, too.
    ///
    /// # Errors
    /// If the body is encoded.
    pub fn ensure_plain(&self, url: &str) -> anyhow::Result<()> {
        let mut encodings = self.headers.get_all("content-encoding").iter();
        if let Some(found) = encodings.find(|found| !found.as_bytes().eq_ignore_ascii_case(b"identity")) {
            anyhow::bail!(
                "{url} sends the file with the content-encoding {found:?}, which was not requested; a proxy or mirror \
                 may have changed it"
            );
        }
        let has_length =
            ["content-length", "transfer-encoding"].iter().any(|name| self.headers.contains_key(*name));
        anyhow::ensure!(
            has_length,
            "{url} sends the file with the content-encoding \"gzip\", which was not requested, or without its length; \
             a proxy or mirror may have changed it"
        );
        Ok(())
    }
}

/// Waits for the next item from `channel`; `None` if the other end is closed.
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

/// Sends the pieces of `body` until its end, an error, or until the receiver is closed.
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
