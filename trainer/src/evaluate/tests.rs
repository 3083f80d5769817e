use data::features::Index;
use data::head;
use data::manifest::Split;
use data::metrics::{self, Metrics};

use crate::predictions;
use crate::synthetic::{Synthetic, Workspace, message, write_constant_imagenet_head};

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
        let n_right = rows.iter().filter(|r| r.split == *split && r.is_correct()).count();
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
    assert!(
        message(workspace.evaluate("--split train"))
            .contains("not evaluated on the pictures that it was trained on")
    );
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

/// As after a wrong argument: results that are still right must not count as unfinished.
#[test]
fn a_failed_call_leaves_finished_results_current() {
    let (dir, workspace) = fitted();
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    Synthetic { per_class: [3, 3, 3], ..Synthetic::small() }.write(&dir.path().join("other"));
    let (manifest, other) = (workspace.manifest(), dir.path().join("other/split/manifest.csv"));
    let right = std::fs::read(&manifest).unwrap();
    std::fs::copy(other, &manifest).unwrap();
    let before = workspace.model_files();
    workspace.evaluate("").unwrap_err();
    workspace.report("").unwrap_err();
    assert!(workspace.model_files() == before);
    data::commit::write_bytes(&manifest, &right).unwrap();
    workspace.evaluate("--check").unwrap();
    workspace.report("--check").unwrap();
}

#[test]
fn without_test_pictures_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic { per_class: [20, 6, 0], ..Synthetic::small() }.write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    assert!(message(workspace.evaluate("")).contains("there are no test pictures to evaluate on"));
    workspace.evaluate("--split valid").unwrap();
}

/// Features that ImageNet's dense layers take.
pub(crate) fn for_imagenet() -> Synthetic {
    let per_class = [2, 1, 4];
    Synthetic { n_features: 25_088, image_size: 224, per_class, ..Synthetic::small() }
}

#[test]
fn imagenets_classifier_is_evaluated_as_a_baseline() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = for_imagenet().write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    let file = dir.path().join("full.safetensors");
    // Always a papillon (157), then a beagle (162); tench (0), which is no class here, above all.
    let mut logits = vec![0.0; 1000];
    (logits[157], logits[162], logits[0]) = (4.0, 3.0, 9.0);
    write_constant_imagenet_head(&file, &logits);
    workspace.evaluate(&format!("--imagenet {}", file.display())).unwrap();
    let metrics = Metrics::read(&workspace.model().join(metrics::FILE_NAME)).unwrap();
    let baseline = metrics.imagenet.unwrap();
    assert_eq!((baseline.weights.as_str(), baseline.n_classes), ("full.safetensors", 2));
    assert_eq!(baseline.left_out, ["not_a_dog"]);
    let test = &baseline.splits[&Split::Test];
    assert_eq!((test.n, test.n_left_out), (8, 4));
    assert_eq!((test.imagenet.top1, test.imagenet.top5), (0.5, 1.0));
    assert_eq!(baseline.splits[&Split::Valid].n, 2);
    let rows = predictions::read(&workspace.model().join(predictions::FILE_NAME)).unwrap();
    let known = rows.iter().filter(|r| r.split == Split::Test && r.actual != "not_a_dog");
    let n_right = known.filter(|r| r.is_correct()).count();
    assert!((test.head.top1 - n_right as f64 / 8.0).abs() < 1e-6);
    workspace.evaluate("").unwrap();
    assert_eq!(Metrics::read(&workspace.model().join(metrics::FILE_NAME)).unwrap().imagenet, None);
}

#[test]
fn classes_that_imagenet_does_not_have_are_no_error() {
    let dir = tempfile::tempdir().unwrap();
    let classes = ["cat", "hamster"].map(str::to_owned).into();
    let workspace = Synthetic { classes, ..Synthetic::small() }.write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    workspace.evaluate("--imagenet nowhere.safetensors").unwrap();
    assert_eq!(Metrics::read(&workspace.model().join(metrics::FILE_NAME)).unwrap().imagenet, None);
}

#[test]
fn a_head_whose_answers_are_no_numbers_is_refused_and_nothing_is_written() {
    let (_dir, workspace) = fitted();
    let path = workspace.model().join(head::FILE_NAME);
    let mut head = head::Head::read(&path).unwrap();
    head.layers.iter_mut().for_each(|layer| layer.weight.fill(3e38));
    head.write(&path).unwrap();
    let message = message(workspace.evaluate(""));
    assert!(message.contains("not a finite number") && message.contains("--learning-rate"), "{message}");
    assert!(!workspace.model_file_names().contains(&metrics::FILE_NAME.to_owned()));
}

/// An index that somebody wrote anew, with a digest of its own: the test shard under the name of one of valid.
#[test]
fn features_of_another_split_are_refused() {
    let (_dir, workspace) = fitted();
    let features = workspace.model().with_file_name("features");
    let mut index = Index::read(&features).unwrap();
    std::fs::copy(features.join("test-00000.safetensors"), features.join("valid-00000.safetensors")).unwrap();
    let test = index.shards[&Split::Test][0].clone();
    index.shards.insert(Split::Test, Vec::new());
    let file = "valid-00000.safetensors".to_owned();
    index.n_rejected += index.shards[&Split::Valid][0].n;
    index.shards.insert(Split::Valid, vec![data::features::ShardEntry { file, ..test }]);
    index.write(&features).unwrap();
    let message = message(workspace.evaluate("--split valid"));
    assert!(
        message.contains("the valid features have row") && message.contains("run the extractor again"),
        "{message}"
    );
}
