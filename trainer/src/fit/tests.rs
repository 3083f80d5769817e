mod pretrained;

use std::path::Path;

use data::features::FeatureMatrix;
use data::head::Head;
use data::stage::Exit;

use super::*;
use crate::batches::Rows;
use crate::classifier::Classifier;
use crate::history;
use crate::mlp::Mlp;
use crate::synthetic::{Synthetic, Workspace, damage, message};

fn small() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic::small().write(dir.path());
    (dir, workspace)
}

const OPTIMIZERS: [&str; 3] = [
    "",
    "--momentum 0.9 --weight-decay 0.001 --class-weights balanced",
    "--standardize --label-smoothing 0.1",
];

#[test]
fn separable_classes_are_learned() {
    for flags in OPTIMIZERS {
        let dir = tempfile::tempdir().unwrap();
        // The clouds overlap: 20 pictures a class are too few to tell the valid ones apart in every case.
        let workspace = Synthetic { per_class: [40, 6, 7], ..Synthetic::small() }.write(dir.path());
        workspace.fit(&format!("--epochs 10 --hidden none {flags}")).unwrap();
        let history = history::read(&workspace.model().join(history::FILE_NAME)).unwrap();
        assert!(history[9].valid.unwrap().top1 > 0.9, "{flags}: {history:?}");
        assert_eq!(
            workspace.model_file_names(),
            ["checkpoint-0010.safetensors", "head.safetensors", "history.csv", "provenance-fit.json"]
        );
    }
}

#[test]
fn a_resumed_training_ends_with_the_bytes_of_an_uninterrupted_one() {
    for flags in OPTIMIZERS {
        let (_dir, whole) = small();
        whole.fit(&format!("--epochs 5 {flags}")).unwrap();
        let (_dir, pieces) = small();
        for epochs in [1, 2, 5] {
            pieces.fit(&format!("--epochs {epochs} --checkpoint-every 1000 {flags}")).unwrap();
        }
        assert!(whole.model_files() == pieces.model_files(), "{flags}");
    }
}

/// As after a kill between the two: the newer checkpoint of the older run is the last that was written.
#[test]
fn a_killed_training_resumes_from_its_last_checkpoint() {
    let (_dir, whole) = small();
    whole.fit("--epochs 6").unwrap();
    let (_dir, killed) = small();
    killed.fit("--epochs 3").unwrap();
    // A longer training leaves a history with more epochs than the checkpoint, and no head.
    let history = killed.model().join(history::FILE_NAME);
    std::fs::copy(whole.model().join(history::FILE_NAME), history).unwrap();
    std::fs::remove_file(killed.model().join("head.safetensors")).unwrap();
    killed.fit("--epochs 6").unwrap();
    std::fs::remove_file(killed.model().join("history.csv.edited")).unwrap();
    assert!(whole.model_files() == killed.model_files());
}

#[test]
fn a_damaged_checkpoint_is_replaced_by_the_one_before() {
    let (_dir, workspace) = small();
    workspace.fit("--epochs 2").unwrap();
    let before = checkpoint::path(&workspace.model(), 2);
    let kept = std::fs::read(&before).unwrap();
    workspace.fit("--epochs 3").unwrap();
    let whole = workspace.model_files();
    let newest = checkpoint::path(&workspace.model(), 3);
    let head = workspace.model().join("head.safetensors");
    // First with none that is whole, then with the one before.
    for older in [None, Some(&kept)] {
        damage(&newest, |bytes| bytes.truncate(bytes.len() / 2));
        if let Some(bytes) = older {
            data::commit::write_bytes(&before, bytes).unwrap()
        }
        std::fs::remove_file(&head).unwrap();
        workspace.fit("--epochs 3").unwrap();
        assert!(workspace.model_files() == whole, "{}", older.is_some());
    }
}

#[test]
fn running_a_finished_training_again_changes_nothing() {
    let (_dir, workspace) = small();
    workspace.fit("--epochs 2").unwrap();
    let times = |dir: &Path| -> Vec<_> {
        let files =
            std::fs::read_dir(dir).unwrap().map(|e| e.unwrap()).filter(|e| e.file_name() != ".tindogr.lock");
        let mut times: Vec<_> =
            files.map(|e| (e.path(), e.metadata().unwrap().modified().unwrap())).collect();
        times.sort();
        times
    };
    let before = times(&workspace.model());
    workspace.fit("--epochs 2").unwrap();
    assert_eq!(before, times(&workspace.model()));
}

#[test]
fn a_checkpoint_with_another_configuration_is_not_resumed() {
    let (dir, workspace) = small();
    for flags in ["--learning-rate 0.2", "--hidden 16", "--seed 7", "--momentum 0.5", "--epochs 1"] {
        workspace.fit("--epochs 2").unwrap();
        workspace.fit(&format!("--epochs 3 {flags}")).unwrap();
        let (_dir, afresh) = small();
        afresh.fit(&format!("--epochs 3 {flags}")).unwrap();
        assert!(workspace.model_files() == afresh.model_files(), "{flags}");
    }
    workspace.fit("--epochs 2").unwrap();
    let other = Synthetic { noise: 0.9, ..Synthetic::small() };
    other.write(dir.path());
    workspace.fit("--epochs 3").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let afresh = other.write(elsewhere.path());
    afresh.fit("--epochs 3").unwrap();
    assert!(workspace.model_files() == afresh.model_files(), "other features");
    assert_eq!(
        workspace.model_file_names(),
        ["checkpoint-0003.safetensors", "head.safetensors", "history.csv", "provenance-fit.json"]
    );
}

#[test]
fn a_diverging_loss_stops_training_and_keeps_the_head_and_checkpoint() {
    let (_dir, workspace) = small();
    workspace.fit("--epochs 2").unwrap();
    let head = std::fs::read(workspace.model().join("head.safetensors")).unwrap();
    let found = message(workspace.fit("--epochs 2 --learning-rate 1e30"));
    assert!(found.contains("at epoch 1 step 2; last good checkpoint: epoch 0"), "{found}");
    assert!(std::fs::read(workspace.model().join("head.safetensors")).unwrap() == head);
    assert!(checkpoint::path(&workspace.model(), 0).exists());
}

#[test]
fn keep_last_keeps_the_last_epoch() {
    let run = |keep: &str| {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Synthetic { noise: 4.0, ..Synthetic::small() }.write(dir.path());
        workspace.fit(&format!("--epochs 12 --patience 0 --dropout 0 --keep {keep}")).unwrap();
        let history = history::read(&workspace.model().join(history::FILE_NAME)).unwrap();
        (Head::read(&workspace.model().join("head.safetensors")).unwrap(), history)
    };
    let ((best, history), (last, same_history)) = (run("best"), run("last"));
    assert_eq!(history, same_history);
    let best_epoch = history::best_epoch(&history).unwrap();
    assert!(best_epoch < 12, "the run must get worse in the end: {history:?}");
    assert_eq!(best.info.training.unwrap().kept_epoch, best_epoch);
    assert_eq!(last.info.training.unwrap().kept_epoch, 12);
    assert!(best.layers != last.layers);
}

#[test]
fn without_valid_pictures_the_last_epoch_can_be_kept_and_resumed() {
    let set = Synthetic { per_class: [20, 0, 7], ..Synthetic::small() };
    let dir = tempfile::tempdir().unwrap();
    let whole = set.write(dir.path());
    whole.fit("--epochs 4 --keep last --patience 1").unwrap();
    let other = tempfile::tempdir().unwrap();
    let pieces = set.write(other.path());
    for epochs in [1, 4] {
        pieces.fit(&format!("--epochs {epochs} --keep last --patience 1")).unwrap();
    }
    assert!(whole.model_files() == pieces.model_files());
    let history = history::read(&whole.model().join(history::FILE_NAME)).unwrap();
    assert!(
        history.len() == 4 && history.iter().all(|epoch| epoch.valid.is_none() && epoch.train_top1 > 0.0)
    );
    whole.evaluate("").unwrap();
}

#[test]
fn early_stopping_ends_training_when_the_valid_loss_no_longer_decreases() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic { noise: 4.0, ..Synthetic::small() }.write(dir.path());
    workspace.fit("--epochs 200 --patience 3 --dropout 0").unwrap();
    let rows = history::read(&workspace.model().join(history::FILE_NAME)).unwrap();
    let lowest = history::lowest_valid_loss(&rows).unwrap();
    assert!(rows.len() < 200 && rows.len() == lowest + 3, "{} epochs, lowest at {lowest}", rows.len());
    let files = workspace.model_files();
    workspace.fit("--epochs 200 --patience 3 --dropout 0").unwrap();
    assert!(files == workspace.model_files());
}

#[test]
fn the_scaling_is_folded_into_the_head() {
    use crate::scaling::Scaling;
    use data::features::Features;
    use data::manifest::Split;
    let (dir, workspace) = small();
    workspace.fit("--epochs 2 --standardize").unwrap();
    let state = checkpoint::Checkpoint::read(&checkpoint::path(&workspace.model(), 2)).unwrap();
    let folded = Head::read(&workspace.model().join("head.safetensors")).unwrap();
    let train = Features::open(&dir.path().join("features")).unwrap().open_split(Split::Train).unwrap();
    let scaling = Scaling::measure(&train).unwrap();
    let (scaled, raw) =
        (Mlp::new(state.kept, Vec::new()).unwrap(), Mlp::new(folded.layers, Vec::new()).unwrap());
    let all: Vec<usize> = (0..train.len()).collect();
    let logits = |mlp: &Mlp, scaling: Option<&Scaling>| {
        mlp.logits(&Rows { split: &train, scaling }.batch(&all).unwrap().features).unwrap()
    };
    for (a, b) in logits(&scaled, Some(&scaling)).iter().zip(logits(&raw, None)) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    assert_ne!(logits(&scaled, None), logits(&raw, None));
}

#[test]
fn test_features_are_not_opened() {
    let (dir, workspace) = small();
    damage(&dir.path().join("features/test-00000.safetensors"), |bytes| bytes.clear());
    workspace.fit("--epochs 1").unwrap();
    assert!(message(workspace.evaluate("")).contains("test-00000.safetensors"));
}

#[test]
fn data_without_the_pictures_that_training_needs_is_refused() {
    let small = Synthetic::small;
    let cases: [(Synthetic, &str); 3] = [
        (Synthetic { per_class: [20, 0, 7], ..small() }, "the stages after it; or pass --keep last"),
        (Synthetic { per_class: [0, 6, 7], ..small() }, "has no train pictures"),
        (Synthetic { classes: vec!["pug".into()], ..small() }, "all train pictures of"),
    ];
    for (set, expected) in cases {
        let dir = tempfile::tempdir().unwrap();
        let found = message(set.write(dir.path()).fit("--epochs 1"));
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn a_class_in_valid_but_not_in_train_is_refused() {
    use data::features::{Features, Index, ShardEntry};
    use data::manifest::Split;
    let (dir, workspace) = small();
    // The train shard of a set with two classes, in the index of the set with three.
    let other = tempfile::tempdir().unwrap();
    let two = Synthetic { classes: ["beagle", "not_a_dog"].map(str::to_owned).into(), ..Synthetic::small() };
    two.write(other.path());
    let features = dir.path().join("features");
    let shard = "train-00000.safetensors";
    std::fs::copy(other.path().join("features").join(shard), features.join(shard)).unwrap();
    let mut index: Index = Features::open(&features).unwrap().index;
    index.shards.get_mut(&Split::Train).unwrap()[0] = ShardEntry::of(&features, shard.into(), 40).unwrap();
    index.write(&features).unwrap();
    let found = message(workspace.fit("--epochs 1"));
    assert!(found.contains("valid has pictures of papillon, train has none"), "{found}");
}

#[test]
fn flags_out_of_range_are_usage_errors_before_anything_is_read() {
    let nowhere = Workspace("/nowhere".into());
    for flags in [
        "--dropout 1",
        "--dropout NaN",
        "--learning-rate 0",
        "--learning-rate inf",
        "--momentum 1",
        "--label-smoothing 1",
        "--epochs 0",
        "--batch-size 0",
        #[cfg(not(feature = "cuda"))]
        "--device cuda",
        #[cfg(not(feature = "metal"))]
        "--device metal",
    ] {
        let error = nowhere.fit(flags).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(_))), "{flags}: {error:#}");
    }
    assert!(message(nowhere.fit("--hidden 16,0")).contains("neither a list of units"));
}

#[test]
fn a_head_that_is_larger_than_the_memory_is_refused_with_the_numbers() {
    let (_dir, workspace) = small();
    for hidden in ["1000000000", "100000,100000"] {
        let found = message(workspace.fit(&format!("--hidden {hidden}")));
        assert!(
            found.contains(&format!("--hidden {hidden} is a head of "))
                && found.contains("choose fewer units"),
            "{found}"
        );
    }
    assert!(workspace.model_file_names().is_empty());
}

#[test]
fn two_trainings_in_one_directory_are_refused() {
    let (_dir, workspace) = small();
    let _held = data::commit::lock(&workspace.model(), "trainer").unwrap();
    let error = workspace.fit("--epochs 1").unwrap_err();
    assert!(matches!(error.downcast_ref(), Some(Exit::TryAgain(_))), "{error:#}");
}

#[test]
fn a_picture_has_the_same_probabilities_in_every_batch() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Synthetic { n_features: 700, ..Synthetic::small() }.write(dir.path());
    workspace.fit("--epochs 1").unwrap();
    let classifier = Classifier::open(&workspace.model()).unwrap();
    let mut draws = data::draw::stream(1, "test", "");
    let mut values = || (0..700).map(|_| draws.normal() as f32).collect::<Vec<f32>>();
    let rows: Vec<Vec<f32>> = (0..70).map(|_| values()).collect();
    let together =
        classifier.log_probabilities(&FeatureMatrix::new(rows.concat(), rows[0].len()).unwrap()).unwrap();
    let alone =
        |row: &[f32]| classifier.log_probabilities(&FeatureMatrix::new(row.to_vec(), row.len()).unwrap());
    for (row, expected) in rows.iter().zip(&together) {
        assert_eq!(&alone(row).unwrap()[0], expected);
        assert!((expected.iter().map(|p| p.exp()).sum::<f64>() - 1.0).abs() < 1e-6);
    }
    assert!(message(alone(&rows[0][1..]).map(drop)).contains("takes 700 features, got 699"));
}

#[test]
fn flags_have_the_names_of_keras_and_timm_too() {
    use clap::Parser;
    let parse = |flags: &str| {
        let words = format!("trainer fit --features f --out m {flags}");
        let crate::args::Command::Fit(args) = crate::args::Args::parse_from(words.split(' ')).command else {
            unreachable!("fit was asked for")
        };
        (args.learning_rate, args.patience, args.label_smoothing, args.dropout)
    };
    let ours = parse("--learning-rate 0.5 --patience 3 --label-smoothing 0.25 --dropout 0.75");
    assert_eq!(ours, (0.5, 3, 0.25, 0.75));
    assert_eq!(parse("--lr 0.5 --early-stopping 3 --smoothing 0.25 --drop 0.75"), ours);
}
