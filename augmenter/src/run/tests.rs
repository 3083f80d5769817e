use std::collections::BTreeMap;
use std::time::SystemTime;

use clap::Parser;
use data::provenance::{from_hex, sha256_hex};
use image::{ExtendedColorType, ImageEncoder, Rgb, RgbImage};
use tempfile::TempDir;

use super::*;

mod copies;

/// A temporary directory with painted pictures, a split of them, and the stage's output.
struct Work {
    dir: TempDir,
    rows: Vec<Row>,
}

impl Work {
    /// Makes two train pictures of `few`, four of `many`, and one valid and one test picture of each.
    fn new() -> Self {
        let mut work = Self { dir: tempfile::tempdir().unwrap(), rows: Vec::new() };
        for (class, n) in [("few", 2), ("many", 4)] {
            for i in 0..n {
                work.add(class, &format!("{i}.png"), Split::Train, i);
            }
            work.add(class, "v.png", Split::Valid, 50);
            work.add(class, "t.png", Split::Test, 51);
        }
        work.write_manifest();
        work
    }

    fn add(&mut self, class: &str, name: &str, split: Split, shade: u8) {
        let picture = RgbImage::from_fn(24, 18, |x, y| Rgb([(x * 9) as u8, (y * 13) as u8, shade * 5]));
        let mut bytes = Vec::new();
        image::codecs::png::PngEncoder::new(&mut bytes)
            .write_image(&picture, 24, 18, ExtendedColorType::Rgb8)
            .unwrap();
        commit::write_bytes(&self.path(&format!("raw/{class}/{name}")), &bytes).unwrap();
        self.rows.push(Row {
            path: format!("../raw/{class}/{name}"),
            class: class.to_owned(),
            split,
            sha256: from_hex(&sha256_hex(&bytes)).unwrap(),
            width: 24,
            height: 18,
            crop: None,
            augmented: None,
        });
    }

    fn write_manifest(&self) {
        manifest::write(&self.path("split/manifest.csv"), &self.rows, false).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn augment(&self, flags: &[&str]) -> anyhow::Result<()> {
        let (manifest, out) = (self.path("split/manifest.csv"), self.path("augmented"));
        let given = [
            "augmenter",
            "--quiet",
            "--manifest",
            manifest.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        run(&Args::try_parse_from(given.iter().chain(flags))?)
    }

    fn refused(&self, flags: &[&str], expected: &str) {
        let message = format!("{:#}", self.augment(flags).expect_err(expected));
        assert!(message.contains(expected), "{message}");
    }

    fn result(&self) -> Manifest {
        Manifest::read(&self.path("augmented/manifest.csv")).unwrap()
    }

    fn copies(&self) -> Vec<Row> {
        self.result().rows.into_iter().filter(|row| row.augmented.is_some()).collect()
    }

    /// Returns every written file with its digest and modification time.
    fn tree(&self) -> BTreeMap<PathBuf, (String, SystemTime)> {
        let mut tree = BTreeMap::new();
        let mut pending = vec![self.path("augmented")];
        while let Some(dir) = pending.pop() {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    pending.push(path);
                } else if !path.file_name().unwrap().as_encoded_bytes().starts_with(b".") {
                    let modified = fs::metadata(&path).unwrap().modified().unwrap();
                    tree.insert(path.clone(), (data::provenance::sha256_file(&path).unwrap(), modified));
                }
            }
        }
        tree
    }

    fn digests(&self) -> BTreeMap<PathBuf, String> {
        let base = self.path("augmented");
        let relative = |path: PathBuf| path.strip_prefix(&base).unwrap().to_owned();
        self.tree().into_iter().map(|(path, (digest, _))| (relative(path), digest)).collect()
    }
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let mut trees = Vec::new();
    for n_threads in [1, 2, 3, 8] {
        let work = Work::new();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads).build().unwrap();
        pool.install(|| work.augment(&["--copies=3", "--horizontal-flip", "--contact-sheet"])).unwrap();
        trees.push(work.digests());
    }
    assert_eq!(trees[0].len(), 6 * 3 + 5);
    assert!(trees.iter().all(|tree| *tree == trees[0]));
}

#[test]
fn another_seed_makes_other_copies() {
    let work = Work::new();
    work.augment(&[]).unwrap();
    let before = work.digests();
    work.augment(&["--seed=7", "--force"]).unwrap();
    assert!(work.digests().keys().filter(|path| path.starts_with("images")).all(|p| !before.contains_key(p)));
}

#[test]
fn changed_and_missing_pictures_are_named_and_counted() {
    let work = Work::new();
    commit::write_bytes(&work.path("raw/many/1.png"), b"other bytes").unwrap();
    commit::remove(&work.path("raw/many/2.png")).unwrap();
    work.refused(&[], "more than --max-bad allows");
    assert!(!work.path("augmented/manifest.csv").exists());
    work.augment(&["--max-bad=2"]).unwrap();
    let rejects = fs::read_to_string(work.path("augmented/rejects.csv")).unwrap();
    let found: Vec<String> =
        rejects.lines().skip(1).map(|l| l.splitn(3, ',').take(2).collect::<Vec<_>>().join(" ")).collect();
    let expected = [("1", "changed_since_split"), ("2", "unreadable")];
    let shown = |name: &str| work.path("raw/many").join(name).display().to_string();
    assert_eq!(found, expected.map(|(name, reason)| format!("{} {reason}", shown(&format!("{name}.png")))));
    assert_eq!(work.result().rows.len(), work.rows.len() - 2 + 4);
}

#[test]
fn finished_copies_are_kept_when_a_run_is_resumed() {
    let work = Work::new();
    work.augment(&["--copies=2"]).unwrap();
    let whole = work.tree();
    let lost = work.result().resolve(&work.copies()[3]);
    commit::remove(&lost).unwrap();
    commit::remove(&work.path("augmented/manifest.csv")).unwrap();
    work.augment(&["--copies=2"]).unwrap();
    for (path, (digest, modified)) in work.tree() {
        assert_eq!(digest, whole[&path].0, "{}", path.display());
        if path.starts_with(work.path("augmented/images")) {
            assert_eq!(modified == whole[&path].1, path != lost, "{}", path.display());
        }
    }
}

#[test]
fn a_run_with_other_parameters_removes_the_old_copies() {
    let work = Work::new();
    work.augment(&["--contact-sheet"]).unwrap();
    commit::write_bytes(&work.path("augmented/images/few/notes.txt"), b"mine").unwrap();
    work.augment(&["--zoom-range=0.3"]).unwrap();
    let named: BTreeSet<PathBuf> = work.copies().iter().map(|row| PathBuf::from(&row.path)).collect();
    let on_disk: BTreeSet<PathBuf> =
        work.digests().into_keys().filter(|p| p.starts_with("images") && !p.ends_with("notes.txt")).collect();
    assert_eq!(on_disk, named);
    assert!(work.path("augmented/images/few/notes.txt").exists());
    assert!(!work.path("augmented/contact-sheet.jpg").exists(), "it would show copies that were removed");
}

#[test]
fn wrong_manifests_and_directories_are_refused() {
    let work = Work::new();
    work.augment(&[]).unwrap();
    let copied = work.path("augmented/manifest.csv");
    let out = work.path("twice");
    let given =
        ["augmenter", "--quiet", "--manifest", copied.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let message = format!("{:#}", run(&Args::try_parse_from(given).unwrap()).unwrap_err());
    assert!(message.contains("already has copies"), "{message}");

    let split = work.path("split/manifest.csv");
    let out = work.path("split");
    let given =
        ["augmenter", "--quiet", "--manifest", split.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let message = format!("{:#}", run(&Args::try_parse_from(given).unwrap()).unwrap_err());
    assert!(message.contains("would be overwritten"), "{message}");

    let mut hostile = Work::new();
    hostile.rows[0].class = "../../elsewhere".to_owned();
    hostile.write_manifest();
    hostile.refused(&[], "cannot name a folder");
    assert!(!hostile.path("augmented").exists());
}

#[cfg(unix)]
#[test]
fn copies_are_not_written_through_a_link() {
    let work = Work::new();
    fs::create_dir_all(work.path("augmented")).unwrap();
    std::os::unix::fs::symlink(work.path("raw"), work.path("augmented/images")).unwrap();
    work.refused(&[], "is a link");
}

#[test]
fn a_plan_counts_existing_copies_and_leaves_nothing_on_disk() {
    use data::forecast::Cost;
    let work = Work::new();
    let plan = |flags: &[&str]| -> Vec<Cost> {
        let (manifest, out) = (work.path("split/manifest.csv"), work.path("augmented"));
        let given =
            ["augmenter", "--plan", "--manifest", manifest.to_str().unwrap(), "--out", out.to_str().unwrap()];
        let args = Args::try_parse_from(given.iter().chain(flags)).unwrap();
        cost::forecast(&Config::new(&args).unwrap(), &args.plan).unwrap().costs
    };
    // Six train pictures.
    let fresh = plan(&["--copies", "2"]);
    assert_eq!(fresh.iter().map(|c| (c.copies, c.n_to_do)).collect::<Vec<_>>(), [(0, 0), (2, 12), (4, 24)]);
    assert!(!work.path("augmented").exists());
    assert!(fresh[1].seconds > 0.0 && fresh[2].seconds > 0.0 && fresh[0].seconds == 0.0);

    work.augment(&["--copies", "2"]).unwrap();
    let then = plan(&["--copies", "2"]);
    let on_disk: u64 = work
        .result()
        .rows
        .iter()
        .filter(|row| row.augmented.is_some())
        .map(|row| fs::metadata(work.path("augmented").join(&row.path)).unwrap().len())
        .sum();
    assert_eq!((then[1].n_done, then[1].n_to_do, then[1].bytes), (12, 0, on_disk));
    assert_eq!((then[2].n_done, then[2].n_to_do), (12, 12));
    let estimate = fresh[1].bytes as f64 / on_disk as f64;
    assert!((estimate - 1.0).abs() < 0.05, "{} bytes planned, {on_disk} made", fresh[1].bytes);

    let per_class = plan(&["--per-class", "5"]);
    let [Cost { per_class: Some(5), n_done, n_to_do, .. }] = per_class[..] else { panic!("{per_class:?}") };
    let planned: u32 = counts::copies(
        &manifest::Manifest::read(&work.path("split/manifest.csv")).unwrap().rows,
        Amount::PerClass(5),
        None,
        42,
    )
    .iter()
    .sum();
    assert_eq!(n_done + n_to_do, planned as usize);

    let replaced = plan(&["--replace-originals", "all", "--plan-copies", "1"]);
    assert_eq!(replaced.len(), 1);
    assert_eq!(replaced[0].n_done + replaced[0].n_to_do, 10);
}
