//! `--plan` from the outside: what it promises is what the run then makes.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Work, seeded_weights};

/// What the program prints as JSON with these flags at 32 pixels.
fn program(work: &Work, flags: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_extractor"));
    command.args(["--quiet", "--json", "--image-size", "32", "--out"]).arg(work.path("out"));
    if !flags.contains(&"--weights") {
        command.arg("--weights").arg(seeded_weights());
    }
    let output = command.args(flags).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_plan_names_the_bytes_of_the_run_and_leaves_nothing_on_disk() {
    for more in [&["--dtype", "f32"][..], &["--dtype", "f16", "--pool", "avg"]] {
        // One more than a shard holds.
        let work = Work::new(257);
        let manifest = work.path("manifest.csv");
        let flags = [&["--manifest", manifest.to_str().unwrap()], more].concat();
        let plan = program(&work, &[&flags[..], &["--plan", "--plan-copies", "0"]].concat());
        assert!(!work.path("out").exists());
        let cost = &plan["costs"][0];
        assert_eq!((&cost["n_to_do"], &cost["n_done"]), (&Value::from(257), &Value::from(0)));

        let run = program(&work, &flags);
        assert_eq!(cost["bytes"], run["bytes"]);
        let shards: BTreeMap<String, Vec<u8>> = work.files("out");
        let on_disk: usize = shards
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(_, bytes)| bytes.len())
            .sum();
        assert_eq!(cost["bytes"], on_disk);

        let again = program(&work, &[&flags[..], &["--plan", "--plan-copies", "0,1"]].concat());
        let (none, one) = (&again["costs"][0], &again["costs"][1]);
        assert_eq!((&none["n_done"], &none["n_to_do"]), (&Value::from(257), &Value::from(0)));
        assert_eq!((&none["bytes_to_write"], &none["per_second"]), (&Value::from(0), &Value::Null));
        assert_eq!((&one["n_done"], &one["n_to_do"]), (&Value::from(257), &Value::from(257)));
    }
}

#[test]
fn time_grows_with_the_pictures_and_needs_no_weights_and_no_pictures() {
    let work = Work::new(0);
    let plan = program(
        &work,
        &[
            "--manifest",
            "absent.csv",
            "--weights",
            "absent.safetensors",
            "--plan",
            "--plan-pictures",
            "12000,0,8580",
        ],
    );
    assert!(plan["notes"][0].as_str().unwrap().contains("the weights are not here yet"), "{plan}");
    let (none, four) = (&plan["costs"][0], &plan["costs"][1]);
    assert_eq!((&none["n_to_do"], &four["n_to_do"]), (&Value::from(20_580), &Value::from(68_580)));
    let rate = number(&none["per_second"]);
    assert!(rate > 0.0 && number(&none["seconds"]) > 20_580.0 / rate);
    let grown = number(&four["seconds"]) - number(&none["seconds"]);
    // Beside the pictures there are shards to be written.
    assert!(grown * rate / 48_000.0 > 1.0, "{plan}");
    assert!(number(&plan["free"]) > 0.0);

    // One of seven parts has a seventh of the pictures, rounded up.
    let flags = ["--plan", "--plan-pictures", "12000,0,8580", "--plan-copies", "0", "--shard", "2/7"];
    let manifest = ["--manifest", "no manifest.csv"];
    let part = program(&work, &[&manifest[..], &flags].concat());
    assert_eq!(part["costs"][0]["n_to_do"], Value::from(2940), "{part}");
}
