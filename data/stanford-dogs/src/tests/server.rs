//! A faulty server on this machine.

use super::*;

/// The fault of the server for images.tar; requests for it are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fault {
    None,
    /// The first answers end after a given number of bytes of the body.
    Cut {
        answers: usize,
        after: usize,
    },
    /// As `Cut` for the first answer, but the connection stays open.
    Stall,
    /// Every answer has the whole file for any range, and ends early.
    IgnoresRange,
    /// Other bytes of the same number.
    OtherBytes,
    /// Another size.
    OtherSize,
    /// The first answers have this status.
    Status {
        answers: usize,
        status: u16,
    },
    /// The server asks to wait for this number of seconds.
    Busy(u32),
    /// The header of a part names a range from the beginning of the file.
    WrongRange,
    /// The first request gets no answer.
    Silent,
    /// The first answer has a header for compression.
    Encoded,
    /// Every answer ends after one byte.
    AByte,
    /// Answers have these validator headers, and only half of the file.
    Called(&'static str),
}

pub(super) struct Server {
    pub(super) address: String,
    /// `path` and `range` of each request.
    pub(super) log: Arc<Mutex<Vec<(String, Option<String>)>>>,
}

impl Server {
    pub(super) fn new(fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let log = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            let mut open = Vec::new();
            for connection in listener.incoming() {
                open.extend(serve(connection.unwrap(), fault, &kept));
            }
        });
        Self { address, log }
    }

    /// Returns the requested ranges of images.tar.
    pub(super) fn ranges(&self) -> Vec<Option<String>> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|(path, _)| path == "/images.tar").map(|(_, range)| range.clone()).collect()
    }
}

/// Answers one request. Returns the connection if it must stay open.
fn serve(
    mut connection: TcpStream,
    fault: Fault,
    log: &Mutex<Vec<(String, Option<String>)>>,
) -> Option<TcpStream> {
    let mut lines = BufReader::new(connection.try_clone().unwrap()).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<String> =
        lines.take_while(|line| !line.is_empty()).map(|line| line.to_ascii_lowercase()).collect();
    let value_of = |name: &str| headers.iter().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let range = value_of("range: ");
    let is_other = value_of("if-range: ").is_some_and(|validator| validator != "\"one\"");
    let mut body = match path.as_str() {
        "/images.tar" => images(),
        "/annotation.tar" => annotations(),
        _ => lists(),
    };
    let fault = if path == "/images.tar" { fault } else { Fault::None };
    let number = log.lock().unwrap().iter().filter(|(before, _)| *before == path).count();
    log.lock().unwrap().push((path, range.clone()));
    let size = body.len();
    if fault == Fault::Silent && number == 0 {
        return Some(connection);
    }
    let (mut status, mut sent, mut stalls) = (200, usize::MAX, false);
    let called = if let Fault::Called(headers) = fault { headers } else { "etag: \"one\"\r\n" };
    let mut head = format!("connection: close\r\n{called}");
    if let Some(range) = range.filter(|_| fault != Fault::IgnoresRange && !is_other) {
        let start: usize = range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
        let told = if fault == Fault::WrongRange { 0 } else { start };
        head += &format!("content-range: bytes {told}-{}/{size}\r\n", size - 1);
        body.drain(..start);
        status = 206;
    }
    match fault {
        Fault::Cut { answers, after } if number < answers => sent = after,
        Fault::Encoded if number == 0 => head += "content-encoding: gzip\r\n",
        Fault::AByte => sent = 1,
        Fault::Stall if number == 0 => (sent, stalls) = (1000, true),
        Fault::IgnoresRange if number == 0 => sent = 1000,
        Fault::OtherBytes => body.reverse(),
        Fault::OtherSize => body.truncate(512),
        Fault::Status { answers, status: with } if number < answers => (status, sent) = (with, 0),
        Fault::Busy(seconds) => {
            head += &format!("retry-after: {seconds}\r\n");
            (status, sent) = (503, 0);
        }
        Fault::Called(_) => sent = size / 2,
        _ => {}
    }
    head = format!("HTTP/1.1 {status} x\r\n{head}content-length: {}\r\n\r\n", body.len());
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(&body[..sent.min(body.len())]).ok()?;
    stalls.then_some(connection)
}
