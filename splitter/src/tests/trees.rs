//! Tests of the folders of `--tree`.

use std::fs;
use std::path::PathBuf;

use super::{Work, png};

/// Returns `split/class/name` of every file in the tree.
fn tree(work: &Work) -> Vec<String> {
    let below = |path: &PathBuf| path.strip_prefix(work.out("")).unwrap().to_str().unwrap().to_owned();
    work.outputs().keys().map(below).filter(|path| path.contains('/')).collect()
}

fn expected(work: &Work) -> Vec<String> {
    let mut expected: Vec<String> =
        work.splits().into_iter().map(|(path, split)| format!("{split}/{path}")).collect();
    expected.sort();
    expected
}

#[test]
fn every_kind_of_tree_is_the_manifest_in_folders() {
    let work = Work::with(&[("a", 10), ("b c", 10)]);
    for kind in ["hardlink", "symlink", "copy", "copy", "symlink", "hardlink"] {
        work.run(&["--tree", kind, "--force"]).unwrap();
        assert_eq!(tree(&work), expected(&work), "{kind}");
        for (path, split) in work.splits() {
            assert_eq!(
                fs::read(work.out(&format!("{split}/{path}"))).unwrap(),
                fs::read(work.raw(&path)).unwrap()
            );
        }
        let one = work.out(&expected(&work)[0]);
        assert_eq!(fs::symlink_metadata(&one).unwrap().is_symlink(), kind == "symlink");
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let n_names = fs::metadata(&one).unwrap().nlink();
            assert_eq!(n_names, if kind == "hardlink" { 2 } else { 1 }, "{kind}");
        }
    }
    work.run(&["--force"]).unwrap();
    assert_eq!(tree(&work), [""; 0]);
    assert!(!work.out("train").exists());
}

#[test]
fn a_tree_follows_a_new_assignment() {
    let work = Work::with(&[("a", 20), ("b", 20)]);
    for seed in ["1", "2", "3"] {
        work.run(&["--tree", "symlink", "--seed", seed, "--force"]).unwrap();
        assert_eq!(tree(&work), expected(&work));
    }
    fs::remove_dir_all(work.raw("b")).unwrap();
    work.run(&["--tree", "symlink", "--seed", "3"]).unwrap();
    assert_eq!(tree(&work), expected(&work));
}

#[test]
fn a_damaged_copy_is_made_again() {
    let work = Work::with(&[("a", 6)]);
    work.run(&["--tree", "copy"]).unwrap();
    let before = work.outputs();
    let victim = expected(&work).remove(0);
    work.file(format!("../split/{victim}"), b"half");
    work.file("../split/train/a/.link.tmp.left-by-a-killed-run", b"");
    work.run(&["--tree", "copy"]).unwrap();
    let kept = work.out(&format!("{victim}.edited"));
    assert_eq!(fs::read(&kept).unwrap(), b"half");
    fs::remove_file(kept).unwrap();
    assert_eq!(work.outputs(), before);
}

#[test]
fn folders_of_others_are_not_touched() {
    for kind in ["none", "copy"] {
        let work = Work::with(&[("a", 6)]);
        work.file("../split/train/precious.txt", b"precious");
        let message = work.error(&["--tree", kind]);
        assert!(message.contains("/train exists, and no provenance.json says"), "{message}");
        assert_eq!(work.outputs().len(), 1);
        // With --force the tree is written beside it.
        for kind in [kind, "copy", "none"] {
            work.run(&["--tree", kind, "--force"]).unwrap();
            assert_eq!(fs::read(work.out("train/precious.txt")).unwrap(), b"precious");
        }
    }
}

#[test]
fn pictures_are_never_changed() {
    let work = Work::with(&[("a", 6)]);
    for kind in ["hardlink", "copy", "symlink", "none"] {
        work.run(&["--tree", kind, "--force"]).unwrap();
    }
    for i in 0..6 {
        assert_eq!(fs::read(work.raw(format!("a/{i}.png"))).unwrap(), png(i));
    }
}
