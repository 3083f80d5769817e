//! A server on this machine whose answers a test chooses.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crate::tests::{REVISION, sha256, whole};

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) authorization: Option<String>,
    /// First byte, and the one after the last.
    pub(super) range: Range<usize>,
    /// How many requests came before it.
    pub(super) number: usize,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
    /// Only so many bytes of the body are sent.
    pub(super) sent: usize,
    /// And then nothing more is, with the connection left open.
    pub(super) stalls: bool,
    /// The body is sent byte by byte, with a pause after each.
    pub(super) drips: Option<Duration>,
}

impl Answer {
    pub(super) fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
            sent: usize::MAX,
            stalls: false,
            drips: None,
        }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn cut_after(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    pub(super) fn stalling_after(self, sent: usize) -> Self {
        Self { sent, stalls: true, ..self }
    }
}

/// Answers as the hub should, without a redirect.
pub(super) fn right(asked: &Asked) -> Answer {
    part_of(whole(), asked)
}

/// Answers with the part of `file` that was asked for.
pub(super) fn part_of(file: &[u8], asked: &Asked) -> Answer {
    let Range { start, end } = asked.range;
    Answer::new(206, &file[start..end])
        .with("etag", format!("\"{}\"", sha256()))
        .with("x-repo-commit", REVISION)
        .with("content-range", format!("bytes {start}-{}/{}", end - 1, file.len()))
}

type Behaviour = Box<dyn Fn(&Asked) -> Answer + Send>;

/// A server on a port of its own; it lives as long as the test program.
pub(super) struct Server {
    pub(super) address: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    pub(super) fn new(behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        let behaviour: Behaviour = Box::new(behaviour);
        thread::spawn(move || {
            let mut stalled = Vec::new();
            for connection in listener.incoming() {
                stalled.extend(serve(connection.unwrap(), &behaviour, &kept));
            }
        });
        Self { address, log }
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.log.lock().unwrap().clone()
    }
}

/// Answers one request; gives the connection back if it is to be left open.
fn serve(connection: TcpStream, behaviour: &Behaviour, log: &Mutex<Vec<Asked>>) -> Option<TcpStream> {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let (mut authorization, mut range) = (None, 0..whole().len());
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ").unwrap();
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.to_owned()),
            "range" => {
                let (first, last) = value.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
                let end = last.parse().map_or(usize::MAX, |last: usize| last + 1).min(whole().len());
                range = first.parse().unwrap()..end;
            }
            _ => {}
        }
    }
    let number = log.lock().unwrap().len();
    let asked = Asked { path, authorization, range, number };
    log.lock().unwrap().push(asked.clone());
    let answer = behaviour(&asked);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status);
    let length = ("content-length", answer.body.len().to_string());
    for (name, value) in answer.headers.iter().chain([&length]) {
        head += &format!("{name}: {value}\r\n");
    }
    let sent = &answer.body[..answer.sent.min(answer.body.len())];
    let mut connection = connection;
    // The client may have gone already; it had what it wanted.
    if let Some(pause) = answer.drips {
        let _ = connection.write_all(&[head.as_bytes(), b"\r\n"].concat());
        thread::spawn(move || {
            for byte in answer.body {
                if connection.write_all(&[byte]).is_err() {
                    return;
                }
                thread::sleep(pause);
            }
        });
        return None;
    }
    let _ = connection.write_all(&[head.as_bytes(), b"\r\n", sent].concat());
    if answer.stalls {
        return Some(connection);
    }
    let _ = connection.shutdown(Shutdown::Write);
    None
}
