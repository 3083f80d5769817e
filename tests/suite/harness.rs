use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sha2::{Digest, Sha256};

/// The binary with all programs of the workspace.
const STAGE: &str = env!("CARGO_BIN_EXE_stage");

/// A temporary directory in which a test runs stages.
pub(crate) struct Work {
    dir: tempfile::TempDir,
}

/// The result of a command.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(below)
    }

    /// Returns a stage's command with this directory as its current one and without the caller's settings.
    pub(crate) fn command(&self, stage: &str, args: &[&str]) -> Command {
        let mut command = Command::new(STAGE);
        command.arg0(stage).args(args).current_dir(self.dir.path());
        without_settings(&mut command);
        command
    }

    pub(crate) fn run(&self, stage: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(stage, args).output().unwrap())
    }

    /// Runs a stage that must succeed, and returns its stdout.
    pub(crate) fn ok(&self, stage: &str, args: &[&str]) -> String {
        let ran = self.run(stage, args);
        assert_eq!(ran.code, Some(0), "{stage} {args:?}\n{}{}", ran.stdout, ran.stderr);
        ran.stdout
    }

    /// Runs a stage that must fail with `code` and print `expected` on stderr.
    pub(crate) fn fails(&self, code: i32, expected: &str, stage: &str, args: &[&str]) {
        let ran = self.run(stage, args);
        assert_eq!(ran.code, Some(code), "{stage} {args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains(expected), "expected {expected:?}, got\n{}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }

    /// Runs the repository's Makefile with the new programs and this directory as the run.
    pub(crate) fn make(&self, args: &[&str]) -> Ran {
        Ran::of(self.make_command(args).output().unwrap())
    }

    /// Returns the command of [`Work::make`].
    pub(crate) fn make_command(&self, args: &[&str]) -> Command {
        let bin = self.path("bin");
        if !bin.exists() {
            std::fs::create_dir(&bin).unwrap();
            for stage in [
                "sample",
                "stanford-dogs",
                "weights",
                "splitter",
                "augmenter",
                "extractor",
                "trainer",
                "matcher",
            ] {
                std::os::unix::fs::symlink(STAGE, bin.join(stage)).unwrap();
            }
        }
        let mut command = Command::new("make");
        command
            .current_dir(repository())
            .arg(format!("W={}", self.path("W").display()))
            .arg(format!("BIN={}", bin.display()))
            .args(["BUILD=:", "PER_CLASS=6", "IMAGE_SIZE=32", "EPOCHS=2", "HIDDEN=16,8"])
            .args(args);
        without_settings(&mut command);
        command
    }

    /// Runs [`Work::make`], which must succeed.
    pub(crate) fn make_ok(&self, args: &[&str]) -> Ran {
        let ran = self.make(args);
        assert_eq!(ran.code, Some(0), "make {args:?}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Runs every stage again, even if it is up to date.
    pub(crate) fn run_all_again(&self, more: &[&str]) {
        for (stage, mut args) in stages() {
            args.push("--force");
            args.extend(more);
            self.ok(stage, &args);
        }
    }

    /// Returns the sha256 of every file below `below` by its path, without hidden files.
    pub(crate) fn tree(&self, below: &str) -> BTreeMap<PathBuf, String> {
        let mut files = BTreeMap::new();
        let mut pending = vec![self.path(below)];
        while let Some(dir) = pending.pop() {
            for entry in std::fs::read_dir(&dir).unwrap() {
                let path = entry.unwrap().path();
                let hidden = path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b"."));
                if hidden {
                    continue;
                } else if path.is_dir() {
                    pending.push(path);
                } else {
                    let digest = format!("{:x?}", Sha256::digest(std::fs::read(&path).unwrap()));
                    files.insert(path.strip_prefix(self.dir.path()).unwrap().to_owned(), digest);
                }
            }
        }
        files
    }

    /// Paints, splits, augments, extracts and trains a tiny data set.
    pub(crate) fn with_model() -> Self {
        let work = Self::new();
        for (stage, args) in stages() {
            work.ok(stage, &args);
        }
        work
    }
}

/// Returns the extractor's arguments in a tiny run.
pub(crate) fn extractor_args(manifest: &str) -> [&str; 8] {
    let weights = "weights/vgg16.safetensors";
    ["--manifest", manifest, "--out", "features", "--weights", weights, "--image-size", "32"]
}

/// Returns the stages of a tiny run, in order, each with its arguments.
pub(crate) fn stages() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        ("sample", vec!["--out", "raw", "--profiles", "profiles", "--per-class", "5", "--size", "96"]),
        ("splitter", vec!["--images", "raw", "--out", "split"]),
        ("augmenter", vec!["--manifest", "split/manifest.csv", "--out", "augmented", "--output-size", "40"]),
        ("weights", vec!["--from", "seed", "--out", "weights"]),
        ("extractor", extractor_args("augmented/manifest.csv").to_vec()),
        (
            "trainer",
            vec!["fit", "--features", "features", "--out", "model", "--hidden", "16,8", "--epochs", "3"],
        ),
        (
            "trainer",
            vec![
                "evaluate",
                "--features",
                "features",
                "--model",
                "model",
                "--manifest",
                "augmented/manifest.csv",
            ],
        ),
        (
            "trainer",
            vec![
                "report",
                "--features",
                "features",
                "--model",
                "model",
                "--manifest",
                "augmented/manifest.csv",
            ],
        ),
        (
            "matcher",
            vec![
                "decide",
                "--model",
                "model",
                "--weights",
                "weights/vgg16.safetensors",
                "--profiles",
                "profiles/profiles.csv",
                "--my-dog",
                "golden_retriever",
                "--out",
                "matches",
            ],
        ),
    ]
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// Returns the root of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn without_settings(command: &mut Command) {
    command.stdin(Stdio::null());
    for name in
        ["TINDOGR_THREADS", "RAYON_NUM_THREADS", "CANDLE_NUM_THREADS", "RUST_LOG", "MAKEFLAGS", "MAKELEVEL"]
    {
        command.env_remove(OsStr::new(name));
    }
}
