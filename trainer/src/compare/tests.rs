use clap::Parser;
use data::manifest::Split;

use crate::args::Args;
use crate::synthetic::{Synthetic, Workspace, message};

/// A run's directory as `make` lays it out, of `set` trained with `flags`.
fn run(dir: &std::path::Path, set: &Synthetic, flags: &str) -> Workspace {
    let workspace = set.write_with_pictures(dir);
    std::os::unix::fs::symlink("split", dir.join("augmented")).unwrap();
    workspace.fit(&format!("--epochs 4 {flags}")).unwrap();
    workspace.evaluate("").unwrap();
    workspace
}

/// A run on the data of `of`, with a head of its own.
fn other_head(of: &Workspace, dir: &std::path::Path, flags: &str) {
    std::fs::create_dir(dir).unwrap();
    for part in ["split", "augmented", "features"] {
        std::os::unix::fs::symlink(of.0.join(part), dir.join(part)).unwrap();
    }
    let workspace = Workspace(dir.to_owned());
    workspace.fit(&format!("--epochs 4 {flags}")).unwrap();
    workspace.evaluate("").unwrap();
}

fn compare(root: &std::path::Path, names: &[&str]) -> anyhow::Result<String> {
    let out = root.join("comparison.html");
    let mut words = vec!["trainer".to_owned(), "compare".into(), "--quiet".into()];
    words.extend(["--out".to_owned(), out.display().to_string()]);
    for name in names {
        words.extend(["--run".to_owned(), format!("{name}={}", root.join(name).display())]);
    }
    crate::run(&Args::try_parse_from(words)?)?;
    Ok(std::fs::read_to_string(out)?)
}

#[test]
fn heads_on_the_same_pictures_are_compared_picture_by_picture() {
    let root = tempfile::tempdir().unwrap();
    let set = Synthetic { noise: 3.0, ..Synthetic::small() };
    let a = run(&root.path().join("a"), &set, "");
    other_head(&a, &root.path().join("b"), "--hidden none --keep last");
    let page = compare(root.path(), &["a", "b"]).unwrap();
    assert!(page.contains("a and b were evaluated on the same 21 original pictures"), "{page}");
    for (parameter, values) in [("trainer keep", ["best", "last"]), ("trainer hidden", ["16,8", "none"])] {
        let row = format!("<th scope=\"row\">{parameter}</th><td>{}</td><td>{}</td>", values[0], values[1]);
        assert!(page.contains(&row), "{parameter}: {page}");
    }
    assert!(!page.contains("trainer seed"), "the seed is the same");
    assert!(page == compare(root.path(), &["a", "b"]).unwrap());
}

#[test]
fn metrics_of_other_or_augmented_test_pictures_cannot_be_compared() {
    let root = tempfile::tempdir().unwrap();
    run(&root.path().join("a"), &Synthetic::small(), "");
    let distorted = Synthetic { replaced: Split::ALL.to_vec(), per_class: [20, 6, 4], ..Synthetic::small() };
    run(&root.path().join("b"), &distorted, "");
    let page = compare(root.path(), &["a", "b"]).unwrap();
    assert!(page.contains("cannot be compared: their test pictures differ (21 and 12, 0 of them in both)"));
    assert!(page.contains("the test pictures of b are augmented copies"), "{page}");
    assert!(page.contains("Random weights: </strong>a, b"), "{page}");
}

#[test]
fn runs_that_cannot_be_compared_are_refused_by_name() {
    let root = tempfile::tempdir().unwrap();
    let a = run(&root.path().join("a"), &Synthetic::small(), "");
    let refusal = |names: &[&str]| message(compare(root.path(), names).map(drop));
    assert!(refusal(&["a"]).contains("expected two runs or more"));
    assert!(refusal(&["a", "absent"]).contains("the run absent: there is no complete feature set"));
    a.evaluate("--split valid").unwrap();
    assert!(refusal(&["a", "a"]).contains("was not evaluated on test; run trainer evaluate"));
}
