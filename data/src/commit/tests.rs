//! Tests of failed writes, of a second process and of a killed one.

use super::*;

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
    kept("", &[".lock", "sub"]);
    kept("sub", &["deeper"]);
    kept("sub/deeper", &[]);
}
