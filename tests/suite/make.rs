use std::time::SystemTime;

use crate::harness::Work;

const TARGETS: [(&str, &str); 8] = [
    ("sample", "raw/.sample.json"),
    ("split", "split/manifest.csv"),
    ("augment", "augmented/manifest.csv"),
    ("extract", "features/index.json"),
    ("train", "model/head.safetensors"),
    ("evaluate", "model/metrics.json"),
    ("report", "model/report.html"),
    ("match", "matches/matches.html"),
];

fn times(work: &Work) -> Vec<SystemTime> {
    let time = |target| std::fs::metadata(work.path("W").join(target)).unwrap().modified().unwrap();
    TARGETS.iter().map(|(_, target)| time(target)).collect()
}

/// The stages that `make all` with `args` runs again.
fn rerun_by(work: &Work, args: &[&str]) -> Vec<&'static str> {
    let before = times(work);
    work.make_ok(&[&["all"], args].concat());
    let after = times(work);
    TARGETS
        .iter()
        .zip(before.iter().zip(&after))
        .filter(|(_, (b, a))| b != a)
        .map(|((name, _), _)| *name)
        .collect()
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
    assert_eq!(rerun_by(&work, &[]), [""; 0]);
    assert_eq!(rerun_by(&work, &["RULE=none"]), ["match"]);
    assert_eq!(rerun_by(&work, &["RULE=none", "EPOCHS=1"]), ["train", "evaluate", "report", "match"]);
    assert_eq!(
        rerun_by(&work, &["RULE=none", "EPOCHS=1", "COPIES=0"]),
        ["augment", "extract", "train", "evaluate", "report", "match"]
    );
}

#[test]
fn status_says_what_is_stale_and_why_and_changes_nothing() {
    let work = Work::new();
    let first = work.make_ok(&["status"]).stdout;
    assert!(first.contains("sample    stale: not made yet"), "{first}");
    work.make_ok(&["all"]);
    let fresh = work.make_ok(&["status"]).stdout;
    assert_eq!(fresh.matches("up to date").count(), TARGETS.len(), "{fresh}");
    let stale = work.make_ok(&["status", "EPOCHS=9"]).stdout;
    assert!(stale.contains("extract   up to date"), "{stale}");
    assert!(stale.contains("train     stale: its parameters changed"), "{stale}");
    assert!(stale.contains("match     stale: train is stale"), "{stale}");
    let stale = work.make_ok(&["status", "IMAGENET=vgg16.safetensors"]).stdout;
    assert!(stale.contains("train     up to date"), "{stale}");
    assert!(stale.contains("evaluate  stale: its parameters changed"), "{stale}");
    assert!(stale.contains("match     up to date"), "{stale}");
    assert_eq!(rerun_by(&work, &[]), [""; 0], "status must not have changed anything");
}

#[test]
fn a_new_picture_costs_one_pass_through_the_network() {
    let work = Work::new();
    let first = work.make_ok(&["features", "COPIES=0"]).stdout;
    assert!(first.contains("computed 72 ") && first.contains("reused 0,"), "{first}");
    let class = work.path("W/raw/not_a_dog");
    let picture = std::fs::read_dir(&class).unwrap().next().unwrap().unwrap().path();
    // Bytes behind the end of a JPEG change the file and not the picture.
    let mut bytes = std::fs::read(&picture).unwrap();
    bytes.extend(b"another file");
    data::commit::write_bytes(&class.join("not_a_dog_99999.jpg"), &bytes).unwrap();
    let second = work.make_ok(&["features", "COPIES=0"]).stdout;
    assert!(second.contains("computed 1 ") && second.contains("reused 72,"), "{second}");
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
    let full = ["-n", "evaluate", "DATASET=mine", "RAW=photos", "FULL=yes", "BUILD=:"];
    let asked = |more: &[&str]| {
        let ran = work.make_ok(&[&full, more].concat());
        ran.stdout.contains(&format!("--imagenet '{}", work.path("W/weights").display()))
    };
    std::fs::create_dir(work.path("photos")).unwrap();
    assert!(asked(&["IMAGE_SIZE="]) && asked(&["IMAGE_SIZE=224"]));
    for other in ["IMAGE_SIZE=96", "POOL=avg", "WEIGHTS=my.safetensors", "FULL=", "IMAGENET="] {
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
    let ran = work.make_ok(&["all", "DATASET=mine", "WEIGHTS=seeded", &raw]);
    assert!(work.path("W/model/report.html").exists());
    assert!(!work.path("W/matches").exists());
    assert!(ran.stdout.contains("nobody to match with yet"), "{}", ran.stdout);
}

#[test]
fn a_work_directory_with_blanks_is_refused_in_one_line() {
    let work = Work::new();
    let ran = work.make(&["all", "W=a b"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("without blanks"), "{}", ran.stderr);
}

#[test]
fn help_lists_every_stage() {
    let work = Work::new();
    let help = work.make_ok(&["help"]).stdout;
    for target in
        ["all", "split", "augment", "features", "train", "evaluate", "match", "status", "test", "clean"]
    {
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
    assert!(text.contains("The test figures of default and tindogr-2018 cannot be compared"), "{text}");
    assert!(
        text.contains("default and tindogr-2018-same-test were judged on the same 12 pictures"),
        "{text}"
    );
    let report = work.path("W/recipes/tindogr-2018/model/report.html");
    let report = std::fs::read_to_string(report).unwrap();
    for flaw in [
        "only divided by 255",
        "squashed",
        "The network sees 32 pixels",
        "in the order of their names",
        "There are no valid pictures",
        "The test pictures are augmented",
        "one distorted copy of itself",
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
    assert!(work.make(&["all", "RECIPE=typo"]).stderr.contains("default or tindogr-2018"));
}

#[test]
fn a_plan_comes_before_any_work_and_does_none() {
    let work = Work::new();
    let plan = work.make_ok(&["plan", "COPIES=1"]).stdout;
    assert!(plan.contains("augmenter: 50 train, 11 valid, 11 test pictures by --plan-pictures"), "{plan}");
    assert!(plan.contains("extractor: 50 train, 11 valid, 11 test pictures by --plan-pictures"), "{plan}");
    assert!(!work.path("W").exists());
}
