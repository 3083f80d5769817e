//! Tests of malicious archives and of existing files.

use super::*;

/// Returns the error of unpacking images.tar with one more entry.
pub(super) fn refusal_of(path: &str, kind: EntryType) -> (TempDir, String) {
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
        ("Images/n02085620-chihuahua/N02085620_7.jpg", file, "already one with this name"),
    ] {
        let (dir, error) = refusal_of(path, kind);
        assert!(error.contains(why) && error.contains(&format!("{path:?}")), "{path}: {error}");
        let raw: Vec<_> =
            fs::read_dir(dir.path().join("raw")).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(raw.iter().all(|n| n == "n02085620-Chihuahua" || n == ".tindogr.lock"), "{raw:?}");
    }
}

/// Returns the error of unpacking `tar`, an images.tar with the right digest.
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

    // A header with a size of 64 MiB and a byte, without data.
    let mut header = Header::new_gnu();
    header.set_path("Images/n02085620-Chihuahua/n02085620_7.jpg").unwrap();
    header.set_size((64 << 20) + 1);
    header.set_cksum();
    let error = refusal_to_unpack(header.as_bytes());
    assert!(error.contains("67108865 bytes, expected at most 67108864"), "{error}");
}

#[test]
fn files_of_a_killed_run_are_completed_and_files_of_the_user_stay() {
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
        assert_eq!(make_in(&dir, &server).unwrap(), None, "files of the user make nothing stale");
    }

    // The state after a run that was killed while it unpacked.
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
