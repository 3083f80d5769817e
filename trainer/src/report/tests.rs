use data::commit;

use super::*;
use crate::synthetic::{Synthetic, Workspace, damage, message};

fn evaluated(dir: &std::path::Path) -> Workspace {
    let set = Synthetic { noise: 2.5, ..Synthetic::small() };
    let workspace = set.write_with_pictures(dir);
    workspace.fit("--epochs 6").unwrap();
    workspace.evaluate("").unwrap();
    workspace
}

fn page(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.model().join(FILE_NAME)).unwrap()
}

#[test]
fn the_page_needs_nothing_beside_itself_and_its_bytes_repeat() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    workspace.report("").unwrap();
    let first = page(&workspace);
    assert!(first.contains("src=\"data:image/jpeg;base64,"), "no picture");
    for outside in ["http://", "https://", "src=\"/", "href=", "@import", "url("] {
        assert!(!first.contains(outside), "{outside}");
    }
    assert!(first.contains("not trained on anything") && first.contains("seed 42"));
    for section in ["training", "confusion", "pairs", "worst", "best", "calibration", "classes"] {
        assert!(first.contains(&format!("id=\"{section}\"")), "{section}");
    }
    assert!(!first.contains(&dir.path().display().to_string()), "the page knows where it was made");
    workspace.report("").unwrap();
    assert!(first == page(&workspace));
}

#[test]
fn a_lost_picture_is_told_in_its_place_and_test_features_are_not_needed() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    std::fs::remove_dir_all(dir.path().join("split/test")).unwrap();
    std::fs::remove_file(dir.path().join("features/test-00000.safetensors")).unwrap();
    workspace.report("").unwrap();
    assert!(page(&workspace).contains("not readable: unreadable"));
}

#[test]
fn names_are_escaped() {
    let dir = tempfile::tempdir().unwrap();
    let classes = ["<script>alert(1)</script>", "b"].map(str::to_owned).into();
    let set = Synthetic { classes, ..Synthetic::small() };
    let workspace = set.write(dir.path());
    workspace.fit("--epochs 2").unwrap();
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    assert!(!page(&workspace).contains("<script>alert"));
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = evaluated(dir.path());
    let model = workspace.model();
    let cases: [(&str, &str, fn(&mut Vec<u8>)); 4] = [
        ("metrics.json", "was measured on another head", |b| {
            replace(b, "head_sha256\":\"", "head_sha256\":\"0")
        }),
        ("history.csv", "is not the history of head.safetensors", |b| {
            b.truncate(b.iter().position(|&c| c == b'\n').unwrap() + 1);
        }),
        ("predictions.csv", "run trainer evaluate again", |b| b.truncate(b.len() / 2)),
        ("../split/manifest.csv", "is not the manifest", |b| b.extend_from_slice(b"\n")),
    ];
    for (file, expected, change) in cases {
        let path = model.join(file);
        let whole = std::fs::read(&path).unwrap();
        damage(&path, change);
        let found = message(workspace.report(""));
        assert!(found.contains(expected), "{file}: {found}");
        commit::write_bytes(&path, &whole).unwrap();
    }
    workspace.report("").unwrap();
}

fn replace(bytes: &mut Vec<u8>, from: &str, to: &str) {
    *bytes = String::from_utf8(std::mem::take(bytes)).unwrap().replace(from, to).into_bytes();
}
