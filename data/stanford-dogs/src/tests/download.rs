//! Tests of faulty servers and of the run after them.

use super::*;

#[test]
fn a_broken_download_continues_where_it_stopped() {
    for fault in [Fault::Cut { answers: 1, after: 1000 }, Fault::Stall] {
        let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(fault));
        make_in(&dir, &server).unwrap();
        assert_complete(&dir);
        assert_eq!(server.ranges(), [None, Some("bytes=1000-".to_owned())], "{fault:?}");
    }
    // Any number of times, if each attempt receives some bytes.
    let n_tries = QUICK.n_tries as usize;
    let server = Server::new(Fault::Cut { answers: n_tries + 1, after: 1000 });
    let dir = tempfile::tempdir().unwrap();
    make_in(&dir, &server).unwrap();
    assert_eq!(server.ranges().len(), n_tries + 2);
}

#[test]
fn the_next_run_continues_where_the_last_one_gave_up() {
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
    assert_eq!(busy.ranges(), [Some("bytes=100-".to_owned())], "404 is not retried");
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
    assert_eq!(server.ranges().len(), 1, "not fetched again automatically");
    assert!(!is_complete(&dir));

    let other_size = Server::new(Fault::OtherSize);
    let error = format!("{:#}", make_in(&dir, &other_size).unwrap_err());
    assert!(error.contains("has 512 bytes, expected"), "{error}");
    make_in(&dir, &Server::new(Fault::None)).unwrap();
    assert_complete(&dir);
}

#[test]
fn a_request_to_a_busy_server_is_retried_and_then_given_up() {
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
fn a_server_that_asks_for_a_too_long_pause_is_given_up() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Busy(3)));
    let error = make_in(&dir, &server).unwrap_err();
    assert!(
        matches!(error.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("again in 3 s")),
        "{error:#}"
    );
    assert_eq!(server.ranges().len(), 1);
}

#[test]
fn a_request_without_an_answer_is_retried() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::Silent));
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges().len(), 2);
}

#[test]
fn an_encoded_answer_is_refused_and_leaves_no_file() {
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
    // A sparse file of 1 TB: reading it would take an hour.
    let large = fs::OpenOptions::new().write(true).open(&file).unwrap();
    large.set_len(1 << 40).unwrap();
    let server = Server::new(Fault::None);
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("1099511627776 bytes") && error.contains("lists.tar.wrong"), "{error}");
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
}

/// Makes a directory with the first bytes of images.tar from an earlier run.
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
fn a_download_starts_again_if_the_server_has_no_more_bytes() {
    let server = Server::new(Fault::Status { answers: 1, status: 416 });
    let dir = begun(&[1; 100]);
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [Some("bytes=100-".to_owned()), None]);
}

#[test]
fn a_validator_is_kept_only_if_it_distinguishes_files() {
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
fn the_beginning_of_another_file_is_not_continued() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let part = dir.path().join("download/images.tar.part");
    commit::write_bytes(&part, &[0; 1000]).unwrap();
    commit::write_bytes(&dir.path().join("download/images.tar.part.validator"), b"\"zero\"").unwrap();
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [Some("bytes=1000-".to_owned())], "one answer with all of it");

    // The server's validator is kept with the beginning of the file.
    let cut = Server::new(Fault::Cut { answers: 1, after: 100 });
    let dir = tempfile::tempdir().unwrap();
    make(&args(dir.path(), &cut.address), &miniature(), &RetryPolicy { n_tries: 1, ..QUICK }).unwrap_err();
    let validator = fs::read(dir.path().join("download/images.tar.part.validator")).unwrap();
    assert_eq!(validator, b"\"one\"");
}

#[test]
fn existing_files_in_download_are_verified() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Server::new(Fault::None));
    let file = dir.path().join("download/images.tar");
    commit::write_bytes(&file, &images()[1..]).unwrap();
    let error = format!("{:#}", make_in(&dir, &server).unwrap_err());
    assert!(error.contains("images.tar is another file") && server.ranges().is_empty(), "{error}");
    // Longer than the file: started again.
    commit::write_bytes(&dir.path().join("download/images.tar.part"), &[0; 100_000]).unwrap();
    make_in(&dir, &server).unwrap();
    assert_complete(&dir);
    assert_eq!(server.ranges(), [None]);

    // Unpacked from other archives than the known ones.
    let [lists, annotations, images] = miniature().try_into().unwrap();
    let others = [lists, annotations, Archive { sha256: "0".repeat(64), ..images }];
    make(&args(dir.path(), &server.address), &others, &QUICK).unwrap_err();
}
