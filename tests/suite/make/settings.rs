//! What is given to make: any characters, remembered, checked.

use std::path::Path;

use super::changes::first_in;
use super::*;

#[test]
fn names_may_hold_any_characters_but_line_ends() {
    let work = Work::new();
    let odd = "it's 50% \"odd\" $HOME #1, a:b;c & d";
    work.ok(
        "sample",
        &[
            "--out",
            &format!("{odd}/raw"),
            "--profiles",
            &format!("{odd}/people"),
            "--per-class",
            "6",
            "--size",
            "64",
        ],
    );
    work.ok(
        "extractor",
        &["--manifest", "none.csv", "--out", "x", "--weights", "w", "--plan", "--plan-pictures", "1"],
    );
    let path = |name: &str| format!("{}/{odd}/{name}", work.path("").display());
    let photo = first_in(&first_in(Path::new(&path("raw"))));
    std::fs::copy(photo, path("my dog.jpg")).unwrap();
    let settings = [
        "DATASET=mine".to_owned(),
        "WEIGHTS=seed".to_owned(),
        format!("W={}", path("W")),
        format!("RAW={}", path("raw")),
        format!("PROFILES={}", path("people/profiles.csv")),
        format!("MY_DOG={}", path("my dog.jpg")),
        "MATCH_FLAGS=--min-dog 0".to_owned(),
    ];
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let first = work.make_ok(&[&["all"], &settings[..]].concat());
    assert!(Path::new(&path("W/matches/matches.html")).exists(), "{}", first.stdout);
    // Remembered, to the letter: nothing is to be done without them.
    let again = work.make_ok(&["all", "DATASET=mine", settings[2]]);
    assert_eq!(again.stdout.matches("up to date").count(), 8, "{}{}", again.stdout, again.stderr);
    // The photo of my dog is replaced under the same name.
    let another = first_in(&work.path(format!("{odd}/raw/n02110958-pug")));
    std::fs::copy(another, path("my dog.jpg")).unwrap();
    let replaced = work.make_ok(&["match", "DATASET=mine", settings[2]]);
    assert!(replaced.stderr.contains("the photo of my dog changed"), "{}", replaced.stderr);
}

#[test]
fn settings_are_remembered_shown_and_forgotten() {
    let work = Work::new();
    work.make_ok(&["split", "RATIO=0.5,0.25,0.25"]);
    let shown = work.make_ok(&["status"]).stdout;
    assert!(shown.contains("RATIO = 0.5,0.25,0.25"), "{shown}");
    work.make_ok(&["status", "RATIO=0.8,0.1,0.1"]);
    assert_eq!(run_by(&work, "split", &[]), [""; 0], "status remembers nothing");
    assert_eq!(run_by(&work, "split", &["RATIO="]), ["split"]);
    assert!(!work.make_ok(&["status"]).stdout.contains("RATIO"));
}

#[test]
fn a_remembered_value_that_a_stage_refuses_is_named_with_its_file() {
    let work = Work::new();
    assert_eq!(work.make(&["split", "RATIO=abc"]).code, Some(2));
    let again = work.make(&["split"]).stderr;
    assert!(
        again.contains("RATIO=abc, from ") && again.contains("settings.mk; NAME= forgets one"),
        "{again}"
    );
    work.make_ok(&["split", "RATIO="]);
}

#[test]
fn what_make_cannot_understand_is_refused_before_any_work() {
    let work = Work::new();
    for (args, expected) in [
        (&["EPOCH=5"][..], "there is no variable EPOCH; did you mean EPOCHS?"),
        (&["LR=0.1"], "did you mean LEARNING_RATE?"),
        (&["CLASS_WEIGHT=balanced"], "did you mean CLASS_WEIGHTS?"),
        (&["UNSHUFFLED=maybe"], "UNSHUFFLED is \"maybe\": yes or no"),
        (&["FULL=2"], "FULL is \"2\": yes or no"),
        (&["WEIGHTS=seeded"], "WEIGHTS is \"seeded\": say WEIGHTS=seed"),
        (&["RECIPE=typo"], "default or tindogr-2018"),
        (&["DATASET=stanford_dogs"], "did you mean DATASET=stanford-dogs?"),
    ] {
        let ran = work.make(&[&["all"], args].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert!(!work.path("W").exists(), "{args:?}");
    }
    // Without W as well, for what is made of own photos would land in the sample's run.
    let mut make = std::process::Command::new("make");
    make.current_dir(crate::harness::repository()).args(["-n", "all", "RAW=my/photos"]);
    let ran = Ran::of(make.output().unwrap());
    assert!(ran.code == Some(2) && ran.stderr.contains("RAW needs a DATASET"), "{}", ran.stderr);
    let mut make = std::process::Command::new("make");
    make.current_dir(work.path("")).arg("-f").arg(crate::harness::repository().join("Makefile")).arg("all");
    let ran = Ran::of(make.output().unwrap());
    assert!(
        ran.code == Some(2) && ran.stderr.contains("run make in the folder of the Makefile"),
        "{}",
        ran.stderr
    );
}

#[test]
fn switches_take_yes_and_no() {
    let work = Work::new();
    let unshuffled = |value: &str| {
        let ran = work.make_ok(&["-n", "split", &format!("UNSHUFFLED={value}")]);
        ran.stdout.contains("--unshuffled")
    };
    assert!(["yes", "1", "true", "on"].into_iter().all(unshuffled));
    assert!(!["no", "0", "false", "off", ""].into_iter().any(unshuffled));
    let boxes = |value: &str| work.make_ok(&["-n", "split", &format!("CROP_TO_BOX={value}")]).stdout;
    assert!(
        boxes("yes").contains("/W/annotations'") && boxes("my boxes").contains("--crop-to-box 'my boxes'")
    );
    assert!(["no", "off", "0", ""].iter().all(|value| !boxes(value).contains("--crop-to-box")));
}
