//! Crash tests as in SQLite: after a kill at any moment the directory must be in a valid state, and the same
//! command run again must produce the artefacts of a run that was never killed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::harness::{Work, stages};

/// Number of kills of each stage before it may end; `CRASH_ROUNDS` sets it.
fn rounds() -> u32 {
    std::env::var("CRASH_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4)
}

const OUTPUT_OF: [(&str, &str); 7] = [
    ("sample", "raw"),
    ("splitter", "split"),
    ("augmenter", "augmented"),
    ("weights", "weights"),
    ("extractor", "features"),
    ("trainer", "model"),
    ("matcher", "matches"),
];

#[test]
fn killed_at_random_moments_every_stage_ends_in_the_same_artefacts() {
    let golden = Work::with_model();
    let killed = Work::new();
    let mut moment = data::draw::stream(std::process::id().into(), "test", "moments of killing");
    let mut n_killed = 0;
    for (stage, args) in stages() {
        let began = Instant::now();
        golden.ok(stage, &[&args[..], &["--force"]].concat());
        let full = began.elapsed();
        for _ in 0..rounds() {
            let mut child =
                killed.command(stage, &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(Duration::from_secs_f64(moment.uniform(0.0, 1.1) * full.as_secs_f64()));
            child.kill().unwrap(); // SIGKILL
            n_killed += u32::from(child.wait().unwrap().code().is_none());
        }
        killed.ok(stage, &args);
    }
    assert!(n_killed > 0, "every process had ended before it was killed");
    for (stage, artefact) in OUTPUT_OF {
        assert_eq!(golden.tree(artefact), killed.tree(artefact), "{stage}");
    }
}

/// Checks that the next run removes the temporary files of a killed one, and that only the lock stays hidden there.
#[test]
fn a_rerun_sweeps_the_temporaries() {
    let work = Work::with_model();
    for (_, artefact) in OUTPUT_OF.into_iter().skip(1) {
        std::fs::File::create_new(work.path(artefact).join(".left.csv.tindogr-4711-abcdef.tmp")).unwrap();
    }
    work.run_all_again(&[]);
    for (stage, artefact) in OUTPUT_OF.into_iter().skip(1) {
        assert!(!work.path(artefact).join(".left.csv.tindogr-4711-abcdef.tmp").exists(), "{stage}");
    }
}
