use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use crate::harness::{Ran, Work};

mod changes;
mod settings;
mod start;

use changes::overwrite;

/// The stages in order, each with its provenance file.
const STAGES: [(&str, &str); 9] = [
    ("sample", "raw/.sample.json"),
    ("split", "split/provenance.json"),
    ("augment", "augmented/provenance.json"),
    ("weights", "weights/provenance.json"),
    ("features", "features/provenance.json"),
    ("train", "model/provenance-fit.json"),
    ("evaluate", "model/provenance-evaluate.json"),
    ("report", "model/provenance-report.json"),
    ("match", "matches/provenance.json"),
];

fn times(work: &Work) -> Vec<Option<SystemTime>> {
    let time = |record| std::fs::metadata(work.path("W").join(record)).and_then(|m| m.modified()).ok();
    STAGES.iter().map(|(_, record)| time(record)).collect()
}

/// Returns the stages that `make target` with `args` runs.
fn run_by(work: &Work, target: &str, args: &[&str]) -> Vec<&'static str> {
    let before = times(work);
    work.make_ok(&[&[target], args].concat());
    let after = times(work);
    let ran = STAGES.iter().zip(before.iter().zip(&after)).filter(|(_, (b, a))| b != a);
    ran.map(|((name, _), _)| *name).collect()
}

/// Returns the output of `make status` with `args` for each stage.
fn status(work: &Work, args: &[&str]) -> BTreeMap<String, String> {
    let ran = work.make_ok(&[&["status"], args].concat());
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for line in ran.stdout.lines() {
        let Some((stage, what)) =
            line.split_once(' ').filter(|(stage, _)| STAGES.iter().any(|s| s.0 == *stage))
        else {
            continue;
        };
        said.entry(stage.to_owned()).or_default().push_str(&format!("{}\n", what.trim()));
    }
    assert_eq!(said.len(), STAGES.len(), "{}", ran.stdout);
    said
}

#[test]
fn make_all_makes_everything_and_then_only_what_changed() {
    let work = Work::new();
    let ran = work.make_ok(&["all"]);
    for expected in ["model/report.html", "matches/matches.html"] {
        assert!(
            ran.stdout.contains(&format!("open  {}", work.path("W").join(expected).display())),
            "{}",
            ran.stdout
        );
    }
    let files = work.tree("W");
    let again = work.make_ok(&["all"]).stdout;
    assert_eq!(
        again.matches("up to date").count(),
        STAGES.len() + 1,
        "the sample has profiles, too: {again}"
    );
    assert_eq!(work.tree("W"), files);
    assert_eq!(run_by(&work, "all", &["RULE=none"]), ["match"]);
    assert_eq!(run_by(&work, "all", &["EPOCHS=1"]), ["train", "evaluate", "report", "match"]);
    assert_eq!(
        run_by(&work, "all", &["EPOCHS=1", "COPIES=0"]),
        ["augment", "features", "train", "evaluate", "report", "match"]
    );
    // Another number of copies is saved, and the same rows in another file are not a change.
    assert_eq!(run_by(&work, "all", &["EPOCHS=1"]), [""; 0]);
    assert_eq!(run_by(&work, "all", &["EPOCHS=1", "SPLIT_FLAGS=--max-bad 7"]), ["split"]);
}

#[test]
fn a_failed_stage_stops_make_and_leaves_no_target() {
    let work = Work::new();
    let ran = work.make(&["all", "IMAGE_SIZE=31"]);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("--image-size"), "{}", ran.stderr);
    assert!(work.path("W/augmented/manifest.csv").exists());
    assert!(!work.path("W/features/index.json").exists());
    work.make_ok(&["all"]);
}

#[test]
fn imagenets_head_is_measured_where_the_features_are_made_for_it() {
    let work = Work::new();
    std::fs::create_dir(work.path("photos")).unwrap();
    let raw = format!("RAW={}", work.path("photos").display());
    let full = ["-n", "evaluate", "DATASET=mine", &raw, "FULL=yes", "BUILD=:"];
    let asked = |more: &[&str]| {
        let ran = work.make_ok(&[&full, more].concat());
        ran.stdout.contains(&format!("--imagenet '{}", work.path("W/weights").display()))
    };
    assert!(asked(&["IMAGE_SIZE="]) && asked(&["IMAGE_SIZE=224"]));
    for other in ["IMAGE_SIZE=96", "POOL=avg", "FULL=no", "IMAGENET=no"] {
        assert!(!asked(&["IMAGE_SIZE=", other]), "{other}");
    }
    let ran = work.make(&["all", "IMAGENET=vgg16.safetensors"]);
    assert!(ran.stderr.contains("run the extractor with --image-size 224 --pool none"), "{}", ran.stderr);
}

#[test]
fn your_own_photos_go_through_without_profiles() {
    let work = Work::new();
    work.ok("sample", &["--out", "my photos", "--per-class", "6", "--size", "64"]);
    let raw = format!("RAW={}", work.path("my photos").display());
    let ran = work.make_ok(&["all", "DATASET=mine", "WEIGHTS=seed", &raw]);
    assert!(work.path("W/model/report.html").exists());
    assert!(!work.path("W/matches").exists());
    assert!(ran.stdout.contains("nobody to match with yet"), "{}", ran.stdout);
}

#[test]
fn clean_removes_what_was_made_and_nothing_else() {
    let work = Work::new();
    work.make_ok(&["all"]);
    for mine in ["raw/my_rex/rex.jpg", "split/notes.txt", "features/notes.txt", "model/mine.txt"] {
        data::commit::write_bytes(&work.path("W").join(mine), b"mine").unwrap();
    }
    overwrite(&work.path("W/profiles/profiles.csv"), |mut text| {
        text.extend(b"me,Me,30,male,48,8,\n");
        text
    });
    work.make_ok(&["clean"]);
    let left: Vec<String> = work.tree("W").into_keys().map(|path| path.display().to_string()).collect();
    assert_eq!(
        left,
        [
            "W/features/notes.txt",
            "W/model/mine.txt",
            "W/profiles/profiles.csv",
            "W/raw/my_rex/rex.jpg",
            "W/settings.mk",
            "W/split/notes.txt"
        ]
    );
}

/// Tests with tools that are not GNU's: busybox, and a `find` without `-printf`.
#[test]
fn plain_tools_are_enough() {
    let work = Work::new();
    let tools = work.path("tools");
    std::fs::create_dir(&tools).unwrap();
    let refusing = "#!/bin/sh\necho \"$0: refused\" >&2\nexit 1\n";
    for tool in ["find", "xargs", "readlink", "realpath", "stat", "sort"] {
        let path = tools.join(tool);
        data::commit::write_bytes(&path, refusing.as_bytes()).unwrap();
        std::os::unix::fs::PermissionsExt::set_mode(
            &mut std::fs::metadata(&path).unwrap().permissions(),
            0o755,
        );
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    if let Some(busybox) =
        ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists())
    {
        for tool in ["sed", "awk", "expand", "printf", "cmp", "mkdir", "mv", "rm", "ls"] {
            std::os::unix::fs::symlink(busybox, tools.join(tool)).unwrap();
        }
    }
    let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
    let make = |args: &[&str]| Ran::of(work.make_command(args).env("PATH", &path).output().unwrap());
    for args in [&["all"][..], &["status"], &["help"], &["clean"]] {
        let ran = make(args);
        assert!(
            ran.code == Some(0) && !ran.stderr.contains("refused"),
            "{args:?}: {}{}",
            ran.stdout,
            ran.stderr
        );
    }
    assert!(make(&["all", "EPOCH=1"]).stderr.contains("did you mean EPOCHS?"));
}

#[test]
fn an_interrupted_training_goes_on_with_the_same_command() {
    let work = Work::new();
    let args = ["train", "EPOCHS=40", "PATIENCE=0", "TRAIN_FLAGS=--checkpoint-every 0"];
    work.make_ok(&["features"]);
    let mut make = work.make_command(&args);
    let child = std::os::unix::process::CommandExt::process_group(&mut make, 0).spawn().unwrap();
    let began = std::time::Instant::now();
    let has_epoch_3 = || {
        std::fs::read_dir(work.path("W/model")).is_ok_and(|files| {
            files.flatten().any(|f| {
                f.file_name().to_str().is_some_and(|n| n.starts_with("checkpoint-") && n > "checkpoint-0002")
            })
        })
    };
    while !has_epoch_3() {
        assert!(began.elapsed().as_secs() < 60, "the training never began");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let group = format!("-{}", child.id());
    std::process::Command::new("kill").args(["-INT", "--", &group]).status().unwrap();
    let ran = Ran::of(child.wait_with_output().unwrap());
    let again = work.make_ok(&args);
    // If it had ended before the signal, there is nothing to continue.
    assert!(
        ran.code == Some(0) || again.stderr.contains("resuming after epoch"),
        "{}{}",
        ran.stderr,
        again.stderr
    );
}

#[test]
fn help_lists_every_stage() {
    let work = Work::new();
    let help = work.make_ok(&["help"]).stdout;
    for target in [
        "all", "split", "augment", "weights", "features", "train", "evaluate", "match", "status", "test",
        "clean",
    ] {
        assert!(help.lines().any(|l| l.starts_with(&format!("{target} "))), "{target}:\n{help}");
    }
}

#[test]
fn the_posts_recipe_stands_beside_the_default_one() {
    let work = Work::new();
    let first = work.make_ok(&["compare-recipes"]);
    let page = work.path("W/recipes/comparison.html");
    let open = format!("open  {}", page.display());
    assert!(first.stdout.contains(&open), "{}", first.stdout);
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(text.contains("The test metrics of default and tindogr-2018 cannot be compared"), "{text}");
    assert!(
        text.contains("default and tindogr-2018-same-test were evaluated on the same 12 original pictures"),
        "{text}"
    );
    let report = work.path("W/recipes/tindogr-2018/model/report.html");
    let report = std::fs::read_to_string(report).unwrap();
    for flaw in [
        "only divided by 255",
        "resized to a square",
        "The image size is 32 pixels",
        "in the order of their names",
        "There are no valid pictures",
        "The test pictures are augmented",
        "replaced by one augmented copy",
        "that of the last epoch",
    ] {
        assert!(report.contains(flaw), "{flaw}");
    }
    assert!(!work.path("W/recipes/tindogr-2018/raw").exists(), "the pictures are those of W");

    let time = || std::fs::metadata(&page).unwrap().modified().unwrap();
    let before = time();
    let second = work.make_ok(&["compare-recipes"]);
    assert!(second.stdout.contains(&open) && time() == before, "{}", second.stdout);
    let refused = work.make(&["compare-recipes", "RECIPE=tindogr-2018"]);
    assert!(refused.code == Some(2) && refused.stderr.contains("leave RECIPE out"), "{}", refused.stderr);
}

#[test]
fn a_plan_comes_before_any_work_and_does_none() {
    let work = Work::new();
    let plan = work.make_ok(&["plan", "COPIES=1"]).stdout;
    assert!(plan.contains("augmenter: 50 train, 11 valid, 11 test pictures by --plan-pictures"), "{plan}");
    assert!(plan.contains("extractor: 50 train, 11 valid, 11 test pictures by --plan-pictures"), "{plan}");
    assert!(!work.path("W").exists());
}
