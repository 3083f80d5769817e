use super::*;
use crate::synthetic::{Synthetic, Workspace, message};

fn fitted() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic::small().write(dir.path());
    workspace.fit("--epochs 3").unwrap();
    (dir, workspace)
}

#[test]
fn every_picture_is_predicted_under_its_own_path() {
    let (_dir, workspace) = fitted();
    workspace.evaluate("").unwrap();
    let rows = predictions::read(&workspace.model().join(predictions::FILE_NAME)).unwrap();
    assert_eq!(rows.len(), 3 * 6 + 3 * 7);
    assert!(rows.iter().all(|r| r.path.starts_with(&format!("{}/{}/", r.split, r.actual))));
    assert!(rows.iter().all(|r| r.ranked.len() == 3), "three classes have three ranks");
    let metrics = Metrics::read(&workspace.model().join(metrics::FILE_NAME)).unwrap();
    for (split, m) in &metrics.splits {
        let n_right = rows.iter().filter(|r| r.split == *split && r.is_right()).count();
        assert!((m.top1 - n_right as f64 / m.n as f64).abs() < 1e-6);
        assert_eq!((m.top5, m.n_classes), (1.0, 3));
    }
    let confusion = std::fs::read_to_string(workspace.model().join("confusion.csv")).unwrap();
    assert!(confusion.starts_with("split,actual,predicted,n\nvalid,beagle,"), "{confusion}");
    let before = workspace.model_files();
    workspace.evaluate("").unwrap();
    assert!(before == workspace.model_files());
}

#[test]
fn one_split_can_be_asked_for() {
    let (_dir, workspace) = fitted();
    workspace.evaluate("--split test").unwrap();
    let metrics = Metrics::read(&workspace.model().join(metrics::FILE_NAME)).unwrap();
    assert_eq!(metrics.splits.keys().copied().collect::<Vec<_>>(), [Split::Test]);
    assert!(message(workspace.evaluate("--split train")).contains("not measured on what it was trained on"));
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let small = Synthetic::small;
    let cases: [(Synthetic, &str); 3] = [
        (
            Synthetic { image_size: 64, ..small() },
            "head.safetensors was made with image size 32, expected 64",
        ),
        (
            Synthetic { classes: ["beagle", "chow", "papillon"].map(str::to_owned).into(), ..small() },
            "output 1 is \"not_a_dog\", expected \"chow\"",
        ),
        (Synthetic { n_features: 25, ..small() }, "takes features of shape [24, 1, 1]"),
    ];
    for (other, expected) in cases {
        let (dir, workspace) = fitted();
        other.write(dir.path());
        let found = message(workspace.evaluate(""));
        assert!(found.contains(expected) && found.contains("run trainer fit"), "{found}");
    }
    let (dir, workspace) = fitted();
    Synthetic { per_class: [3, 3, 3], ..small() }.write(&dir.path().join("other"));
    std::fs::copy(dir.path().join("other/split/manifest.csv"), workspace.manifest()).unwrap();
    let found = message(workspace.evaluate(""));
    assert!(found.contains("is not the manifest that the features were made from"), "{found}");
}

#[test]
fn without_test_pictures_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic { per_class: [20, 6, 0], ..Synthetic::small() }.write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    assert!(message(workspace.evaluate("")).contains("there are no test pictures to measure on"));
    workspace.evaluate("--split valid").unwrap();
}
