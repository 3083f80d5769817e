//! `INIT=pretrained`: training that starts from the network's own classifier.

use super::*;

#[test]
fn a_pretrained_start_takes_the_network_that_has_one_and_its_classifier() {
    let work = Work::new();
    let train = |args: &[&str]| {
        let all = [&["-n", "all", "IMAGE_SIZE=", "HIDDEN=", "INIT=pretrained"], args].concat();
        work.make_ok(&all).stdout
    };
    let plan = train(&[]);
    for expected in [
        "--init 'pretrained' --classifier ",
        "/W/weights/efficientnet-lite0-classifier.safetensors'",
        "--backbone 'efficientnet-lite0' --from 'package'",
        "--hidden 'none'",
    ] {
        assert!(plan.contains(expected), "{expected}: {plan}");
    }
    assert!(!plan.contains("--image-size"), "the classifier takes features of 224 px: {plan}");
    let random = work.make_ok(&["-n", "all"]).stdout;
    assert!(!random.contains("--init") && !random.contains("--classifier"), "{random}");
}

#[test]
fn a_pretrained_start_without_a_classifier_of_one_layer_is_refused_before_any_work() {
    let work = Work::new();
    for (args, expected) in [
        (&["INIT=maybe"][..], "INIT is \"maybe\": random or pretrained"),
        (&["INIT=pretrained", "BACKBONE=vgg16"], "BACKBONE=efficientnet-lite0"),
        (&["INIT=pretrained", "WEIGHTS=seed"], "INIT=pretrained needs trained weights: WEIGHTS=package"),
    ] {
        let ran = work.make(&[&["all"], args].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains(expected), "{args:?}: {}", ran.stderr);
        assert!(!work.path("W").exists(), "{args:?}");
    }
}
