//! Training that starts from the classifier that the network was published with.

use data::head::{StartRecord, TrainingRecord};
use data::weights::{Part, Weights};

use super::*;
use crate::synthetic::write_lite0_classifier;

const CLASSES: [&str; 3] = ["beagle", "not_a_dog", "papillon"];

/// The features of `set`, and a classifier whose rows are `scale` times the centres of the classes' clouds.
fn workspace_of(set: &Synthetic, scale: f64) -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let workspace = set.write(dir.path());
    write_lite0_classifier(&dir.path().join("classifier.safetensors"), &CLASSES, scale);
    (dir, workspace)
}

/// A classifier that is right in nearly every case.
fn good() -> (tempfile::TempDir, Workspace) {
    workspace_of(&Synthetic::of_lite0(), 0.01)
}

/// A classifier that is wrong in nearly every case.
fn bad() -> (tempfile::TempDir, Workspace) {
    workspace_of(&Synthetic::of_lite0(), -0.003)
}

fn fit(workspace: &Workspace, flags: &str) -> anyhow::Result<()> {
    let classifier = workspace.0.join("classifier.safetensors").display().to_string();
    workspace.fit(&format!("--init pretrained --learning-rate 0.001 --classifier {classifier} {flags}"))
}

fn head(workspace: &Workspace) -> Head {
    Head::read(&workspace.model().join("head.safetensors")).unwrap()
}

fn training(workspace: &Workspace) -> TrainingRecord {
    head(workspace).info.training.unwrap()
}

/// The log-probabilities of the classes by the head, for some features.
fn answers(workspace: &Workspace) -> Vec<Vec<f64>> {
    let mut draws = data::draw::stream(1, "features", "");
    let features = FeatureMatrix::new((0..5 * 1280).map(|_| draws.normal() as f32).collect(), 1280).unwrap();
    Classifier::open(&workspace.model()).unwrap().log_probabilities(&features).unwrap()
}

#[test]
fn a_good_start_is_kept_and_is_the_classifier_restricted_to_the_classes() {
    let (dir, workspace) = good();
    fit(&workspace, "--hidden none --epochs 2").unwrap();
    let classifier = Weights::read(&dir.path().join("classifier.safetensors"), Part::Classifier).unwrap();
    let row = |index: usize| &classifier.tensors[0].values[index * 1280..(index + 1) * 1280];
    let Head { layers, info } = head(&workspace);
    assert_eq!((layers[0].row(0), layers[0].row(2)), (row(162), row(157)));
    let training = info.training.unwrap();
    assert_eq!(training.kept_epoch, 0);
    let start = training.start.unwrap();
    assert_eq!((start.valid_top1, start.valid_loss), (training.valid_top1, training.valid_loss));
    assert_eq!((start.valid_top1, start.unknown_classes.len()), (Some(1.0), 0));
    // The same with hidden layers, and with features that are standardized.
    let expected = answers(&workspace);
    for flags in ["--hidden 16,8", "--hidden 6", "--hidden none --standardize", "--hidden 9,7 --standardize"]
    {
        fit(&workspace, &format!("{flags} --epochs 2")).unwrap();
        assert_eq!(self::training(&workspace).kept_epoch, 0, "{flags}");
        for (found, expected) in answers(&workspace).iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-4, "{flags}: {found} {expected}");
        }
    }
}

#[test]
fn an_epoch_that_is_better_than_a_bad_start_is_kept() {
    for hidden in ["none", "16,8"] {
        let (_dir, workspace) = bad();
        fit(&workspace, &format!("--hidden {hidden} --epochs 20 --patience 0 --start-penalty 1")).unwrap();
        let training = training(&workspace);
        assert!(training.kept_epoch > 0 && training.valid_top1 > Some(0.8), "{hidden}: {training:?}");
        assert!(training.start.unwrap().valid_top1 < Some(0.5), "{hidden}");
    }
}

/// The sign test needs six pictures that only one of the two has right.
#[test]
fn a_better_epoch_is_not_enough_where_there_are_few_valid_pictures() {
    let few = Synthetic { per_class: [20, 1, 7], ..Synthetic::of_lite0() };
    let (_dir, workspace) = workspace_of(&few, -0.003);
    fit(&workspace, "--hidden none --epochs 20 --patience 0 --start-penalty 1").unwrap();
    let history = history::read(&workspace.model().join(history::FILE_NAME)).unwrap();
    let training = training(&workspace);
    assert!(history[19].valid.unwrap().top1 > training.start.unwrap().valid_top1.unwrap());
    assert_eq!(training.kept_epoch, 0);
}

#[test]
fn without_valid_pictures_the_start_is_kept_and_nothing_is_trained() {
    let set = Synthetic { per_class: [1, 0, 7], ..Synthetic::of_lite0() };
    let (_dir, workspace) = workspace_of(&set, 0.01);
    fit(&workspace, "--hidden none").unwrap();
    assert!(history::read(&workspace.model().join(history::FILE_NAME)).unwrap().is_empty());
    let trained = training(&workspace);
    assert_eq!((trained.kept_epoch, trained.valid_top1), (0, None));
    workspace.evaluate("").unwrap();
    workspace.report("").unwrap();
    fit(&workspace, "--hidden none --keep last --epochs 3").unwrap();
    assert_eq!(training(&workspace).kept_epoch, 3);
    let unknown = Synthetic { classes: vec!["beagle".into(), "labradoodle".into()], ..set };
    let (_dir, workspace) = workspace_of(&unknown, 0.01);
    assert!(message(fit(&workspace, "--hidden none")).contains("no valid pictures"));
}

#[test]
fn a_class_that_imagenet_does_not_know_is_learned_and_named() {
    let classes = ["beagle", "labradoodle", "papillon"].map(str::to_owned);
    let set = Synthetic { classes: classes.into(), per_class: [20, 1, 7], ..Synthetic::of_lite0() };
    let (_dir, workspace) = workspace_of(&set, 0.01);
    // The largest penalty leaves what comes from the classifier as it is, and the class that it does not know free.
    for flags in ["--hidden none", "--hidden none --start-penalty 1e9", "--hidden 9 --start-penalty 1e9"] {
        fit(&workspace, &format!("--epochs 10 {flags}")).unwrap();
        let training = training(&workspace);
        let two_thirds = Some(history::rounded(2.0 / 3.0));
        let StartRecord { valid_top1, unknown_classes, .. } = training.start.unwrap();
        assert_eq!((valid_top1, unknown_classes), (two_thirds, vec!["labradoodle".to_owned()]), "{flags}");
        assert!(training.kept_epoch > 0 && training.valid_top1 == Some(1.0), "{flags}");
    }
}

#[test]
fn the_penalty_keeps_the_weights_near_the_start_and_counts_less_with_more_pictures() {
    let distance = |per_class: [usize; 3], penalty: f64| -> f32 {
        let (_dir, workspace) = workspace_of(&Synthetic { per_class, ..Synthetic::of_lite0() }, -0.003);
        fit(&workspace, "--hidden none --epochs 1 --keep best").unwrap();
        let start = head(&workspace).layers.remove(0).weight;
        fit(&workspace, &format!("--hidden none --epochs 30 --keep last --start-penalty {penalty}")).unwrap();
        let end = head(&workspace).layers.remove(0).weight;
        start.iter().zip(end).map(|(a, b)| (a - b).powi(2)).sum::<f32>().sqrt()
    };
    let few = [8, 0, 1];
    let (free, near) = (distance(few, 0.0), distance(few, 1e5));
    assert!(near < 0.2 * free, "{near} {free}");
    assert!(distance([16, 0, 1], 1e5) > 1.2 * near);
}

#[test]
fn units_that_carry_logits_are_never_dropped() {
    let (_dir, workspace) = good();
    fit(&workspace, "--hidden 6 --dropout 0.9 --epochs 1").unwrap();
    let history = history::read(&workspace.model().join(history::FILE_NAME)).unwrap();
    assert_eq!(history[0].train_top1, 1.0);
}

#[test]
fn a_resumed_training_ends_with_the_same_bytes() {
    for flags in ["--hidden none", "--hidden 16,8 --momentum 0.5", "--hidden 7 --standardize"] {
        for make in [good, bad] {
            let (_dir, whole) = make();
            fit(&whole, &format!("--epochs 5 {flags}")).unwrap();
            let (_dir, pieces) = make();
            for epochs in [1, 2, 5] {
                fit(&pieces, &format!("--epochs {epochs} --checkpoint-every 1000 {flags}")).unwrap();
            }
            assert!(whole.model_files() == pieces.model_files(), "{flags}");
        }
    }
}

#[test]
fn another_start_trains_again_from_epoch_1() {
    let (dir, workspace) = good();
    workspace.fit("--hidden none --learning-rate 0.001 --epochs 2").unwrap();
    let check = |flags: &str| {
        let (other, afresh) = good();
        let classifier = "classifier.safetensors";
        std::fs::copy(dir.path().join(classifier), other.path().join(classifier)).unwrap();
        for workspace in [&workspace, &afresh] {
            fit(workspace, &format!("--hidden none --epochs 3 --keep last {flags}")).unwrap();
        }
        assert!(workspace.model_files() == afresh.model_files(), "{flags}");
        workspace.model_files()
    };
    let first = check("");
    assert!(check("--start-penalty 1") != first);
    assert!(check("") == first);
    write_lite0_classifier(&dir.path().join("classifier.safetensors"), &CLASSES, 0.02);
    assert!(check("") != first);
}

#[test]
fn flags_that_do_not_go_together_are_usage_errors() {
    let nowhere = Workspace("/nowhere".into());
    for (flags, expected) in [
        ("--init pretrained", "needs --classifier FILE"),
        ("--classifier c.safetensors", "--classifier is for --init pretrained"),
        ("--start-penalty 1", "--start-penalty is for --init pretrained"),
        ("--init pretrained --classifier c --start-penalty NaN", "--start-penalty NaN is out of range"),
    ] {
        let error = nowhere.fit(flags).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(_))), "{flags}: {error:#}");
        assert!(format!("{error:#}").contains(expected), "{flags}: {error:#}");
    }
    let (_dir, workspace) = good();
    for hidden in ["5", "16,5"] {
        let error = fit(&workspace, &format!("--hidden {hidden}")).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(_))), "{error:#}");
        assert!(format!("{error:#}").contains("6, and one has 5; give more, or --hidden none"), "{error:#}");
    }
}

#[test]
fn features_that_the_classifier_does_not_take_are_refused_with_what_to_do() {
    let of_vgg = workspace_of(&Synthetic::small(), 0.01);
    let found = message(fit(&of_vgg.1, "--hidden none"));
    assert!(found.contains("that of vgg16 has 3; make the features with efficientnet-lite0"), "{found}");
    let other_size = Synthetic { image_size: 96, ..Synthetic::of_lite0() };
    let found = message(fit(&workspace_of(&other_size, 0.01).1, "--hidden none"));
    assert!(found.contains("--image-size 224 --pool avg, or use --init random"), "{found}");
    let other_weights = Synthetic { weights_sha256: "cd".repeat(32), ..Synthetic::of_lite0() };
    let found = message(fit(&workspace_of(&other_weights, 0.01).1, "--hidden none"));
    assert!(found.contains("belongs to other layers"), "{found}");
}
