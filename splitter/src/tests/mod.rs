//! Tests of the whole stage, each on folders that it makes.

mod boxes;
mod classes;
mod duplicates;
mod lists;
mod names;
mod rerun;
mod shares;
mod told;
mod trees;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use clap::Parser;
use data::manifest::{Manifest, Split};

use crate::args::Args;

/// A work folder with `raw`, for the pictures, and `split`, for the result.
struct Work(tempfile::TempDir);

impl Work {
    /// Makes the given number of different pictures in each class: `<class>/0.png` and so on.
    fn with(classes: &[(&str, u32)]) -> Self {
        log_by_thread();
        let work = Self(tempfile::tempdir().unwrap());
        fs::create_dir(work.raw("")).unwrap();
        for (class_idx, &(class, n)) in classes.iter().enumerate() {
            fs::create_dir_all(work.raw(class)).unwrap();
            for i in 0..n {
                work.file(format!("{class}/{i}.png"), &png(1000 * class_idx as u32 + i));
            }
        }
        work
    }

    fn raw(&self, below: impl AsRef<Path>) -> PathBuf {
        self.0.path().join("raw").join(below)
    }

    fn out(&self, below: &str) -> PathBuf {
        self.0.path().join("split").join(below)
    }

    /// Writes a file below `raw`.
    #[expect(clippy::disallowed_methods, reason = "a test's input, not a stage's output")]
    fn file(&self, below: impl AsRef<Path>, bytes: &[u8]) {
        let path = self.raw(below);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn args(&self, flags: &[&str]) -> Args {
        let (raw, out) = (self.0.path().join("raw"), self.0.path().join("split"));
        let fixed = [
            "splitter",
            "--quiet",
            "--allow-one-class",
            "--images",
            raw.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        Args::try_parse_from(fixed.iter().chain(flags)).unwrap()
    }

    fn run(&self, flags: &[&str]) -> anyhow::Result<()> {
        crate::run(&self.args(flags))
    }

    /// Returns the error message of a run that must fail.
    fn error(&self, flags: &[&str]) -> String {
        format!("{:#}", self.run(flags).expect_err("the run was to fail"))
    }

    /// Returns the log of a run.
    fn log(&self, flags: &[&str]) -> String {
        LOG.take();
        self.run(flags).unwrap();
        String::from_utf8(LOG.take()).unwrap()
    }

    fn manifest(&self) -> Manifest {
        Manifest::read(&self.out("manifest.csv")).unwrap()
    }

    /// Returns a map from `class/name` to split.
    fn splits(&self) -> BTreeMap<String, Split> {
        let rows = self.manifest().rows;
        rows.into_iter()
            .map(|row| (row.path.strip_prefix("../raw/").unwrap().to_owned(), row.split))
            .collect()
    }

    /// Returns the numbers of a class's pictures in train, valid and test.
    fn counts(&self, class: &str) -> [usize; 3] {
        let mut counts = [0; 3];
        self.manifest().rows.iter().filter(|r| r.class == class).for_each(|r| counts[r.split as usize] += 1);
        counts
    }

    /// Returns the lines of rejects.csv after its header, without the details, and with `../raw` for the folder.
    fn rejects(&self) -> Vec<String> {
        let text = fs::read_to_string(self.out("rejects.csv")).unwrap();
        let raw = self.raw("").display().to_string();
        let text = text.replace(&raw, "../raw/");
        let line = |line: &str| line.splitn(3, ',').take(2).collect::<Vec<_>>().join(",");
        text.lines().skip(1).map(line).collect()
    }

    /// Returns every file below `split` with its content, without hidden files and folders.
    fn outputs(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        let mut folders = vec![self.out("")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false if path.file_name().unwrap().as_encoded_bytes().starts_with(b".") => {}
                    false => drop(files.insert(path.clone(), fs::read(path).unwrap())),
                }
            }
        }
        files
    }
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Sends log lines to a buffer of the thread that logs them: every test has its own thread.
fn log_by_thread() {
    // One subscriber for all tests: with one per test, tests without logs would switch off the logs of others.
    let _ = tracing_subscriber::fmt().with_ansi(false).with_writer(|| LogWriter).try_init();
}

struct LogWriter;

impl std::io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|log| log.extend_from_slice(bytes));
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Makes a picture of 3 x 2 pixels that differs for each `n`.
fn png(n: u32) -> Vec<u8> {
    let [a, b, c, _] = n.to_le_bytes();
    let mut bytes = Cursor::new(Vec::new());
    image::RgbImage::from_pixel(3, 2, image::Rgb([a, b, c]))
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
