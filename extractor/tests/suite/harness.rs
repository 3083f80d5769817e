//! A work directory with a manifest of painted pictures, and the stage run over it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use clap::Parser;
use data::commit;
use data::features::{Features, SplitFeatures};
use data::manifest::{self, Row, Split};
use data::provenance::{from_hex, sha256_hex};
use data::weights::Weights;
use extractor::Args;
use extractor::backbone::vgg16::BACKBONE;
use image::{ImageFormat, Rgb, RgbImage};
use tempfile::TempDir;

/// The seeded weights, written once for all tests.
pub(crate) fn seeded_weights() -> &'static Path {
    static FILE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = FILE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vgg16.safetensors");
        Weights::seeded(BACKBONE, 42).write(&path).unwrap();
        (dir, path)
    });
    path
}

/// Writes the seeded weights after `change(name, values)` of every tensor.
pub(crate) fn write_changed_weights(path: &Path, change: impl Fn(&str, &mut [f32])) {
    let Weights { info, mut tensors } = Weights::seeded(BACKBONE, 42);
    tensors.iter_mut().for_each(|tensor| change(tensor.name, &mut tensor.values));
    Weights::of_features(BACKBONE, info.origin, tensors).write(path).unwrap();
}

/// A picture that no other `number` has, wider than high.
pub(crate) fn picture(number: u32) -> RgbImage {
    RgbImage::from_fn(50, 40, |x, y| {
        let level = |k: u32| (number * 53 + x * k + y * (7 - k)) as u8;
        Rgb([level(1), level(3), level(6)])
    })
}

/// A work directory; removed with its content in the end.
pub(crate) struct Work {
    dir: TempDir,
    pub(crate) rows: Vec<Row>,
}

impl Work {
    /// `n` pictures of two classes, all of them for training.
    pub(crate) fn new(n: u32) -> Self {
        let mut work = Self { dir: tempfile::tempdir().unwrap(), rows: Vec::new() };
        for number in 0..n {
            let row = work.add_picture(number, Split::Train);
            work.rows.push(row);
        }
        work.write_manifest();
        work
    }

    /// Makes the file; the row is the caller's to place.
    pub(crate) fn add_picture(&self, number: u32, split: Split) -> Row {
        let mut png = Cursor::new(Vec::new());
        picture(number).write_to(&mut png, ImageFormat::Png).unwrap();
        let path = format!("images/{number}.png");
        commit::write_bytes(&self.path(&path), png.get_ref()).unwrap();
        Row {
            path,
            class: if number.is_multiple_of(2) { "a" } else { "b" }.to_owned(),
            split,
            sha256: from_hex(&sha256_hex(png.get_ref())).unwrap(),
            width: 50,
            height: 40,
            crop: None,
            augmented: None,
        }
    }

    pub(crate) fn write_manifest(&self) {
        manifest::write(&self.path(manifest::FILE_NAME), &self.rows, false).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn remove_pictures(&self, rows: &[Row]) {
        for row in rows {
            fs::remove_file(self.path(&row.path)).unwrap();
        }
    }

    /// The flags of a run into the directory `out`, at 32 pixels, with the seeded weights as a file.
    pub(crate) fn args(&self, out: &str, more: &[&str]) -> Args {
        let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
        let mut flags = vec!["extractor".to_owned(), "--quiet".to_owned()];
        let mut flag = |name: &str, value: String| flags.extend([name.to_owned(), value]);
        flag("--manifest", text(self.path(manifest::FILE_NAME)));
        flag("--out", text(self.path(out)));
        if !more.contains(&"--weights") {
            flag("--weights", text(seeded_weights().to_owned()));
        }
        if !more.contains(&"--image-size") {
            flag("--image-size", "32".to_owned());
        }
        flags.extend(more.iter().map(|&m| m.to_owned()));
        Args::try_parse_from(flags).unwrap()
    }

    pub(crate) fn extract(&self, out: &str, more: &[&str]) -> anyhow::Result<()> {
        extractor::run(&self.args(out, more))
    }

    /// The message of a run that has to fail.
    pub(crate) fn refusal(&self, out: &str, more: &[&str]) -> String {
        format!("{:#}", self.extract(out, more).unwrap_err())
    }

    /// What the trainer would read.
    pub(crate) fn train(&self, out: &str) -> SplitFeatures {
        Features::open(&self.path(out)).unwrap().open_split(Split::Train).unwrap()
    }

    /// Every visible file of the directory `out` with its bytes.
    pub(crate) fn files(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        let Ok(entries) = fs::read_dir(self.path(out)) else { return BTreeMap::new() };
        // The record tells of the pictures, too, which the tests take away.
        let is_record = |name: &str| name.starts_with('.') || name == "provenance.json";
        entries
            .map(|entry| entry.unwrap())
            .filter(|entry| !is_record(&entry.file_name().to_string_lossy()))
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .collect()
    }
}
