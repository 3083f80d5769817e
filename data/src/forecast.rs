//! What a stage will cost, said before it starts: `--plan`.
//!
//! A forecast is a count of pictures times what some of them were measured to take, here and now. The
//! pictures are those of the manifest; where there is none yet, those of a folder, and where there is no
//! folder either, a number, measured on painted ones. Nothing is written.

use std::fmt;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;

use crate::manifest::{IN_PLACE, Manifest, Row, Split};
use crate::stage::{check_interrupted, usage};
use crate::{photo, sample};

/// Pictures to measure on, at most.
const N_EXAMPLES: usize = 64;
/// Painted ones where there are none yet: of the size that most of Stanford Dogs have.
const N_PAINTED: usize = 8;
const PAINTED_SIZE: (u32, u32) = (500, 375);
/// A measurement lasts that long, and so many rounds, at least.
const SECONDS: f64 = 1.0;
const ROUNDS: usize = 4;

/// The flags of a forecast.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Plan")]
pub struct PlanArgs {
    /// Say what the run would take, in time and on disk, from a measured second, and do nothing
    #[arg(long)]
    pub plan: bool,
    /// With --plan, where there is no manifest yet: the folder of class folders, to count its pictures
    #[arg(long, value_name = "DIR", requires = "plan")]
    pub plan_images: Option<PathBuf>,
    /// With --plan, where there are no pictures yet either: how many there will be, or how many in train,
    /// valid and test
    #[arg(long, value_name = "N|N,N,N", value_delimiter = ',', requires = "plan")]
    pub plan_pictures: Vec<usize>,
    /// With --plan and no manifest yet: the splitter's --ratio
    #[arg(
        long,
        value_name = "TRAIN,VALID,TEST",
        value_delimiter = ',',
        default_value = "0.7,0.15,0.15",
        requires = "plan"
    )]
    pub plan_ratio: Vec<f64>,
    /// With --plan: the numbers of copies of a train picture to plan for
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "0,4", requires = "plan")]
    pub plan_copies: Vec<u32>,
}

impl PlanArgs {
    /// The numbers of copies to plan for and `asked`, each once, ascending.
    pub fn copies_and(&self, asked: Option<u32>) -> Vec<u32> {
        let mut copies: Vec<u32> = self.plan_copies.iter().copied().chain(asked).collect();
        copies.sort_unstable();
        copies.dedup();
        copies
    }
}

/// The pictures that a forecast is about.
#[derive(Debug)]
pub struct Pictures {
    /// In train, valid and test, without copies that stand beside their originals.
    pub n: [usize; 3],
    /// Where that is known from.
    pub counted: String,
    /// Bytes of some of them, or of painted ones.
    pub examples: Vec<Vec<u8>>,
    /// What the examples are.
    pub measured_on: String,
    /// The manifest, if there is one.
    pub manifest: Option<Manifest>,
    /// Train pictures of each class; `None` where only numbers are known.
    pub train_of_class: Option<Vec<usize>>,
}

impl Pictures {
    /// Those of the manifest, else of `--plan-images`, else as many as `--plan-pictures` says.
    ///
    /// # Errors
    /// If there is none of the three, or it cannot be read.
    pub fn find(manifest: &Path, args: &PlanArgs) -> anyhow::Result<Self> {
        if manifest.exists() {
            return Self::of_manifest(Manifest::read(manifest)?);
        }
        let files = match &args.plan_images {
            Some(dir) if dir.is_dir() || args.plan_pictures.is_empty() => Some((dir, pictures_below(dir)?)),
            _ => None,
        };
        // Where there are none yet, a number will do.
        if let Some((dir, files)) =
            files.filter(|(_, files)| !files.is_empty() || args.plan_pictures.is_empty())
        {
            anyhow::ensure!(!files.is_empty(), "there are no pictures below {}", dir.display());
            let examples = read_examples(&files)?;
            let classes = files.chunk_by(|a, b| a.parent() == b.parent());
            let train = classes.map(|class| Ok(divided(class.len(), args)?[0]));
            let measured_on = format!("{} of them", examples.len());
            let counted = format!("the files below {}", dir.display());
            return Ok(Self {
                n: divided(files.len(), args)?,
                counted,
                examples,
                measured_on,
                manifest: None,
                train_of_class: Some(train.collect::<anyhow::Result<_>>()?),
            });
        }
        let n = match args.plan_pictures[..] {
            [] => anyhow::bail!(
                "there is no manifest at {}, and nothing else to count; run the splitter first, or give \
                 --plan-images or --plan-pictures",
                manifest.display()
            ),
            [n] => divided(n, args)?,
            [train, valid, test] => [train, valid, test],
            _ => return Err(usage("--plan-pictures takes one number, or those of train, valid and test")),
        };
        let (width, height) = PAINTED_SIZE;
        let examples: anyhow::Result<_> = (0..N_PAINTED).map(|i| sample::example(i, width, height)).collect();
        let measured_on = format!("painted pictures of {width}x{height}");
        Ok(Self {
            n,
            counted: "--plan-pictures".to_owned(),
            examples: examples?,
            measured_on,
            manifest: None,
            train_of_class: None,
        })
    }

    fn of_manifest(manifest: Manifest) -> anyhow::Result<Self> {
        let mut n = [0; 3];
        for row in &manifest.rows {
            let beside = row.augmented.as_ref().is_some_and(|a| a.copy != IN_PLACE);
            n[row.split as usize] += usize::from(!beside);
        }
        let files: Vec<PathBuf> = manifest.rows.iter().map(|row| manifest.resolve(row)).collect();
        let examples = read_examples(&files)?;
        let (counted, measured_on) =
            (manifest.path.display().to_string(), format!("{} of them", examples.len()));
        let is_train = |row: &&Row| row.split == Split::Train && row.augmented.is_none();
        let of_class =
            |class: &String| manifest.rows.iter().filter(is_train).filter(|row| row.class == *class).count();
        let train_of_class = Some(manifest.classes.iter().map(of_class).collect());
        Ok(Self { n, counted, examples, measured_on, manifest: Some(manifest), train_of_class })
    }

    /// Pictures in each split once every train picture has so many copies beside it.
    pub fn with_copies(&self, copies: u32) -> [usize; 3] {
        let [train, valid, test] = self.n;
        [train * (1 + copies as usize), valid, test]
    }
}

/// `n` pictures by `--plan-ratio`.
fn divided(n: usize, args: &PlanArgs) -> anyhow::Result<[usize; 3]> {
    let [_, valid, test] = args.plan_ratio[..] else {
        return Err(usage("--plan-ratio takes three shares, as in 0.7,0.15,0.15"));
    };
    if !(0.0..=1.0).contains(&(valid + test)) {
        return Err(usage("--plan-ratio takes shares that sum to 1"));
    }
    let part = |share: f64| (n as f64 * share).round() as usize;
    Ok([n - part(valid) - part(test), part(valid), part(test)])
}

/// The files in the folders below `dir` that are pictures by their names or by their first bytes, sorted; as in
/// the splitter, links are not followed.
fn pictures_below(dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let listed = |dir: &Path| -> anyhow::Result<Vec<(PathBuf, FileType)>> {
        let entries = fs::read_dir(dir).with_context(|| format!("cannot list {}", dir.display()))?;
        let entries: std::io::Result<Vec<_>> = entries
            .filter(|entry| entry.as_ref().map_or(true, |entry| !photo::is_hidden(&entry.file_name())))
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.file_type()?))))
            .collect();
        entries.with_context(|| format!("cannot list {}", dir.display()))
    };
    let is_picture =
        |path: &Path| path.file_name().is_some_and(photo::has_picture_name) || photo::begins_as_picture(path);
    let mut files = Vec::new();
    for (class, _) in listed(dir)?.into_iter().filter(|(_, kind)| kind.is_dir()) {
        let pictures = listed(&class)?.into_iter().filter(|(path, kind)| kind.is_file() && is_picture(path));
        files.extend(pictures.map(|(path, _)| path));
    }
    files.sort();
    Ok(files)
}

/// Pictures evenly spread over `files`; those that cannot be used are passed over.
fn read_examples(files: &[PathBuf]) -> anyhow::Result<Vec<Vec<u8>>> {
    let limits = &photo::Limits::STANDARD;
    let step = files.len().div_ceil(N_EXAMPLES).max(1);
    let usable = |path: &PathBuf| {
        let bytes = photo::read(path, limits).ok()?;
        photo::decode(&bytes, limits).ok()?;
        Some(bytes)
    };
    let examples: Vec<Vec<u8>> = files.iter().step_by(step).filter_map(usable).collect();
    anyhow::ensure!(!examples.is_empty(), "none of {} pictures could be read", files.len().div_ceil(step));
    Ok(examples)
}

/// How many a second `round` does, which does some and says how many: after one round to warm up, for about a
/// second.
///
/// # Errors
/// Those of `round`, and an interruption.
pub fn measure(mut round: impl FnMut() -> anyhow::Result<usize>) -> anyhow::Result<f64> {
    round()?;
    let start = Instant::now();
    let (mut n, mut rounds) = (0, 0);
    loop {
        check_interrupted()?;
        n += round()?;
        rounds += 1;
        let seconds = start.elapsed().as_secs_f64();
        if seconds >= SECONDS && rounds >= ROUNDS {
            return Ok(n as f64 / seconds);
        }
    }
}

/// Bytes a second that the disk of `dir` makes durable, measured on a file of `n_bytes` without a name.
///
/// # Errors
/// If the disk cannot be written.
pub fn measure_disk(dir: &Path, n_bytes: usize) -> anyhow::Result<f64> {
    // Not zeros, which some disks do not store.
    let bytes: Vec<u8> = (0..n_bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let start = Instant::now();
    crate::commit::rehearse(existing(dir), &bytes)?;
    Ok(n_bytes as f64 / start.elapsed().as_secs_f64().max(1e-6))
}

/// Bytes that the disk of `dir` has left; `dir` itself need not be there yet.
///
/// # Errors
/// If the disk cannot be asked.
pub fn free_space(dir: &Path) -> anyhow::Result<u64> {
    let there = existing(dir);
    let disk = rustix::fs::statvfs(there)
        .with_context(|| format!("cannot ask how much space {} has left", there.display()))?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Refuses to begin `what`, of `n_bytes`, for which the disk of `dir` has no room.
///
/// # Errors
/// With both sizes; or if the disk cannot be asked.
pub fn ensure_space(dir: &Path, n_bytes: u64, what: &str) -> anyhow::Result<()> {
    let free = free_space(dir)?;
    anyhow::ensure!(
        free >= n_bytes,
        "the disk of {} has {} free, {what} needs {}; make room there or choose another folder",
        dir.display(),
        size(free),
        size(n_bytes)
    );
    Ok(())
}

/// The nearest directory above `dir`, or itself, that is there.
pub fn existing(dir: &Path) -> &Path {
    let named = dir.ancestors().filter(|dir| !dir.as_os_str().is_empty());
    named.into_iter().find(|dir| dir.is_dir()).unwrap_or(Path::new("."))
}

/// The most memory that this process has had so far, in bytes; `None` where the system does not tell.
pub fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| 1024 * kilobytes)
}

/// What a stage will cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// The stage.
    pub stage: String,
    /// What comes out of it: `features`, `copies`.
    pub makes: String,
    /// Pictures in each split, without copies.
    pub pictures: Vec<(Split, usize)>,
    /// Where their number is known from.
    pub counted: String,
    /// What was measured on.
    pub measured_on: String,
    /// Worker threads.
    pub threads: usize,
    /// Anything else to know, one sentence each.
    pub notes: Vec<String>,
    /// By copies, ascending.
    pub costs: Vec<Cost>,
    /// Bytes of memory at most; `None` where the system does not tell.
    pub peak_memory: Option<u64>,
    /// Bytes that the disk has left.
    pub free: u64,
    /// Where the stage will write.
    pub out: String,
}

/// What so many copies cost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cost {
    /// Of each train picture; with `per_class` on average, rounded up.
    pub copies: u32,
    /// To how many train pictures every class is filled up, where that is what is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_class: Option<u32>,
    /// Features or copies that are there already.
    pub n_done: usize,
    /// Those that are not.
    pub n_to_do: usize,
    /// Of `makes`, with nothing else to wait for; `None` where there is nothing to do.
    pub per_second: Option<f64>,
    /// Until the end.
    pub seconds: f64,
    /// On disk in the end.
    pub bytes: u64,
    /// Of these, what is yet to be written.
    pub bytes_to_write: u64,
}

impl Cost {
    /// Whether it fits into `free` bytes.
    pub fn fits(&self, free: u64) -> bool {
        self.bytes_to_write <= free
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pictures: Vec<String> = self.pictures.iter().map(|(split, n)| format!("{n} {split}")).collect();
        writeln!(f, "{}: {} pictures by {}", self.stage, pictures.join(", "), self.counted)?;
        writeln!(f, "measured on {}, {} threads", self.measured_on, self.threads)?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        writeln!(
            f,
            "{:>6} {:>10} {:>10} {:>10} {:>12} {:>10}",
            "copies", "to make", "there", "a second", "time", "disk"
        )?;
        for cost in &self.costs {
            writeln!(
                f,
                "{:>6} {:>10} {:>10} {:>10} {:>12} {:>10}{}",
                cost.per_class.map_or(cost.copies.to_string(), |n| format!("to {n}")),
                cost.n_to_do,
                cost.n_done,
                cost.per_second.map_or("-".to_owned(), |rate| format!("{rate:.1}")),
                duration(cost.seconds),
                size(cost.bytes),
                if cost.fits(self.free) { "" } else { "  does not fit" }
            )?;
        }
        if let Some(peak) = self.peak_memory {
            write!(f, "memory {}, ", size(peak))?;
        }
        write!(f, "{} of disk left for {}", size(self.free), self.out)?;
        if self.costs.iter().any(|cost| !cost.fits(self.free)) {
            write!(f, "\nwarning: there is too little space for what does not fit")?;
        }
        Ok(())
    }
}

/// A time for people, as in `3 h 20 min`.
pub fn duration(seconds: f64) -> String {
    let whole = seconds.ceil() as u64;
    match whole {
        0..120 => format!("{whole} s"),
        120..7200 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// A number of bytes for people, as in `2.07 GB`.
pub fn size(n_bytes: u64) -> String {
    let n = n_bytes as f64;
    if n < 1e9 { format!("{:.1} MB", n / 1e6) } else { format!("{:.2} GB", n / 1e9) }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::manifest::{self, Augmented};

    #[derive(Debug, clap::Parser)]
    struct Args {
        #[command(flatten)]
        plan: PlanArgs,
    }

    fn args(flags: &[&str]) -> PlanArgs {
        Args::try_parse_from(["x", "--plan"].iter().chain(flags)).unwrap().plan
    }

    #[test]
    fn pictures_are_counted_by_the_manifest_else_by_the_folder_else_by_the_flag() {
        let dir = tempfile::tempdir().unwrap();
        let manifest = dir.path().join("manifest.csv");
        let raw = dir.path().join("raw");
        let none = Pictures::find(&manifest, &args(&[])).unwrap_err().to_string();
        assert!(none.contains("run the splitter first"), "{none}");

        let stanford = Pictures::find(&manifest, &args(&["--plan-pictures", "12000,0,8580"])).unwrap();
        assert_eq!((stanford.n, stanford.with_copies(4)), ([12000, 0, 8580], [60000, 0, 8580]));
        let painted = photo::decode(&stanford.examples[0], &photo::Limits::STANDARD).unwrap();
        assert_eq!(painted.rgb.dimensions(), PAINTED_SIZE);
        let total = Pictures::find(&manifest, &args(&["--plan-pictures", "20"])).unwrap();
        assert_eq!(total.n, [14, 3, 3]);

        let picture = sample::example(0, 40, 30).unwrap();
        for i in 0..10 {
            let extension = ["JPG", "jfif", "", "JPG~"][i % 4]; // the content decides
            crate::commit::write_bytes(
                &raw.join("c").join(i.to_string()).with_extension(extension),
                &picture,
            )
            .unwrap();
        }
        #[cfg(unix)]
        assert!(std::process::Command::new("mkfifo").arg(raw.join("c/pipe.jpg")).status().unwrap().success());
        crate::commit::write_bytes(&raw.join("c/notes.txt"), b"no picture").unwrap();
        crate::commit::write_bytes(&raw.join("c/.hidden.jpg"), b"no picture").unwrap();
        let flags = ["--plan-images", raw.to_str().unwrap(), "--plan-ratio", "0.5,0,0.5"];
        let of_folder = Pictures::find(&manifest, &args(&flags)).unwrap();
        assert_eq!((of_folder.n, of_folder.examples.len()), ([5, 0, 5], 10));

        let row = |i: u32, split, augmented| Row {
            path: format!("raw/c/{i}.JPG"),
            class: "c".into(),
            split,
            sha256: [0; 32],
            width: 40,
            height: 30,
            crop: None,
            augmented,
        };
        let copy = Augmented { source: "raw/c/0.JPG".into(), copy: 1 };
        let rows = [row(0, Split::Train, None), row(1, Split::Train, Some(copy)), row(2, Split::Test, None)];
        manifest::write(&manifest, &rows, true).unwrap();
        assert_eq!(Pictures::find(&manifest, &args(&flags)).unwrap().n, [1, 0, 1]);
    }

    #[test]
    fn a_measurement_lasts_and_counts_what_was_done() {
        let mut n_rounds = 0;
        let start = Instant::now();
        let rate = measure(|| {
            n_rounds += 1;
            std::thread::sleep(std::time::Duration::from_millis(50));
            Ok(10)
        });
        assert!(start.elapsed().as_secs_f64() >= SECONDS && n_rounds > ROUNDS);
        let rate = rate.unwrap();
        assert!(rate > 0.0 && rate <= 200.0, "{rate}");
    }

    #[test]
    fn times_sizes_and_free_space_are_for_people() {
        assert_eq!([duration(0.2), duration(119.0), duration(150.0)], ["1 s", "119 s", "2 min 30 s"]);
        assert_eq!(
            (duration(12_000.0), size(2_065_243_200), size(1_500_000)),
            ("3 h 20 min".into(), "2.07 GB".into(), "1.5 MB".into())
        );
        let nowhere = Path::new("/nowhere/at/all");
        assert!(free_space(nowhere).unwrap() > 0);
        ensure_space(nowhere, 1, "a byte").unwrap();
        let refused = ensure_space(nowhere, 1 << 62, "too much").unwrap_err().to_string();
        assert!(refused.contains("too much needs 4611686018.43 GB"), "{refused}");
    }
}
