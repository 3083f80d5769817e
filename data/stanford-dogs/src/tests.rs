//! Tests of the whole program, with a faulty server on this machine and archives of the real layout.

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

mod download;
mod server;
mod unpack;

use server::{Fault, Server};
use unpack::refusal_of;

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
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n, with any file name";

fn entry(tar: &mut Vec<u8>, path: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    // Not with `set_path`, which refuses the names of a malicious archive.
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

/// Makes pictures as in Stanford Dogs: duplicates within a class and in two classes, a PNG named .jpg.
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

fn args(out: &Path, mirror: &str) -> Args {
    Args::parse_from(["stanford-dogs", "--quiet", "--mirror", mirror, "--out", out.to_str().unwrap()])
}

fn make_in(dir: &TempDir, server: &Server) -> anyhow::Result<Option<Inventory>> {
    make(&args(dir.path(), &server.address), &miniature(), &QUICK)
}

/// Returns whether the record says that everything was unpacked.
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
fn a_finished_run_sends_no_requests() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let made = make_in(&dir, &server).unwrap();
    assert_eq!(made, Some(Inventory { pictures: 4, classes: 2 }));
    assert_complete(&dir);
    fs::remove_dir_all(dir.path().join("download")).unwrap();
    assert_eq!(make_in(&dir, &server).unwrap(), None, "it is up to date");
    assert_eq!(server.log.lock().unwrap().len(), 3);
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

#[test]
fn an_archive_that_does_not_fit_on_the_disk_is_not_downloaded() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let [_, _, images] = miniature().try_into().unwrap();
    let huge = Archive { size: 1 << 60, ..images };
    let error = make(&args(dir.path(), &server.address), &[huge], &QUICK).unwrap_err().to_string();
    assert!(error.contains("the data set needs 2305843009.21 GB"), "{error}");
    assert!(server.ranges().is_empty());
}

#[test]
fn missing_pictures_are_noticed() {
    let (_dir, error) = refusal_of("Images/a/x.jpg", EntryType::Regular);
    assert!(error.contains("expected 4 in 2"), "{error}");
}
