//! The real HTTP path, against a server of our own on this machine that can misbehave in every way.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use super::*;

const REVISION: &str = "0123456789abcdef0123456789abcdef01234567";
/// A network as small as one can be, so that the file is small.
const LAYERS: [Layer; 2] = [
    Layer { position: 0, n_in: 3, n_out: 8, pooled: false },
    Layer { position: 2, n_in: 8, n_out: 8, pooled: true },
];
const QUICK: Settings = Settings {
    policy: RetryPolicy {
        stall: Duration::from_millis(300),
        first_pause: Duration::from_millis(1),
        n_tries: 4,
        longest_pause: Duration::from_secs(2),
        least_bytes: 64,
        least_bytes_per_window: 4000,
        window: Duration::from_millis(1500),
    },
    piece_bytes: 512,
};

/// The whole file: the convolutions, and dense layers after them, as in the true one.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let mut tensors = LAYERS.iter().flat_map(Layer::tensors).collect::<Vec<_>>();
        tensors.push(("head.fc.weight".to_owned(), vec![100, 100]));
        let bytes = |n: usize| (0..n).flat_map(|i| (i as f32 / 7.0).sin().to_le_bytes()).collect::<Vec<u8>>();
        let data: Vec<Vec<u8>> = tensors.iter().map(|(_, shape)| bytes(shape.iter().product())).collect();
        let views = tensors
            .iter()
            .zip(&data)
            .map(|((name, shape), data)| (name, TensorView::new(Dtype::F32, shape.clone(), data).unwrap()));
        safetensors::serialize(views, None).unwrap()
    })
}

fn pin() -> Pin {
    static SHA256: OnceLock<String> = OnceLock::new();
    Pin {
        repository: "owner/tiny",
        revision: REVISION,
        file: "model.safetensors",
        sha256: SHA256.get_or_init(|| data::provenance::sha256_hex(whole())),
        licence: "MIT",
        name: "tiny",
        layers: &LAYERS,
    }
}

/// What a server is asked.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    authorization: Option<String>,
    /// First byte, and the one after the last.
    range: Range<usize>,
    /// How many requests came before it.
    number: usize,
}

/// What it answers.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Only so many bytes of the body are sent.
    sent: usize,
    /// And then nothing more is, with the connection left open.
    stalls: bool,
    /// The body is sent byte by byte, with a pause after each.
    drips: Option<Duration>,
}

impl Answer {
    fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_vec(),
            sent: usize::MAX,
            stalls: false,
            drips: None,
        }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value.into()));
        self
    }

    fn cut_after(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    fn stalling_after(self, sent: usize) -> Self {
        Self { sent, stalls: true, ..self }
    }
}

/// The hub as it should be, without a redirect.
fn right(asked: &Asked) -> Answer {
    part_of(whole(), asked)
}

fn part_of(file: &[u8], asked: &Asked) -> Answer {
    let Range { start, end } = asked.range;
    Answer::new(206, &file[start..end])
        .with("etag", format!("\"{}\"", pin().sha256))
        .with("x-repo-commit", REVISION)
        .with("content-range", format!("bytes {start}-{}/{}", end - 1, file.len()))
}

type Behaviour = Box<dyn Fn(&Asked) -> Answer + Send>;

/// A server on a port of its own; it lives as long as the test program.
struct Server {
    address: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    fn new(behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Self {
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

    fn asked(&self) -> Vec<Asked> {
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
                range = first.parse().unwrap()..(last.parse::<usize>().unwrap() + 1).min(whole().len());
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

/// A user of the server at an address.
struct User {
    dir: TempDir,
    environment: Environment,
}

impl User {
    fn of(address: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment {
            endpoint: address.to_owned(),
            cache: dir.path().join("cache"),
            token: None,
            offline: false,
            bars: true,
        };
        Self { dir, environment }
    }

    fn weights_dir(&self) -> PathBuf {
        self.dir.path().join("weights")
    }

    fn get(&self, full: bool) -> anyhow::Result<PathBuf> {
        let common = CommonArgs { seed: 1, threads: 0, quiet: true, verbose: 0, json: false };
        let (pin, weights_dir) = (pin(), self.weights_dir());
        let environment = &self.environment;
        let hub =
            Hub { pin: &pin, environment, settings: &QUICK, common: &common, weights_dir: &weights_dir };
        hub.provide(full)
    }

    fn refusal(&self) -> String {
        format!("{:#}", self.get(false).unwrap_err())
    }

    /// Names in the weights directory, without the lock and the record of the digest.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.weights_dir()).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != ".lock" && name != "tiny-convolutions.sha256");
        names.sort();
        names
    }
}

/// The slim file must hold what the whole one does.
fn assert_right(slim: &Path) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("whole.safetensors");
    commit::write_bytes(&path, whole()).unwrap();
    let expected = Weights::read_layers(&path, &LAYERS).unwrap();
    let found = Weights::read_layers(slim, &LAYERS).unwrap();
    assert_eq!(found.convolutions, expected.convolutions);
    assert_eq!(found.sha256, expected.sha256, "a digest of the weights, not of the file");
}

/// A server with this behaviour must lead to the right weights.
fn assert_gets_there(behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Vec<Asked> {
    let server = Server::new(behaviour);
    let user = User::of(&server.address);
    assert_right(&user.get(false).unwrap());
    assert_eq!(user.names(), ["tiny-convolutions.safetensors"], "nothing else is left");
    server.asked()
}

/// A server with this behaviour must be refused, with this in the message, and leave no weights.
fn assert_refused(expected: &str, behaviour: impl Fn(&Asked) -> Answer + Send + 'static) -> Vec<Asked> {
    let server = Server::new(behaviour);
    let user = User::of(&server.address);
    let message = user.refusal();
    assert!(message.contains(expected), "{message}");
    assert!(message.contains("curl -fL -o tiny.safetensors https://huggingface.co/owner/tiny"), "{message}");
    assert!(!user.names().iter().any(|name| name.ends_with(".safetensors")));
    server.asked()
}

#[test]
fn only_the_convolutions_are_fetched_and_only_once() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    assert_right(&slim);
    let asked = server.asked();
    assert_eq!(asked.len(), 3, "the header's length, the header, one merged range: {asked:?}");
    assert_eq!(asked[0].path, format!("/owner/tiny/resolve/{REVISION}/model.safetensors"));
    let n_bytes = 4 * LAYERS.iter().map(|l| l.n_out * (9 * l.n_in + 1)).sum::<usize>();
    assert_eq!(asked[2].range.len(), n_bytes);

    let text = String::from_utf8_lossy(&fs::read(&slim).unwrap()).into_owned();
    for recorded in ["hub:owner/tiny", REVISION, pin().sha256, "MIT"] {
        assert!(text.contains(recorded), "{recorded}");
    }
    user.get(false).unwrap();
    assert_eq!(server.asked().len(), 3, "the second time nothing is asked");
}

#[test]
fn a_flipped_bit_in_the_slim_file_is_found() {
    let server = Server::new(right);
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    let mut bytes = fs::read(&slim).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    commit::write_bytes(&slim, &bytes).unwrap();
    let message = format!("{:#}", Weights::read_layers(&slim, &LAYERS).unwrap_err());
    assert!(message.contains("tiny-convolutions.safetensors is damaged"), "{message}");
    user.get(false).unwrap();
    assert_right(&slim);
    assert_eq!(server.asked().len(), 6, "it was fetched anew");
}

/// The server that has the bytes; the hub sends everybody there.
fn content_server() -> Server {
    Server::new(|asked| right(asked).with("etag", "\"of the other server\"").with("x-repo-commit", REVISION))
}

fn to(address: &str) -> Answer {
    Answer::new(302, b"")
        .with("location", format!("{address}/bytes?signature=x"))
        .with("x-linked-etag", format!("\"{}\"", pin().sha256))
        .with("x-repo-commit", REVISION)
}

#[test]
fn redirects_are_followed_and_the_token_stays_with_the_hub() {
    let content = content_server();
    let address = content.address.clone();
    let hub = Server::new(move |asked| match asked.path.starts_with("/owner/") {
        true => Answer::new(307, b"").with("location", "/renamed"),
        false => to(&address),
    });
    let mut user = User::of(&hub.address);
    user.environment.token = Some("hf_secret".to_owned());
    assert_right(&user.get(false).unwrap());
    assert!(hub.asked().iter().all(|a| a.authorization.as_deref() == Some("Bearer hf_secret")));
    assert_eq!(hub.asked().len(), 6);
    assert!(content.asked().iter().all(|a| a.authorization.is_none() && a.path == "/bytes?signature=x"));
    assert_eq!(content.asked().len(), 3);
}

#[test]
fn wrong_redirects_are_refused() {
    assert_refused("redirects more than 5 times", |_| Answer::new(302, b"").with("location", "/again"));
    assert_refused("redirects to nowhere", |_| Answer::new(302, b""));
    assert_refused("which is no address", |_| Answer::new(302, b"").with("location", "file"));
    let content = content_server();
    // The hub does not say what it redirects to, and the other server calls it something else.
    assert_refused("is another file: its ETag is of the other server", move |_| {
        Answer::new(302, b"").with("location", content.address.clone())
    });
    let next = remote::redirected("https://huggingface.co/x", Some("http://huggingface.co/y"));
    assert!(next.unwrap_err().to_string().contains("redirects from https"));
}

#[test]
fn a_file_that_is_not_the_pinned_one_is_refused() {
    assert_refused("its ETag is abc, expected the sha256", |asked| right(asked).with("etag", "\"abc\""));
    assert_refused("its ETag is abc", |_| to("http://127.0.0.1:9").with("x-linked-etag", "\"abc\""));
    assert_refused("is of the commit 9999", |asked| right(asked).with("x-repo-commit", "9999"));
    assert_refused("(no ETag)", |asked| {
        let mut answer = right(asked);
        answer.headers.retain(|(name, _)| *name != "etag");
        answer
    });
}

#[test]
fn a_file_that_changes_between_requests_is_refused() {
    let size = whole().len() + 1;
    assert_refused("changed while it was read: it had", move |asked| match asked.number {
        0 => right(asked),
        _ => right(asked).with("content-range", format!("bytes {}-9/{size}", asked.range.start)),
    });
    let content = Server::new(|asked| right(asked).with("etag", format!("\"{}\"", asked.number)));
    assert_refused("changed while it was read: 0, now 1", move |_| to(&content.address));
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let asked =
        assert_gets_there(|_| Answer::new(200, whole()).with("etag", format!("\"{}\"", pin().sha256)));
    assert_eq!(asked.len(), 3);
}

#[test]
fn a_wrong_range_is_refused() {
    assert_refused("answers with the range Some(\"bytes 1-", |asked| {
        right(asked).with("content-range", format!("bytes 1-9/{}", whole().len()))
    });
    assert_refused("answers with the range None", |asked| {
        let mut answer = right(asked);
        answer.headers.retain(|(name, _)| *name != "content-range");
        answer
    });
    assert_refused("answers 416", |_| Answer::new(416, b""));
}

#[test]
fn a_broken_connection_goes_on_where_it_broke() {
    let asked = assert_gets_there(|asked| right(asked).cut_after(700));
    let n_bytes = asked[2].range.len();
    assert_eq!(asked.len(), 2 + n_bytes.div_ceil(700));
    assert!(asked[2..].windows(2).all(|two| two[1].range.start == two[0].range.start + 700), "{asked:?}");
}

#[test]
fn a_server_that_stalls_is_given_up_and_asked_again() {
    let start = Instant::now();
    let asked = assert_gets_there(|asked| match asked.number {
        2 => right(asked).stalling_after(600),
        _ => right(asked),
    });
    assert_eq!(asked[3].range.start, asked[2].range.start + 600);
    assert!(start.elapsed() >= QUICK.policy.stall);
    assert_refused("gave up after 4 tries in a row", |asked| right(asked).stalling_after(0));
}

#[test]
fn a_server_that_fails_now_and_then_is_asked_again() {
    let asked = assert_gets_there(|asked| match asked.number % 3 {
        0 | 1 => Answer::new([500, 502, 503, 504][asked.number % 4], b"busy"),
        _ => right(asked),
    });
    assert_eq!(asked.len(), 9);
    let asked = assert_refused("answers 500", |_| Answer::new(500, b""));
    assert_eq!(asked.len(), 4);
}

#[test]
fn a_refusal_says_what_to_do() {
    for status in [401, 403] {
        let asked = assert_refused("give a token of the hub in HF_TOKEN", move |_| Answer::new(status, b""));
        assert_eq!(asked.len(), 1, "asked once");
    }
    assert_refused("check HF_ENDPOINT", |_| Answer::new(404, b""));
    assert_refused("answers 418", |_| Answer::new(418, b""));
    let server = Server::new(|_| Answer::new(401, b""));
    let mut user = User::of(&server.address);
    user.environment.token = Some("hf_old".to_owned());
    let message = user.refusal();
    assert!(message.contains("does not accept the token") && !message.contains("hf_old"), "{message}");
}

#[test]
fn too_many_requests_wait_as_long_as_asked() {
    let start = Instant::now();
    assert_gets_there(|asked| match asked.number {
        0 => Answer::new(429, b"").with("retry-after", "1"),
        _ => right(asked),
    });
    assert!(start.elapsed() >= Duration::from_secs(1));

    // Until a date that has passed: at once.
    let asked = assert_gets_there(|asked| match asked.number {
        0 => Answer::new(503, b"").with("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
        _ => right(asked),
    });
    assert_eq!(asked.len(), 4);

    // Too long, and without an end: exit code 75.
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for (status, wait, expected, n_asked) in [
        (429, Some("3"), "again in 3 s", 1),
        (503, Some("3"), "again in 3 s", 1),
        (429, Some(far), "again in 2", 1),
        (429, None, "again later", 4),
    ] {
        let server = Server::new(move |_| {
            let answer = Answer::new(status, b"");
            wait.map_or_else(|| Answer::new(status, b""), |wait| answer.with("retry-after", wait))
        });
        let error = User::of(&server.address).get(false).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains(expected)), "{error:#}");
        assert_eq!(server.asked().len(), n_asked);
    }
}

#[test]
fn an_interrupted_download_goes_on_in_the_next_run() {
    let server = Server::new(|asked| match asked.number {
        0..=1 | 4.. => right(asked),
        2 => right(asked).cut_after(1300),
        _ => Answer::new(403, b""),
    });
    let user = User::of(&server.address);
    user.refusal();
    // Of the two pieces one is damaged meanwhile.
    let parts = user.weights_dir().join(".tiny-01234567-convolutions.parts");
    let mut stored: Vec<_> = fs::read_dir(&parts).unwrap().map(|e| e.unwrap().path()).collect();
    stored.sort();
    assert_eq!(stored.len(), 2);
    let start = server.asked()[2].range.start;
    let damaged = parts.join(format!("{start}-{}", start + 512));
    let mut bytes = fs::read(&damaged).unwrap();
    bytes[100] ^= 1;
    commit::write_bytes(&damaged, &bytes).unwrap();

    assert_right(&user.get(false).unwrap());
    let asked = server.asked();
    assert_eq!(asked[6].range, start..start + 512);
    assert_eq!(asked[7].range.start, start + 1024);
    assert_eq!(user.names(), ["tiny-convolutions.safetensors"]);
}

#[test]
fn a_header_that_lies_is_refused() {
    let mut short = whole().to_vec();
    short.truncate(whole().len() - 4);
    assert_refused("its header promises", move |asked| part_of(&short, asked));
    let longer = [&u64::MAX.to_le_bytes()[..], &whole()[8..]].concat();
    assert_refused("its header claims", move |asked| part_of(&longer, asked));
    let name = b"features.2.bias";
    let at = whole().windows(name.len()).position(|w| w == name).unwrap();
    let mut renamed = whole().to_vec();
    renamed[at..at + name.len()].copy_from_slice(b"features.3.bias");
    assert_refused("features.2.bias is missing", move |asked| part_of(&renamed, asked));
}

#[test]
fn the_whole_file_goes_into_the_shared_cache() {
    let server = Server::new(|asked| match asked.number {
        2 => right(asked).cut_after(20_000),
        _ => right(asked),
    });
    let user = User::of(&server.address);
    assert_right(&user.get(true).unwrap());
    let repository = user.environment.cache.join("models--owner--tiny");
    let snapshot = repository.join("snapshots").join(REVISION).join("model.safetensors");
    assert!(fs::read(&snapshot).unwrap() == whole());
    let blob = repository.join("blobs").join(pin().sha256);
    assert_eq!(snapshot.canonicalize().unwrap(), blob.canonicalize().unwrap());
    assert_eq!(user.names(), ["tiny-convolutions.safetensors", "tiny.safetensors"]);
    assert!(fs::read(user.weights_dir().join("tiny.safetensors")).unwrap() == whole());
    let n_asked = server.asked().len();
    assert_eq!(n_asked, 4);
    user.get(true).unwrap();

    // Another work directory, and no network: the cache is enough.
    fs::remove_dir_all(user.weights_dir()).unwrap();
    assert_right(&user.get(false).unwrap());
    assert_eq!(server.asked().len(), n_asked);
    fs::remove_dir_all(user.weights_dir()).unwrap();
    commit::write_bytes(&blob, &whole()[1..]).unwrap();
    let message = user.refusal();
    assert!(message.contains("model.safetensors is damaged or another file"), "{message}");
}

#[test]
fn a_file_that_the_disk_has_no_room_for_is_not_begun() {
    // The header of a file with one tensor of 4 PiB.
    let n_header = u64::from_le_bytes(whole()[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&whole()[8..8 + n_header]).unwrap();
    let huge = &mut header["head.fc.weight"];
    let start = huge["data_offsets"][0].as_u64().unwrap();
    *huge = serde_json::json!({"dtype": "F32", "shape": [1u64 << 50], "data_offsets": [start, start + (1 << 52)]});
    let header = serde_json::to_vec(&header).unwrap();
    let size = 8 + header.len() as u64 + start + (1 << 52);
    let file = [&(header.len() as u64).to_le_bytes()[..], &header].concat();
    let server = Server::new(move |asked| {
        let Range { start, end } = asked.range;
        part_of(&file, asked).with("content-range", format!("bytes {start}-{}/{size}", end - 1))
    });
    let user = User::of(&server.address);
    let message = format!("{:#}", user.get(true).unwrap_err());
    assert!(message.contains("the whole file of the weights needs 4503599.6"), "{message}");
    assert_eq!(server.asked().len(), 2, "the header and no more");
}

#[test]
fn a_whole_file_with_wrong_bytes_never_reaches_the_cache() {
    let mut damaged = whole().to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    let server = Server::new(move |asked| part_of(&damaged, asked));
    let user = User::of(&server.address);
    let message = format!("{:#}", user.get(true).unwrap_err());
    assert!(message.contains("sent bytes with the sha256"), "{message}");
    assert!(user.names().is_empty(), "{:?}", user.names());
    assert!(!user.environment.cache.join("models--owner--tiny/snapshots").exists());
    let blobs = user.environment.cache.join("models--owner--tiny/blobs");
    assert_eq!(fs::read_dir(blobs).unwrap().count(), 0);
}

#[test]
fn offline_the_error_names_the_command_and_the_place() {
    let server = Server::new(right);
    let mut user = User::of(&server.address);
    user.environment.offline = true;
    let message = user.refusal();
    let url = format!("https://huggingface.co/owner/tiny/resolve/{REVISION}/model.safetensors");
    assert!(message.contains("HF_HUB_OFFLINE is set"), "{message}");
    assert!(message.contains(&format!("curl -fL -o tiny.safetensors {url}")), "{message}");
    assert!(message.contains(user.weights_dir().to_str().unwrap()), "{message}");
    // So does the user.
    let placed = user.weights_dir().join("tiny.safetensors");
    commit::write_bytes(&placed, &whole()[..1000]).unwrap();
    assert!(user.refusal().contains("tiny.safetensors is damaged or another file"));
    commit::write_bytes(&placed, whole()).unwrap();
    assert_right(&user.get(false).unwrap());
    assert!(server.asked().is_empty());
}

#[test]
fn a_machine_without_a_network_is_told_at_once() {
    let start = Instant::now();
    let message = User::of("http://no-such-host.invalid").refusal();
    assert!(message.contains("does not answer") && message.contains("curl"), "{message}");
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_variables_are_read_in_their_order() {
    let read = |variables: &[(&str, &str)]| {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(n, v)| (n.to_string(), v.into())).collect();
        Environment::from(move |name| Some(variables.iter().find(|(n, _)| n == name)?.1.clone()))
    };
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().to_str().unwrap();
    commit::write_bytes(&dir.path().join("token"), b" hf_stored\n").unwrap();
    let stored = read(&[("HF_HOME", home)]).unwrap();
    assert_eq!(stored.cache, dir.path().join("hub"));
    assert_eq!(stored.token.as_deref(), Some("hf_stored"));
    assert_eq!(stored.endpoint, "https://huggingface.co");
    assert!(stored.bars && !stored.offline);

    let given = [
        ("HF_HOME", home),
        ("HF_HUB_CACHE", "/cache"),
        ("HF_TOKEN", "hf_given"),
        ("HF_ENDPOINT", "https://mirror.example/"),
        ("HF_HUB_OFFLINE", "1"),
        ("HF_HUB_DISABLE_PROGRESS_BARS", "TRUE"),
    ];
    let given = read(&given).unwrap();
    assert_eq!(given.cache, Path::new("/cache"));
    assert_eq!(given.token.as_deref(), Some("hf_given"));
    assert_eq!(given.endpoint, "https://mirror.example");
    assert!(!given.bars && given.offline);

    let none =
        read(&[("XDG_CACHE_HOME", "/x"), ("HF_TOKEN", "t"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]).unwrap();
    assert_eq!(none.cache, Path::new("/x/huggingface/hub"));
    assert_eq!(none.token, None);

    let token = dir.path().join("token");
    let named = [("HUGGINGFACE_HUB_CACHE", "~/hub"), ("HF_TOKEN_PATH", token.to_str().unwrap())];
    let named = read(&named).unwrap();
    assert_eq!(named.cache, std::env::home_dir().unwrap().join("hub"));
    assert_eq!(named.token.as_deref(), Some("hf_stored"));
    let both = read(&[("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")]).unwrap();
    assert_eq!(both.cache, Path::new("/new"));
    assert!(read(&[("HF_ENDPOINT", "mirror.example")]).is_err());
    assert!(read(&[("HF_TOKEN", "two words")]).is_err());
}

/// With FULL=yes make hands the whole file to `trainer evaluate`, by the name that it gets here.
#[test]
fn the_makefile_knows_the_whole_files_name() {
    let makefile = include_str!("../../../../data/settings.mk");
    let common = CommonArgs { seed: 1, threads: 0, quiet: true, verbose: 0, json: false };
    let environment = User::of("http://nobody.example").environment;
    let weights_dir = Path::new("$(W)/weights");
    let hub = Hub { pin: &PINNED, environment: &environment, settings: &QUICK, common: &common, weights_dir };
    assert!(makefile.contains(&format!("{})))\n", hub.placed().display())), "{}", hub.placed().display());
}

#[test]
fn an_encoded_answer_is_refused_and_leaves_nothing_in_the_way() {
    let server = Server::new(|asked| match asked.number {
        2 => right(asked).with("content-encoding", "gzip"),
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let message = user.refusal();
    assert!(message.contains("content-encoding \"gzip\""), "{message}");
    assert_right(&user.get(false).unwrap());
    assert_gets_there(|asked| right(asked).with("content-encoding", "identity"));
}

#[test]
fn parts_that_were_refused_do_not_stay() {
    // Every bit of a float set: no number.
    let server = Server::new(|asked| match asked.number {
        2 => Answer { body: vec![0xff; asked.range.len()], ..right(asked) },
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let message = user.refusal();
    assert!(message.contains("weights that are no numbers"), "{message}");
    assert!(user.names().is_empty(), "{:?}", user.names());
    assert_right(&user.get(false).unwrap());
}

#[test]
fn convolutions_with_another_digest_than_the_first_time_are_refused() {
    let server = Server::new(|asked| match asked.number {
        5 => Answer { body: vec![0x3f; asked.range.len()], ..right(asked) },
        _ => right(asked),
    });
    let user = User::of(&server.address);
    let slim = user.get(false).unwrap();
    fs::remove_file(&slim).unwrap();
    let message = user.refusal();
    assert!(message.contains("those of the first time had") && message.contains("--full"), "{message}");
    assert!(user.names().is_empty(), "{:?}", user.names());
    assert_right(&user.get(false).unwrap());

    // What is a part of the whole file is right, whatever was recorded.
    commit::write_bytes(&user.weights_dir().join("tiny-convolutions.sha256"), "0".repeat(64).as_bytes())
        .unwrap();
    fs::remove_file(&slim).unwrap();
    assert_right(&user.get(true).unwrap());
    fs::remove_file(&slim).unwrap();
    fs::remove_file(user.weights_dir().join("tiny.safetensors")).unwrap();
    fs::remove_dir_all(&user.environment.cache).unwrap();
    assert_right(&user.get(false).unwrap());
}

#[test]
fn a_server_that_drips_is_given_up_with_code_75() {
    let start = Instant::now();
    let cases: [(&str, fn(&Asked) -> Answer); 3] = [
        ("a byte now and then", |asked| Answer { drips: Some(Duration::from_millis(50)), ..right(asked) }),
        ("a byte a connection", |asked| right(asked).cut_after(1)),
        ("a stall after a while", |asked| right(asked).stalling_after(100)),
    ];
    for (what, behaviour) in cases {
        // The header comes as it should.
        let server = Server::new(move |asked| if asked.number < 2 { right(asked) } else { behaviour(asked) });
        let error = User::of(&server.address).get(false).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("gave up") && m.contains("run the same command again")),
            "{what}: {error:#}"
        );
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}
