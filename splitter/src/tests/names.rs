//! Names and kinds of files: unusual names, files that are not pictures, links and pipes.

use std::fs;

use super::{Work, png};

#[test]
fn content_decides_and_not_the_name() {
    let work = Work::with(&[]);
    let names = [
        "0",
        "a.JPG",
        "b.jpeg",
        "c.JPEG",
        "d.jPg",
        "e.PNG",
        "f.webp",
        "g.gif",
        "h.bmp",
        "i.jfif",
        "j.jpe",
        "k.JPG~",
        "l.txt",
        "m",
        "n.png.bak",
    ];
    for (i, name) in names.iter().enumerate() {
        work.file(format!("a/{name}"), &png(i as u32)); // PNG, whatever the name says
    }
    // More of them than pictures, but they do not count for --max-bad.
    let others: Vec<String> = (0..20).map(|i| format!("x{i:02}.xml")).collect();
    others.iter().for_each(|name| work.file(format!("a/{name}"), b"<annotation/>"));
    work.file("a/y.mp4", &[7; 999]);
    work.file("a/z", b"");
    work.file("a/.DS_Store", b"hidden");
    work.file("a/Thumbs.db", b"left behind");
    work.run(&["--max-bad=0"]).unwrap();
    let notes = others.iter().map(String::as_str).chain(["y.mp4", "z"]);
    assert_eq!(work.rejects(), notes.map(|name| format!("../raw/a/{name},no_picture")).collect::<Vec<_>>());
    assert_eq!(work.splits().into_keys().collect::<Vec<_>>(), names.map(|name| format!("a/{name}")));
}

#[test]
fn unusual_names_are_kept_byte_for_byte() {
    let long = format!("{}.png", "x".repeat(251));
    let mut names = vec![
        "comma,.png",
        "quote\".png",
        "new\nline.png",
        "return\r.png",
        "tab\t.png",
        "=1+1.png",
        "-x.png",
        " space .png",
        "back\\slash.png",
        "\u{1F436}.png",
        "\u{e9}.png",   // composed
        "e\u{301}.png", // its twin, decomposed
        &long,
    ];
    let work = Work::with(&[]);
    for (i, name) in names.iter().enumerate() {
        work.file(format!("odd, class/{name}"), &png(i as u32));
    }
    work.run(&["--tree", "copy"]).unwrap();
    names.sort_unstable();
    let manifest = work.manifest();
    assert_eq!(
        manifest.rows.iter().map(|r| r.path.clone()).collect::<Vec<_>>(),
        names.iter().map(|name| format!("../raw/odd, class/{name}")).collect::<Vec<_>>()
    );
    for (row, name) in manifest.rows.iter().zip(names) {
        assert!(manifest.resolve(row).is_file());
        assert!(work.out(&format!("{}/odd, class/{name}", row.split)).is_file());
    }
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_utf8_is_rejected_escaped() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let work = Work::with(&[("a", 4)]);
    work.file(std::path::Path::new("a").join(OsStr::from_bytes(b"\xffx\xe9.png")), &png(9));
    work.run(&[]).unwrap();
    assert_eq!(work.rejects(), ["../raw/a/\\xffx\\xe9.png,bad_name"]);

    work.file(std::path::Path::new(OsStr::from_bytes(b"\xff")).join("0.png"), &png(9));
    let message = work.error(&[]);
    assert!(message.contains("a name that is not UTF-8"), "{message}");
}

#[cfg(unix)]
#[test]
fn links_pipes_sockets_and_folders_are_not_opened() {
    use std::os::unix::fs::symlink;
    let work = Work::with(&[("a", 4)]);
    work.file("../outside.png", &png(9));
    symlink(work.raw("../outside.png"), work.raw("a/link.png")).unwrap();
    symlink(".", work.raw("a/loop")).unwrap();
    symlink("..", work.raw("a/loop.png")).unwrap();
    symlink("nowhere", work.raw("a/broken.png")).unwrap();
    symlink(".", work.raw("loop")).unwrap();
    fs::create_dir(work.raw("a/folder.jpg")).unwrap();
    let socket = std::os::unix::net::UnixListener::bind(work.raw("a/socket.png")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(work.raw("a/pipe.png")).status().unwrap().success());

    work.run(&["--max-bad", "7"]).unwrap();
    drop(socket);
    let names = ["broken.png", "folder.jpg", "link.png", "loop", "loop.png", "pipe.png", "socket.png"];
    assert_eq!(work.rejects(), names.map(|name| format!("../raw/a/{name},not_regular_file")));
    assert_eq!(work.manifest().classes, ["a"]);
}

#[cfg(unix)]
#[test]
fn unreadable_files_and_folders_are_named() {
    use std::os::unix::fs::PermissionsExt;
    let work = Work::with(&[("a", 4), ("b", 4)]);
    let close =
        |below: &str| fs::set_permissions(work.raw(below), fs::Permissions::from_mode(0o000)).unwrap();
    close("a/0.png");
    if fs::read(work.raw("a/0.png")).is_ok() {
        return; // root may read everything
    }
    work.run(&[]).unwrap();
    assert_eq!(work.rejects(), ["../raw/a/0.png,unreadable"]);

    close("b");
    let message = work.error(&[]);
    fs::set_permissions(work.raw("b"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(message.contains("cannot list the folder") && message.contains("raw/b"), "{message}");
}

#[test]
fn bad_pictures_are_named_and_counted_and_too_many_end_the_run() {
    let work = Work::with(&[("a", 8)]);
    work.file("a/empty.jpg", b"");
    work.file("a/page.jpg", b"<html></html>");
    work.run(&["--max-bad", "2"]).unwrap();
    assert_eq!(work.rejects(), ["../raw/a/empty.jpg,empty", "../raw/a/page.jpg,unknown_format"]);
    assert_eq!(work.manifest().rows.len(), 8);

    let before = work.outputs();
    for max_bad in ["1", "10%"] {
        let message = work.error(&["--max-bad", max_bad]);
        assert!(message.contains("2 of 10 pictures are rejected"), "{message}");
        assert!(message.contains("/raw/a/empty.jpg: empty"), "{message}");
    }
    assert_eq!(work.outputs(), before);
}

#[test]
fn the_header_check_finds_the_same_sizes() {
    let work = Work::with(&[("a", 4)]);
    work.run(&[]).unwrap();
    let decoded = work.manifest().rows;
    work.run(&["--inspect", "header", "--force"]).unwrap();
    assert_eq!(work.manifest().rows, decoded);
    assert_eq!((decoded[0].width, decoded[0].height), (3, 2));
}

/// `BAD_IMAGES` names a folder of hostile pictures; a checkout may have one beside it.
#[test]
fn hostile_pictures_are_rows_or_rejects() {
    let beside = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/bad-images");
    let folder = std::env::var_os("BAD_IMAGES").map_or(beside, Into::into);
    let Ok(entries) = fs::read_dir(folder) else { return };
    let work = Work::with(&[("a", 4)]);
    let mut n = 4;
    for path in entries.map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        work.file(format!("a/{}", path.file_name().unwrap().to_str().unwrap()), &fs::read(&path).unwrap());
        n += 1;
    }
    work.run(&["--max-bad", "100%"]).unwrap();
    assert_eq!(work.manifest().rows.len() + work.rejects().len(), n);
}
