//! The whole way, against a server on this machine that misbehaves, with archives of the true layout.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use clap::Parser;
use data::commit;
use data::provenance::sha256_hex;
use data::stage::Exit;
use fetch::RetryPolicy;
use tar::{EntryType, Header};
use tempfile::TempDir;

use crate::archives::{Archive, Layout};
use crate::args::Args;
use crate::mat::files::mat;
use crate::run::{Inventory, RECORD, make};

const QUICK: RetryPolicy = RetryPolicy {
    stall: Duration::from_millis(300),
    first_pause: Duration::from_millis(1),
    n_tries: 3,
    longest_pause: Duration::from_secs(2),
    least_bytes: 64,
    least_bytes_per_window: 4000,
    window: Duration::from_millis(1500),
};
const TWINS: &[u8] = &[7; 3000];
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n, whatever it is called";

fn entry(tar: &mut Vec<u8>, path: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    // Not through `set_path`, which refuses what a hostile archive would have.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(bytes.len() as u64);
    if kind.is_symlink() || kind.is_hard_link() {
        header.as_old_mut().linkname[..11].copy_from_slice(b"/etc/passwd");
    }
    header.set_cksum();
    tar.extend(header.as_bytes());
    tar.extend(bytes);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

fn closed(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// As Stanford Dogs: twins within a class and in two classes, a PNG named .jpg.
fn images() -> Vec<u8> {
    let mut tar = Vec::new();
    entry(&mut tar, "Images/", EntryType::Directory, b"");
    for (path, bytes) in [
        ("Images/n02085620-Chihuahua/n02085620_7.jpg", TWINS),
        ("Images/n02085620-Chihuahua/n02085620_8.jpg", TWINS),
        ("Images/n02105855-Shetland_sheepdog/n02105855_2933.jpg", PNG),
        ("Images/n02105855-Shetland_sheepdog/n02105855_1.jpg", TWINS),
        ("Images/n02105855-Shetland_sheepdog/._n02105855_1.jpg", b"of a Mac"),
    ] {
        entry(&mut tar, path, EntryType::Regular, bytes);
    }
    closed(tar)
}

fn annotations() -> Vec<u8> {
    let mut tar = Vec::new();
    entry(&mut tar, "Annotation/n02085620-Chihuahua/n02085620_7", EntryType::Regular, b"<annotation/>");
    closed(tar)
}

fn lists() -> Vec<u8> {
    let mut tar = Vec::new();
    for name in ["train_list.mat", "test_list.mat"] {
        entry(&mut tar, name, EntryType::Regular, &mat(&[name, "n02085620-Chihuahua/n02085620_7.jpg"]));
    }
    closed(tar)
}

fn archive(name: &'static str, layout: Layout, folder: &'static str, bytes: &[u8]) -> Archive {
    let counts = (folder == "raw").then_some((4, 2));
    Archive { name, size: bytes.len() as u64, sha256: sha256_hex(bytes), layout, folder, counts }
}

fn miniature() -> Vec<Archive> {
    vec![
        archive("lists.tar", Layout::Flat, "lists", &lists()),
        archive("annotation.tar", Layout::Classes("Annotation"), "annotations", &annotations()),
        archive("images.tar", Layout::Classes("Images"), "raw", &images()),
    ]
}

/// What the server does wrong with images.tar; the number counts the requests for it from 0.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// The first answers end after so many bytes of the body.
    Cut {
        answers: usize,
        after: usize,
    },
    /// As `Cut` for the first one, but the connection stays open.
    Stall,
    /// Every answer ends early and has the whole file.
    IgnoresRange,
    /// Other bytes, as many.
    OtherBytes,
    /// Another size.
    OtherSize,
    /// The first answers have this status.
    Status {
        answers: usize,
        status: u16,
    },
    /// Asks to wait, for so many seconds.
    Busy(u32),
    /// Parts are called the beginning of the file.
    WrongRange,
    /// The first request gets no answer at all.
    Silent,
    /// The first answer says that it is compressed.
    Encoded,
    /// Every answer ends after one byte.
    AByte,
    /// These are what the file is called by, and half of it is all that comes.
    Called(&'static str),
}

struct Server {
    address: String,
    /// `path` and `range` of each request.
    log: Arc<Mutex<Vec<(String, Option<String>)>>>,
}

impl Server {
    fn new(fault: Fault) -> Self {
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

    /// The ranges that images.tar was asked for.
    fn ranges(&self) -> Vec<Option<String>> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|(path, _)| path == "/images.tar").map(|(_, range)| range.clone()).collect()
    }
}

/// Answers one request; gives the connection back if it is to be left open.
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

fn args(out: &Path, mirror: &str) -> Args {
    Args::parse_from(["stanford-dogs", "--quiet", "--mirror", mirror, "--out", out.to_str().unwrap()])
}

fn make_in(dir: &TempDir, server: &Server) -> anyhow::Result<Option<Inventory>> {
    make(&args(dir.path(), &server.address), &miniature(), &QUICK)
}

/// Whether the record says that everything was unpacked.
fn is_complete(dir: &TempDir) -> bool {
    let record = data::provenance::Provenance::read(&dir.path().join(RECORD)).unwrap();
    record.is_some_and(|record| record.outputs.values().all(Option::is_some))
}

#[track_caller]
fn assert_complete(dir: &TempDir) {
    let raw = dir.path().join("raw");
    for (path, bytes) in [
        ("n02085620-Chihuahua/n02085620_7.jpg", TWINS),
        ("n02105855-Shetland_sheepdog/n02105855_2933.jpg", PNG),
        ("../annotations/n02085620-Chihuahua/n02085620_7", b"<annotation/>"),
        ("../lists/test_list.txt", b"test_list.mat\nn02085620-Chihuahua/n02085620_7.jpg\n"),
    ] {
        assert!(fs::read(raw.join(path)).unwrap() == bytes, "{path}");
    }
    assert_eq!(fs::read_dir(raw.join("n02105855-Shetland_sheepdog")).unwrap().count(), 2);
    assert!(is_complete(dir));
}

#[test]
fn a_finished_run_asks_for_nothing_again() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let made = make_in(&dir, &server).unwrap();
    assert_eq!(made, Some(Inventory { pictures: 4, classes: 2 }));
    assert_complete(&dir);
    fs::remove_dir_all(dir.path().join("download")).unwrap();
    assert_eq!(make_in(&dir, &server).unwrap(), None, "it is up to date");
    assert_eq!(server.log.lock().unwrap().len(), 3);
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    for fault in [Fault::Cut { answers: 1, after: 1000 }, Fault::Stall] {
        let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(fault));
        make_in(&dir, &server).unwrap();
        assert_complete(&dir);
        assert_eq!(server.ranges(), [None, Some("bytes=1000-".to_owned())], "{fault:?}");
    }
    // As often as it likes, if each time brings something.
    let n_tries = QUICK.n_tries as usize;
    let server = Server::new(Fault::Cut { answers: n_tries + 1, after: 1000 });
    let dir = tempfile::tempdir().unwrap();
    make_in(&dir, &server).unwrap();
    assert_eq!(server.ranges().len(), n_tries + 2);
}

#[test]
fn the_next_run_goes_on_where_the_last_one_gave_up() {
    // 100 bytes, then nothing three times in a row.
    let dir = tempfile::tempdir().unwrap();
    let first = Server::new(Fault::Cut { answers: 1, after: 100 });
    let busy = Server::new(Fault::Status { answers: 99, status: 404 });
    let part = dir.path().join("download/images.tar.part");
    let interrupted = RetryPolicy { n_tries: 1, ..QUICK };
    make(&args(dir.path(), &first.address), &miniature(), &interrupted).unwrap_err();
    assert_eq!(fs::read(&part).unwrap(), &images()[..100]);
    let refused = format!("{:#}", make_in(&dir, &busy).unwrap_err());
    assert!(refused.contains("--mirror") && refused.contains("download/images.tar by hand"), "{refused}");
    assert_eq!(busy.ranges(), [Some("bytes=100-".to_owned())], "404 is not tried again");
    let good = Server::new(Fault::None);
    make_in(&dir, &good).unwrap();
    assert_complete(&dir);
    assert_eq!(good.ranges(), [Some("bytes=100-".to_owned())]);
    assert!(!part.exists());
}

#[test]
fn a_server_without_ranges_sends_all_again() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::IgnoresRange));
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn a_wrong_file_is_named_and_set_aside() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::OtherBytes));
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains(&sha256_hex(&images())) && error.contains("images.tar.wrong"), "{error}");
    assert!(dir.path().join("download/images.tar.wrong").exists());
    assert_eq!(server.ranges().len(), 1, "not fetched again by itself");
    assert!(!is_complete(&dir));

    let other_size = Server::new(Fault::OtherSize);
    let error = format!("{:#}", make_in(&dir, &other_size).unwrap_err());
    assert!(error.contains("has 512 bytes, expected"), "{error}");
    make_in(&dir, &Server::new(Fault::None)).unwrap();
    assert_complete(&dir);
}

#[test]
fn a_busy_server_is_asked_again_and_then_left_for_later() {
    for status in [429, 503] {
        let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Status { answers: 2, status }));
        make_in(&dir, &server).unwrap();
        assert_complete(&dir);
        let (dir, server) =
            (tempfile::tempdir().unwrap(), Server::new(Fault::Status { answers: 99, status }));
        let error = make_in(&dir, &server).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(_))), "{error:#}");
        assert_eq!(server.ranges().len(), 3);
    }
}

#[test]
fn a_server_that_asks_for_too_much_patience_is_left_alone() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Busy(3)));
    let error = make_in(&dir, &server).unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("again in 3 s")),
        "{error:#}"
    );
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn a_server_that_never_answers_is_given_up_and_asked_again() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Silent));
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn an_encoded_answer_is_refused_and_leaves_nothing_in_the_way() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Encoded));
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("content-encoding \"gzip\""), "{error}");
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
}

#[test]
fn a_server_that_sends_a_byte_a_connection_is_given_up_with_code_75() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::AByte));
    let error = make_in(&dir, &server).unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("gave up")), "{error:#}");
    make_in(&dir, &Server::new(Fault::None)).unwrap();
    assert_complete(&dir);
}

#[test]
fn a_file_of_another_size_is_set_aside_unread() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("download/lists.tar");
    commit::write_bytes(&file, b"").unwrap();
    // 1 TB with nothing in it: reading it would take an hour.
    let large = fs::OpenOptions::new().write(true).open(&file).unwrap();
    large.set_len(1 << 40).unwrap();
    let server = Server::new(Fault::None);
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("1099511627776 bytes") && error.contains("lists.tar.wrong"), "{error}");
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
}

/// A directory where a run left the first bytes of images.tar.
fn begun(bytes: &[u8]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    commit::write_bytes(&dir.path().join("download/images.tar.part"), bytes).unwrap();
    dir
}

#[test]
fn a_part_that_is_not_the_one_asked_for_is_refused() {
    let (dir, server) = (begun(&images()[..100]), Server::new(Fault::WrongRange));
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("expected one from 100"), "{error}");
    assert_eq!(fs::read(dir.path().join("download/images.tar.part")).unwrap(), &images()[..100]);
}

#[test]
fn where_the_server_has_nothing_more_the_download_begins_anew() {
    let server = Server::new(Fault::Status { answers: 1, status: 416 });
    let dir = begun(&[1; 100]);
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [Some("bytes=100-".to_owned()), None]);
}

#[test]
fn what_a_beginning_is_of_is_kept_only_if_it_tells_files_apart() {
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (headers, kept) in [
        ("etag: \"two\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some("\"two\"")),
        ("etag: W/\"two\"\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\n", Some(DATE)),
        ("etag: W/\"two\"\r\n", None),
        ("", None),
    ] {
        let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Called(headers)));
        let validator = dir.path().join("download/images.tar.part.validator");
        commit::write_bytes(&validator, b"of an earlier run").unwrap();
        make(&args(dir.path(), &server.address), &miniature(), &RetryPolicy { n_tries: 1, ..QUICK })
            .unwrap_err();
        assert_eq!(fs::read_to_string(validator).ok().as_deref(), kept, "{headers}");
    }
}

#[test]
fn archives_put_there_by_hand_need_no_network() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in [("images.tar", images()), ("annotation.tar", annotations()), ("lists.tar", lists())]
    {
        commit::write_bytes(&dir.path().join("download").join(name), &bytes).unwrap();
    }
    make(&args(dir.path(), "http://127.0.0.1:9"), &miniature(), &QUICK).unwrap();
    assert_complete(&dir);
}

/// What unpacking images.tar with one more entry says.
fn refusal_of(path: &str, kind: EntryType) -> (TempDir, String) {
    let mut tar = Vec::new();
    entry(&mut tar, "Images/n02085620-Chihuahua/n02085620_7.jpg", EntryType::Regular, TWINS);
    entry(&mut tar, path, kind, b"");
    let tar = closed(tar);
    let dir = tempfile::tempdir().unwrap();
    let file: PathBuf = dir.path().join("download/images.tar");
    commit::write_bytes(&file, &tar).unwrap();
    let hostile = archive("images.tar", Layout::Classes("Images"), "raw", &tar);
    let error = make(&args(dir.path(), "http://127.0.0.1:9"), &[hostile], &QUICK).unwrap_err();
    assert!(!is_complete(&dir));
    (dir, format!("{error:#}"))
}

#[test]
fn hostile_entries_are_refused_by_name() {
    let file = EntryType::Regular;
    for (path, kind, why) in [
        ("../x.jpg", file, "leads out"),
        ("Images/../../x/x.jpg", file, "leads out"),
        ("/tmp/x/x.jpg", file, "absolute"),
        ("Images/a/x.jpg", EntryType::Symlink, "neither a file nor a folder"),
        ("Images/a/x.jpg", EntryType::Link, "neither a file nor a folder"),
        ("Images/a/x.jpg", EntryType::Block, "neither a file nor a folder"),
        ("Images/a/x.jpg", EntryType::Char, "neither a file nor a folder"),
        ("Images/a/x.jpg", EntryType::Fifo, "neither a file nor a folder"),
        ("Images/../x.jpg", EntryType::Directory, "leads out"),
        ("Images/x.jpg", file, "expected Images/<class>/<file>"),
        ("Images/a/b/x.jpg", file, "expected Images/<class>/<file>"),
        ("Other/a/x.jpg", file, "expected Images/<class>/<file>"),
        ("Images/.a/x.jpg", file, "other characters"),
        ("Images/a/x\\y.jpg", file, "other characters"),
        ("Images/n02085620-chihuahua/N02085620_7.jpg", file, "of this name already"),
    ] {
        let (dir, error) = refusal_of(path, kind);
        assert!(error.contains(why) && error.contains(&format!("{path:?}")), "{path}: {error}");
        let raw: Vec<_> =
            fs::read_dir(dir.path().join("raw")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(raw.iter().all(|n| n == "n02085620-Chihuahua" || n == ".lock"), "{raw:?}");
    }
}

/// The error of unpacking `tar`, an images.tar with the right digest.
fn refusal_to_unpack(tar: &[u8]) -> String {
    let dir = tempfile::tempdir().unwrap();
    commit::write_bytes(&dir.path().join("download/images.tar"), tar).unwrap();
    let hostile = archive("images.tar", Layout::Classes("Images"), "raw", tar);
    let error = make(&args(dir.path(), "http://127.0.0.1:9"), &[hostile], &QUICK).unwrap_err();
    assert!(!is_complete(&dir));
    format!("{error:#}")
}

#[test]
fn archives_that_would_fill_the_disk_or_the_memory_are_refused() {
    let mut tar = Vec::new();
    entry(&mut tar, "Images/", EntryType::Directory, b"");
    let folder = tar.clone();
    let many = closed(folder.repeat(100_001));
    let error = refusal_to_unpack(&many);
    assert!(error.contains("more than 100000 entries"), "{error}");

    // A header that promises 64 MiB and a byte, with nothing behind it.
    let mut header = Header::new_gnu();
    header.set_path("Images/n02085620-Chihuahua/n02085620_7.jpg").unwrap();
    header.set_size((64 << 20) + 1);
    header.set_cksum();
    let error = refusal_to_unpack(header.as_bytes());
    assert!(error.contains("67108865 bytes, expected at most 67108864"), "{error}");
}

#[test]
fn an_archive_that_the_disk_has_no_room_for_is_not_begun() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let [_, _, images] = miniature().try_into().unwrap();
    let huge = Archive { size: 1 << 60, ..images };
    let error = make(&args(dir.path(), &server.address), &[huge], &QUICK).unwrap_err().to_string();
    assert!(error.contains("the data set needs 2305843009.21 GB"), "{error}");
    assert!(server.ranges().is_empty());
}

#[test]
fn what_a_killed_run_left_behind_is_made_right_and_what_others_put_there_stays() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let class = dir.path().join("raw/n02085620-Chihuahua");
    let other = vec![8; TWINS.len()];
    let put = |name: &str, bytes: &[u8]| commit::write_bytes(&class.join(name), bytes).unwrap();
    put("n02085620_8.jpg", &other);
    put("mine.jpg", b"mine");
    make_in(&dir, &server).unwrap();
    for _ in 0..2 {
        assert!(is_complete(&dir) && fs::read(class.join("n02085620_8.jpg")).unwrap() == other);
        assert!(fs::read(class.join("n02085620_7.jpg")).unwrap() == TWINS);
        assert_eq!(make_in(&dir, &server).unwrap(), None, "what stays makes nothing stale");
    }

    // As a run leaves it that was killed while it unpacked.
    let path = dir.path().join(RECORD);
    let mut record = data::provenance::Provenance::read(&path).unwrap().unwrap();
    record.outputs.insert("raw/n02085620-Chihuahua/n02085620_7.jpg".to_owned(), None);
    record.write(&path).unwrap();
    put("n02085620_7.jpg", &TWINS[..100]);
    put(".n02085620_9.jpg.tindogr-1-abcdef.tmp", b"x");
    make_in(&dir, &server).unwrap();
    assert!(fs::read(class.join("n02085620_7.jpg")).unwrap() == TWINS);
    assert_eq!(fs::read_dir(&class).unwrap().count(), 3, "no temporary file is left");
    assert_eq!(fs::read(class.join("mine.jpg")).unwrap(), b"mine");
}

#[test]
fn the_beginning_of_another_file_is_not_gone_on_with() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let part = dir.path().join("download/images.tar.part");
    commit::write_bytes(&part, &[0; 1000]).unwrap();
    commit::write_bytes(&dir.path().join("download/images.tar.part.validator"), b"\"zero\"").unwrap();
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [Some("bytes=1000-".to_owned())], "one answer with all of it");

    // What the server calls the file is kept with its beginning.
    let cut = Server::new(Fault::Cut { answers: 1, after: 100 });
    let dir = tempfile::tempdir().unwrap();
    make(&args(dir.path(), &cut.address), &miniature(), &RetryPolicy { n_tries: 1, ..QUICK }).unwrap_err();
    let validator = fs::read(dir.path().join("download/images.tar.part.validator")).unwrap();
    assert_eq!(validator, b"\"one\"");
}

#[test]
fn what_stands_in_download_is_not_trusted() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let file = dir.path().join("download/images.tar");
    commit::write_bytes(&file, &images()[1..]).unwrap();
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("images.tar is another file") && server.ranges().is_empty(), "{error}");
    // Longer than the whole: begun anew.
    commit::write_bytes(&dir.path().join("download/images.tar.part"), &[0; 100_000]).unwrap();
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [None]);

    // Unpacked from other archives than those that are known now.
    let [lists, annotations, images] = miniature().try_into().unwrap();
    let others = [lists, annotations, Archive { sha256: "0".repeat(64), ..images }];
    make(&args(dir.path(), &server.address), &others, &QUICK).unwrap_err();
}

#[test]
fn missing_pictures_are_noticed() {
    let (_dir, error) = refusal_of("Images/a/x.jpg", EntryType::Regular);
    assert!(error.contains("expected 4 in 2"), "{error}");
}
