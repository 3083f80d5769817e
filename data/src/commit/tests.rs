//! Tests of failed writes, of a second process and of a killed one.

use super::*;
use crate::stage::Exit;

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failed_write_leaves_the_old_content_and_no_temporary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    write_bytes(&path, b"old").unwrap();
    let failed = write(&path, |file| {
        file.write_all(b"half of the new")?;
        anyhow::bail!("the source broke")
    });
    assert!(failed.is_err());
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(names(dir.path()), ["a.csv"]);
}

#[cfg(unix)]
#[test]
fn files_are_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/a.csv");
    write_bytes(&path, b"x").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
}

#[cfg(unix)]
#[test]
fn a_link_replaces_an_existing_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deep/er/link");
    for (target, content) in [("a", b"1"), ("b", b"2")] {
        write_bytes(&dir.path().join("deep").join(target), content).unwrap();
        write_link(&path, &Path::new("..").join(target)).unwrap();
        assert_eq!(fs::read(&path).unwrap(), content);
    }
    assert_eq!(names(path.parent().unwrap()), ["link"]);
}

#[test]
fn the_second_holder_is_told_to_try_again() {
    let dir = tempfile::tempdir().unwrap();
    let held = lock(dir.path(), "extractor").unwrap();
    let refused = lock(dir.path(), "extractor").unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(Exit::TryAgain(m)) if m.contains("extractor (pid ")));
    drop(held);
    lock(dir.path(), "extractor").unwrap();
}

/// Not even where the user has a file of the lock's name.
#[test]
fn the_lock_overwrites_no_file_of_the_user() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    write_bytes(&path(".lock"), b"precious").unwrap();
    write_bytes(&path(".tindogr.lock"), b"precious").unwrap();
    let refused = lock(dir.path(), "extractor").unwrap_err().to_string();
    assert!(refused.contains(".tindogr.lock is not a lock of this program"), "{refused}");
    assert!(!has_lock(dir.path()) && holder(dir.path()).is_none());
    #[cfg(unix)]
    {
        remove(&path(".tindogr.lock")).unwrap();
        write_bytes(&path("target"), b"precious").unwrap();
        std::os::unix::fs::symlink("target", path(".tindogr.lock")).unwrap();
        let refused = format!("{:#}", lock(dir.path(), "extractor").unwrap_err());
        assert!(refused.contains("it is a link"), "{refused}");
        assert_eq!(fs::read(path("target")).unwrap(), b"precious");
    }
    assert_eq!(fs::read(path(".lock")).unwrap(), b"precious");
}

#[test]
fn the_holder_of_a_lock_is_known_until_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(holder(dir.path()), None);
    for stage in ["a stage with a long name", "short"] {
        let held = lock(dir.path(), stage).unwrap();
        assert_eq!(holder(dir.path()), Some(format!("{stage} (pid {})", std::process::id())));
        drop(held);
        assert_eq!(holder(dir.path()), None);
    }
}

#[test]
fn an_error_names_what_is_in_place_of_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    write_bytes(&dir.path().join("file"), b"x").unwrap();
    let message = |name: &str| create_directory(&dir.path().join(name)).unwrap_err().to_string();
    assert!(message("file").contains("file is a file, expected a folder"), "{}", message("file"));
    assert!(message("file/deeper").contains("file is a file, expected a folder"));
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", dir.path().join("link")).unwrap();
        assert!(message("link").contains("link is a link to a folder that does not exist"));
    }
}

/// /dev/full gives the error of a full disk.
#[cfg(target_os = "linux")]
#[test]
fn an_error_of_writing_names_the_final_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.csv");
    let pending = Pending::create(&path).unwrap();
    let full = || File::options().write(true).open("/dev/full").unwrap().write_all(b"x").unwrap_err();
    let message = pending.named(full()).to_string();
    assert_eq!(message, format!("cannot write {}: No space left on device (os error 28)", path.display()));
}

#[test]
fn the_lock_removes_our_temporary_files_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    // The files of a killed process: a file and a link that were not renamed.
    let left = dir.path().join("sub/a.csv");
    let (file, path) = Pending::create(&left).unwrap().file.into_inner().unwrap().keep().unwrap();
    drop(file);
    let made = path.file_name().unwrap().to_str().unwrap();
    assert!(is_temporary(made), "{made}");
    #[cfg(unix)]
    std::os::unix::fs::symlink("x", dir.path().join(".link.tindogr-17-aB3dEf.tmp")).unwrap();

    let users = [
        ".a.tindogr-12-abcde.tmp",
        ".a.tindogr-012-abcdef.tmp",
        ".a.tindogr-x-abcdef.tmp",
        ".a.tindogr-12-abcdef.tmp.csv",
        ".a.tmp.123.abcdef",
        ".hidden",
        ".x.tmp.y",
        "a.tindogr-12-abcdef.tmp",
        "kept.csv",
    ];
    for folder in ["", "sub", "sub/deeper"] {
        users.iter().for_each(|name| write_bytes(&dir.path().join(folder).join(name), b"x").unwrap());
    }
    let _held = lock(dir.path(), "test").unwrap();
    let kept = |folder: &str, besides: &[&str]| {
        let mut expected: Vec<_> = users.iter().chain(besides).map(|name| name.to_string()).collect();
        expected.sort();
        assert_eq!(names(&dir.path().join(folder)), expected);
    };
    kept("", &[".tindogr.lock", "sub"]);
    kept("sub", &["deeper"]);
    kept("sub/deeper", &[]);
}
