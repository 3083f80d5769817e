//! The program from the outside: what only a process can show.

#![expect(clippy::unwrap_used, reason = "all of this is test code")]

#[path = "../src/synthetic.rs"]
#[expect(dead_code, reason = "the tests of the library use the rest")]
mod synthetic;

use std::process::{Command, Stdio};
use std::time::Duration;

use synthetic::{Synthetic, Workspace, write_lite0_classifier};

fn workspace() -> (tempfile::TempDir, Workspace) {
    let dir = tempfile::tempdir().unwrap();
    // Large enough for the matrix products to be split between threads.
    let workspace = Synthetic { n_features: 4000, ..Synthetic::small() }.write(dir.path());
    (dir, workspace)
}

fn fit(workspace: &Workspace, flags: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer"));
    command.args(["fit", "--quiet", "--hidden", "200,50", "--checkpoint-every", "0", "--features"]);
    command.arg(workspace.0.join("features")).arg("--out").arg(workspace.model());
    command.args(flags.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[test]
fn threads_change_no_byte_of_a_pretrained_start() {
    let files: Vec<_> = ["1", "3"]
        .map(|threads| {
            let dir = tempfile::tempdir().unwrap();
            let workspace = Synthetic::of_lite0().write(dir.path());
            let classifier = dir.path().join("classifier.safetensors");
            write_lite0_classifier(&classifier, &["beagle", "not_a_dog", "papillon"], -0.003);
            let mut command = fit(&workspace, "--epochs 2 --keep last --init pretrained");
            command.arg("--classifier").arg(classifier);
            command.args(["--threads", threads]).env("RAYON_NUM_THREADS", threads);
            assert!(command.status().unwrap().success());
            workspace.model_files()
        })
        .into();
    assert!(files[0] == files[1]);
}

#[test]
fn threads_change_no_byte() {
    let files: Vec<_> = ["1", "2", "4"]
        .map(|threads| {
            let (_dir, workspace) = workspace();
            let mut command = fit(&workspace, "--epochs 2 --momentum 0.5");
            // candle splits products by the one, rayon runs the parts by the other.
            command.args(["--threads", threads]).env("RAYON_NUM_THREADS", threads);
            assert!(command.status().unwrap().success());
            workspace.model_files()
        })
        .into();
    assert!(files[0] == files[1] && files[0] == files[2]);
}

#[test]
fn a_run_killed_again_and_again_ends_with_the_same_bytes() {
    let (_dir, whole) = workspace();
    assert!(fit(&whole, "--epochs 12").status().unwrap().success());
    let (_dir, killed) = workspace();
    let mut n_kills = 0;
    loop {
        let mut child = fit(&killed, "--epochs 12").spawn().unwrap();
        // From before the first file to beyond the end, whatever the machine.
        std::thread::sleep(Duration::from_secs_f64(0.004 * 1.2f64.powi(n_kills)));
        child.kill().unwrap();
        if child.wait().unwrap().success() {
            break;
        }
        n_kills += 1;
        assert!(n_kills < 60, "it never ends");
    }
    assert!(n_kills > 0);
    assert!(whole.model_files() == killed.model_files(), "after {n_kills} kills");
}

#[test]
fn exit_codes() {
    let (_dir, workspace) = workspace();
    let code = |flags: &str| fit(&workspace, flags).output().unwrap().status.code();
    assert_eq!(code("--epochs 0"), Some(2));
    assert_eq!(code("--epochs 1 --hidden x"), Some(2));
    assert_eq!(code("--epochs 1 --learning-rate 1e30"), Some(1));
    let held = data::commit::lock(&workspace.model(), "trainer").unwrap();
    assert_eq!(code("--epochs 1"), Some(75));
    drop(held);
    assert_eq!(code("--epochs 1"), Some(0));
}
