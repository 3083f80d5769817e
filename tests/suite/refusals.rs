use std::fs;
use std::path::Path;

use crate::harness::{Work, extractor_args, stages};

fn stage_args(stage: &str, subcommand: &str) -> Vec<&'static str> {
    let wanted =
        |(s, args): &(&str, Vec<&str>)| *s == stage && (subcommand.is_empty() || args[0] == subcommand);
    stages().into_iter().find(wanted).unwrap().1
}

fn overwrite(path: &Path, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let changed = change(fs::read(path).unwrap());
    data::commit::write_bytes(path, &changed).unwrap();
}

#[test]
fn a_missing_predecessor_is_named_with_the_command_to_run() {
    let work = Work::new();
    work.ok("sample", &stage_args("sample", ""));
    work.fails(1, "run the splitter first", "augmenter", &stage_args("augmenter", ""));
    work.fails(1, "run the splitter first", "extractor", &stage_args("extractor", ""));
    work.fails(1, "run the extractor first", "trainer", &stage_args("trainer", "fit"));
    work.fails(1, "run the extractor first", "trainer", &stage_args("trainer", "evaluate"));
    work.fails(1, "run trainer fit first", "matcher", &stage_args("matcher", "decide"));
}

#[test]
fn a_foreign_recipe_is_refused_with_the_difference() {
    let work = Work::with_model();
    let mut args = stage_args("extractor", "");
    args.extend(["--preset", "caffe"]);
    work.ok("extractor", &args);
    work.fails(1, "preset", "trainer", &stage_args("trainer", "evaluate"));
}

#[test]
fn foreign_weights_are_refused_by_the_matcher() {
    let work = Work::with_model();
    work.ok("weights", &["--from", "seed", "--out", "other/weights", "--seed", "7"]);
    let mut args = stage_args("matcher", "decide");
    let weights = args.iter().position(|a| *a == "weights/vgg16.safetensors").unwrap();
    args[weights] = "other/weights/vgg16.safetensors";
    work.fails(1, "is not the weights file of the features", "matcher", &args);
}

#[test]
fn truncated_artefacts_are_refused_by_name() {
    let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    let cases: [(&str, &str, &str); 4] = [
        ("features/train-00000.safetensors", "trainer", "fit"),
        ("features/index.json", "trainer", "evaluate"),
        ("model/head.safetensors", "trainer", "evaluate"),
        ("model/head.safetensors", "matcher", "decide"),
    ];
    for (artefact, stage, subcommand) in cases {
        let work = Work::with_model();
        overwrite(&work.path(artefact), half);
        let name = artefact.rsplit('/').next().unwrap();
        work.fails(1, name, stage, &stage_args(stage, subcommand));
    }
}

#[test]
fn a_damaged_shard_is_mended_by_the_extractor_alone() {
    let work = Work::with_model();
    let golden = work.tree("features");
    overwrite(&work.path("features/valid-00000.safetensors"), |mut bytes| {
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        bytes
    });
    work.fails(1, "run the extractor again", "trainer", &stage_args("trainer", "fit"));
    work.ok("extractor", &stage_args("extractor", ""));
    fs::remove_file(work.path("features/valid-00000.safetensors.edited")).unwrap();
    assert_eq!(work.tree("features"), golden);
}

#[test]
fn a_picture_changed_since_the_split_is_no_longer_used() {
    let work = Work::new();
    work.ok("sample", &stage_args("sample", ""));
    work.ok("splitter", &stage_args("splitter", ""));
    let manifest = data::manifest::Manifest::read(&work.path("split/manifest.csv")).unwrap();
    overwrite(&manifest.resolve(&manifest.rows[0]), |mut bytes| {
        bytes.push(0);
        bytes
    });
    let args = extractor_args("split/manifest.csv");
    work.ok("weights", &stage_args("weights", ""));
    work.fails(1, "changed_since_split", "extractor", &[&args[..], &["--max-bad", "0"]].concat());
    work.ok("extractor", &[&args[..], &["--max-bad", "1"]].concat());
    let rejects = fs::read_to_string(work.path("features/rejects.csv")).unwrap();
    assert_eq!(rejects.lines().count(), 2, "{rejects}");
    assert!(rejects.contains("changed_since_split"), "{rejects}");
}
