//! `manifest.csv`: one row a picture, in the order in which every later stage works.
//!
//! The splitter writes `path,class,split,sha256,width,height`, and `box` where pictures are to be seen in
//! part only ([`Crop`]); the augmenter adds `source,copy`.
//! Copies count from 1 and are train rows beside their originals. Where copies have taken their originals'
//! place, `copy` is 0 in every row of the split: so alone can a valid or test picture be an augmented one.
//! Paths are relative to the manifest's own directory, with `/` between the parts.
//! Beside it stands `rejects.csv`: `path,reason,detail`, one row for every picture that a stage was
//! given and did not pass on. Its paths are as the user named the folders: relative to where the stage was run.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::commit;
use crate::photo::Reject;
use crate::provenance::{from_hex, sha256_file, to_hex};
use crate::regular;

mod crop;

pub use crop::Crop;

/// Name of the manifest in a stage's directory.
pub const FILE_NAME: &str = "manifest.csv";
/// Name of the list of rejected pictures in a stage's directory.
pub const REJECTS_FILE_NAME: &str = "rejects.csv";

const COLUMNS: [&str; 6] = ["path", "class", "split", "sha256", "width", "height"];
const BOX_COLUMN: &str = "box";
const COPY_COLUMNS: [&str; 2] = ["source", "copy"];

/// Which columns there are beside [`COLUMNS`], in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Extra {
    boxes: bool,
    copies: bool,
}

impl Extra {
    const ALL: [Self; 4] = [
        Self { boxes: false, copies: false },
        Self { boxes: false, copies: true },
        Self { boxes: true, copies: false },
        Self { boxes: true, copies: true },
    ];

    /// The header.
    fn columns(self) -> impl Iterator<Item = &'static str> {
        let boxes = self.boxes.then_some(BOX_COLUMN);
        let copies = COPY_COLUMNS.into_iter().filter(move |_| self.copies);
        COLUMNS.into_iter().chain(boxes).chain(copies)
    }
}

/// Which part of the data a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on.
    Train,
    /// Looked at during training, to choose the best epoch.
    Valid,
    /// Looked at once, by `trainer evaluate`.
    Test,
}

impl Split {
    /// In the order train, valid, test.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// `train`, `valid` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        Split::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .with_context(|| format!("{name:?} is no split, expected train, valid or test"))
    }
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Relative to the manifest's directory.
    pub path: String,
    /// The class folder's name.
    pub class: String,
    /// The part of the data.
    pub split: Split,
    /// Digest of the file's bytes.
    pub sha256: [u8; 32],
    /// Pixels across, upright (after EXIF orientation).
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// The part of it that counts; all of it, where there is none.
    pub crop: Option<Crop>,
    /// For an augmented copy: which picture it was made from, and the how-manieth copy it is.
    pub augmented: Option<Augmented>,
}

/// What an augmented copy descends from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Augmented {
    /// `path` of the original's row in the same manifest.
    pub source: String,
    /// From 1; [`IN_PLACE`] where it stands in the place of its original, which is no row.
    pub copy: u32,
}

/// Number of a copy in the place of its original.
pub const IN_PLACE: u32 = 0;

impl Row {
    /// Whether this is an augmented copy in the place of its original.
    pub fn replaces_original(&self) -> bool {
        self.augmented.as_ref().is_some_and(|a| a.copy == IN_PLACE)
    }
}

/// A manifest that has been read and checked.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// The manifest's own path.
    pub path: PathBuf,
    /// Every picture, in file order; a row's index is its row number everywhere.
    pub rows: Vec<Row>,
    /// The distinct classes, sorted by bytes; a class's index is its label everywhere.
    pub classes: Vec<String>,
    /// Digest of the manifest's bytes.
    pub sha256: String,
}

impl Manifest {
    /// Reads `path` and checks that every row makes sense, alone and beside the others.
    ///
    /// # Errors
    /// Names the file, the line and what was expected.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot read {}", path.display());
        let sha256 = sha256_file(path)
            .with_context(|| format!("there is no manifest at {}; run the splitter first", path.display()))?;
        let mut table =
            csv::ReaderBuilder::new().flexible(false).from_reader(regular::open(path).with_context(named)?);
        let header = table.headers().with_context(named)?.clone();
        let extra = Extra::ALL.into_iter().find(|extra| header.iter().eq(extra.columns()));
        let extra = extra.with_context(|| {
            format!(
                "{}:1: expected the columns {}, where {BOX_COLUMN}, or {} together, may be missing; found {}",
                path.display(),
                Extra::ALL[3].columns().collect::<Vec<_>>().join(","),
                COPY_COLUMNS.join(","),
                header.iter().collect::<Vec<_>>().join(",")
            )
        })?;
        let mut rows = Vec::new();
        for record in table.records() {
            let record = record.with_context(named)?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push(parse_row(&record, extra).with_context(|| format!("{}:{line}", path.display()))?);
        }
        check_rows(&rows).with_context(|| format!("{}", path.display()))?;
        let classes = classes_of(&rows);
        Ok(Self { path: path.to_owned(), rows, classes, sha256 })
    }

    /// Where the picture of `row` lies.
    pub fn resolve(&self, row: &Row) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(&row.path)
    }

    /// [`Manifest::resolve`] for people, in messages and in `rejects.csv`: without the detours that lead from
    /// the manifest's directory to the picture, so as the user named the folders.
    pub fn shown(&self, row: &Row) -> String {
        let mut shown = PathBuf::new();
        for part in self.resolve(row).components() {
            match (part, shown.components().next_back()) {
                (Component::ParentDir, Some(Component::Normal(_))) => drop(shown.pop()),
                (Component::CurDir, _) => {}
                _ => shown.push(part),
            }
        }
        shown.display().to_string()
    }

    /// The label of `row`: its class's index in [`Manifest::classes`].
    ///
    /// # Panics
    /// If `row` is not of this manifest.
    pub fn label(&self, row: &Row) -> u32 {
        let index = self.classes.binary_search(&row.class).expect("the row belongs to this manifest");
        u32::try_from(index).expect("classes are counted in u32")
    }
}

/// Writes `rows` as the manifest `path`; the columns `source,copy` appear if any row is augmented or
/// `with_copies` says so.
///
/// # Errors
/// If the rows contradict each other or the file cannot be written.
pub fn write(path: &Path, rows: &[Row], with_copies: bool) -> anyhow::Result<()> {
    check_rows(rows).with_context(|| format!("refusing to write {}", path.display()))?;
    let extra = Extra { boxes: rows.iter().any(|row| row.crop.is_some()), copies: with_copies };
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(extra.columns())?;
        for row in rows {
            let digest = to_hex(&row.sha256);
            let (width, height) = (row.width.to_string(), row.height.to_string());
            let cells = [row.path.as_str(), &row.class, row.split.name(), &digest, &width, &height];
            let crop = row.crop.map(|crop| crop.to_string()).unwrap_or_default();
            let copy = row.augmented.as_ref().map(|a| a.copy.to_string()).unwrap_or_default();
            let source = row.augmented.as_ref().map_or("", |a| &a.source);
            let boxes = extra.boxes.then_some(crop.as_str());
            let copies = [source, copy.as_str()].into_iter().filter(|_| extra.copies);
            table.write_record(cells.into_iter().chain(boxes).chain(copies))?;
        }
        Ok(table.flush()?)
    })
}

fn parse_row(record: &csv::StringRecord, extra: Extra) -> anyhow::Result<Row> {
    let cell = |i: usize| record.get(i).unwrap_or_default();
    let number = |i: usize, name: &str| -> anyhow::Result<u32> {
        cell(i).parse().with_context(|| format!("{name} is {:?}, expected a whole number", cell(i)))
    };
    let crop = Some(cell(COLUMNS.len())).filter(|text| extra.boxes && !text.is_empty());
    let source = COLUMNS.len() + usize::from(extra.boxes);
    let augmented = match (cell(source), cell(source + 1)) {
        ("", "") => None,
        (path, _) => Some(Augmented { source: path.to_owned(), copy: number(source + 1, "copy")? }),
    };
    Ok(Row {
        path: cell(0).to_owned(),
        class: cell(1).to_owned(),
        split: cell(2).parse()?,
        sha256: from_hex(cell(3))?,
        width: number(4, "width")?,
        height: number(5, "height")?,
        crop: crop.map(str::parse).transpose()?,
        augmented,
    })
}

fn check_rows(rows: &[Row]) -> anyhow::Result<()> {
    let mut paths = BTreeSet::new();
    for row in rows {
        anyhow::ensure!(
            !row.path.is_empty() && !row.class.is_empty(),
            "a row has no path or no class: {row:?}"
        );
        anyhow::ensure!(
            !Path::new(&row.path).is_absolute(),
            "{:?} is absolute, expected a relative path",
            row.path
        );
        anyhow::ensure!(row.width > 0 && row.height > 0, "{:?} has no pixels", row.path);
        if let Some(crop) = row.crop {
            anyhow::ensure!(
                crop.fits(row.width, row.height),
                "{:?} has {} x {} pixels, and the box {crop}, which is not inside",
                row.path,
                row.width,
                row.height
            );
            anyhow::ensure!(row.augmented.is_none(), "{:?} is an augmented copy and has a box", row.path);
        }
        anyhow::ensure!(paths.insert(row.path.as_str()), "{:?} stands in two rows", row.path);
        anyhow::ensure!(
            row.augmented.is_none() || row.split == Split::Train || row.replaces_original(),
            "{:?} is an augmented copy in {}: only train pictures are augmented",
            row.path,
            row.split
        );
    }
    check_replaced(rows)?;
    for row in rows {
        if let Some(a) = row.augmented.as_ref().filter(|a| a.copy != IN_PLACE) {
            anyhow::ensure!(
                paths.contains(a.source.as_str()),
                "{:?} is a copy of {:?}, which is no row",
                row.path,
                a.source
            );
        }
    }
    Ok(())
}

/// Copies take the place of all originals of a split or of none, and of valid and test pictures only
/// where they did so in train: no single test picture becomes another one unnoticed.
fn check_replaced(rows: &[Row]) -> anyhow::Result<()> {
    let of = |split: Split| rows.iter().filter(move |row| row.split == split);
    let is_replaced = |split: Split| of(split).any(Row::replaces_original);
    for split in Split::ALL.into_iter().filter(|&split| is_replaced(split)) {
        if let Some(row) = of(split).find(|row| !row.replaces_original()) {
            anyhow::bail!(
                "{:?} stands beside rows of {split} with copy 0: a split's originals are all replaced or none",
                row.path
            );
        }
        anyhow::ensure!(
            is_replaced(Split::Train),
            "the rows of {split} have copy 0, those of train have not: {split} pictures are never augmented alone"
        );
    }
    Ok(())
}

fn classes_of(rows: &[Row]) -> Vec<String> {
    let distinct: BTreeSet<&str> = rows.iter().map(|r| r.class.as_str()).collect();
    distinct.into_iter().map(str::to_owned).collect()
}

/// Writes the pictures that a stage did not pass on, sorted by path.
///
/// # Errors
/// If the file cannot be written.
pub fn write_rejects(path: &Path, rejects: &[(String, Reject)]) -> anyhow::Result<()> {
    let mut sorted: Vec<_> = rejects.iter().collect();
    sorted.sort_by(|a, b| (&a.0, a.1.reason).cmp(&(&b.0, b.1.reason)));
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["path", "reason", "detail"])?;
        for (path, reject) in sorted {
            table.write_record([path.as_str(), reject.reason.name(), &reject.detail])?;
        }
        Ok(table.flush()?)
    })
}

/// A row of `rejects.csv`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RejectedPicture {
    /// As the user named its folder.
    pub path: String,
    /// One of [`crate::photo::Reason`]'s names.
    pub reason: String,
    /// For people.
    pub detail: String,
}

/// Reads what [`write_rejects`] wrote; `None` if there is no such file.
///
/// # Errors
/// If the file is there and is no list of rejected pictures.
pub fn read_rejects(path: &Path) -> anyhow::Result<Option<Vec<RejectedPicture>>> {
    let named = || format!("cannot read {}", path.display());
    let file = match regular::open(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.with_context(named)?,
    };
    let rows = csv::Reader::from_reader(file).into_deserialize().collect::<Result<_, _>>();
    rows.map(Some).with_context(named)
}

/// How many rejected pictures a stage puts up with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MaxBad {
    /// That many pictures.
    Count(usize),
    /// That share of the pictures, 0 to 1.
    Share(f64),
}

impl FromStr for MaxBad {
    type Err = anyhow::Error;

    /// Reads `1%` or `12`.
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("{text:?} is neither a count, as in 12, nor a share, as in 1%");
        if let Some(percent) = text.strip_suffix('%') {
            let percent: f64 = percent.trim().parse().with_context(expected)?;
            anyhow::ensure!((0.0..=100.0).contains(&percent), "{}", expected());
            return Ok(MaxBad::Share(percent / 100.0));
        }
        Ok(MaxBad::Count(text.parse().with_context(expected)?))
    }
}

impl fmt::Display for MaxBad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MaxBad::Count(n) => write!(f, "{n}"),
            MaxBad::Share(share) => write!(f, "{}%", 100.0 * share),
        }
    }
}

impl MaxBad {
    /// Whether `n_bad` of `n_in` pictures are few enough.
    pub fn allows(self, n_bad: usize, n_in: usize) -> bool {
        n_bad as f64
            <= match self {
                MaxBad::Count(n) => n as f64,
                MaxBad::Share(share) => share * n_in as f64,
            }
    }

    /// Checks `rejects` of `n_in` pictures. Those that nobody meant to be used do not count
    /// ([`crate::photo::Reason::is_bad`]).
    ///
    /// # Errors
    /// If there are too many; lists the first 20.
    pub fn check(self, n_in: usize, rejects: &[(String, Reject)]) -> anyhow::Result<()> {
        let bad: Vec<_> = rejects.iter().filter(|(_, reject)| reject.reason.is_bad()).collect();
        let n_in = n_in - (rejects.len() - bad.len());
        if self.allows(bad.len(), n_in) {
            return Ok(());
        }
        let mut listed: Vec<String> =
            bad.iter().take(20).map(|(path, reject)| format!("  {path}: {reject}")).collect();
        if bad.len() > listed.len() {
            listed.push(format!("  and {} more", bad.len() - listed.len()));
        }
        anyhow::bail!(
            "{} of {n_in} pictures are rejected, more than --max-bad allows:\n{}",
            bad.len(),
            listed.join("\n")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(path: &str, split: Split) -> Row {
        Row {
            path: path.into(),
            class: "c".into(),
            split,
            sha256: [7; 32],
            width: 3,
            height: 2,
            crop: None,
            augmented: None,
        }
    }

    fn write_and_read(rows: &[Row], with_copies: bool) -> anyhow::Result<Manifest> {
        let dir = tempfile::tempdir()?;
        let path = dir.path().join(FILE_NAME);
        write(&path, rows, with_copies)?;
        Manifest::read(&path)
    }

    #[test]
    fn odd_names_come_back_unchanged() {
        let names = [
            "a,b.jpg",
            "a\"b.jpg",
            "a\nb.jpg",
            "=1+1.jpg",
            "-x.jpg",
            "\u{1F436}.jpg",
            "e\u{301}.jpg",
            "\u{e9}.jpg",
        ];
        let rows: Vec<Row> = names.iter().map(|n| row(n, Split::Train)).collect();
        assert_eq!(write_and_read(&rows, false).unwrap().rows, rows);
    }

    #[test]
    fn copies_come_back_with_their_source() {
        let mut copy = row("images/a-1.jpg", Split::Train);
        copy.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
        let rows = [row("a.jpg", Split::Train), copy];
        assert_eq!(write_and_read(&rows, true).unwrap().rows, rows);
    }

    #[test]
    fn boxes_come_back_and_show_only_where_there_are_some() {
        let boxed = Row { crop: Some("0;1;3;2".parse().unwrap()), ..row("a.jpg", Split::Train) };
        let mut copy = row("images/a-1.jpg", Split::Train);
        copy.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
        let rows = [boxed.clone(), row("b.jpg", Split::Train), copy];
        assert_eq!(write_and_read(&rows[..2], false).unwrap().rows, rows[..2]);
        assert_eq!(write_and_read(&rows, true).unwrap().rows, rows);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        write(&path, &rows[1..2], false).unwrap();
        let without = std::fs::read_to_string(&path).unwrap();
        assert_eq!(
            without,
            format!("path,class,split,sha256,width,height\nb.jpg,c,train,{},3,2\n", "07".repeat(32))
        );
        assert_eq!(rows[1].seen_sha256(), rows[1].sha256);
        assert!(boxed.seen_sha256() != boxed.sha256);
        assert_eq!((boxed.size(), rows[1].size()), ((3, 1), (3, 2)));
    }

    /// A copy in the place of `name`.
    fn replaced(name: &str, split: Split) -> Row {
        let augmented = Some(Augmented { source: format!("{name}.jpg"), copy: IN_PLACE });
        Row { augmented, ..row(&format!("images/{name}.jpg"), split) }
    }

    #[test]
    fn a_split_whose_pictures_are_all_replaced_says_so_in_every_row() {
        let of_all = [replaced("a", Split::Train), replaced("t", Split::Test)];
        let manifest = write_and_read(&of_all, true).unwrap();
        assert!(manifest.rows == of_all && manifest.rows.iter().all(Row::replaces_original));
        let of_train = [replaced("a", Split::Train), row("t.jpg", Split::Test)];
        assert_eq!(write_and_read(&of_train, true).unwrap().rows, of_train);
    }

    #[test]
    fn rows_that_contradict_each_other_are_refused() {
        let mut augmented_test = row("images/a-1.jpg", Split::Test);
        augmented_test.augmented = Some(Augmented { source: "a.jpg".into(), copy: 1 });
        let mut orphan = row("images/b-1.jpg", Split::Train);
        orphan.augmented = Some(Augmented { source: "b.jpg".into(), copy: 1 });
        let a = row("a.jpg", Split::Train);
        let t = row("t.jpg", Split::Test);
        for (bad, expected) in [
            (vec![replaced("a", Split::Train), a.clone()], "all replaced or none"),
            (
                vec![replaced("a", Split::Train), replaced("s", Split::Test), t.clone()],
                "all replaced or none",
            ),
            (vec![a.clone(), replaced("t", Split::Test)], "never augmented alone"),
            (vec![a.clone(), a.clone()], "stands in two rows"),
            (vec![a.clone(), augmented_test], "only train pictures are augmented"),
            (vec![a.clone(), orphan], "which is no row"),
            (vec![row("/etc/passwd", Split::Train)], "absolute"),
            (vec![Row { crop: Some("0;0;4;2".parse().unwrap()), ..a.clone() }], "which is not inside"),
            (
                vec![Row { crop: Some("0;0;1;1".parse().unwrap()), ..replaced("a", Split::Train) }],
                "and has a box",
            ),
        ] {
            let message = format!("{:#}", write_and_read(&bad, true).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn an_error_names_the_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let good = format!("a.jpg,c,train,{},3,2\n", "ab".repeat(32));
        for (bad, expected) in [
            ("b.jpg,c,dev,00,3,2\n", "manifest.csv:3: \"dev\" is no split"),
            ("b.jpg,c,test,00,3,2\n", "manifest.csv:3: \"00\" is no sha256"),
            ("b.jpg,c,test\n", "found record with 3 fields"),
        ] {
            let text = format!("path,class,split,sha256,width,height\n{good}{bad}");
            commit::write_bytes(&path, text.as_bytes()).unwrap();
            let message = format!("{:#}", Manifest::read(&path).unwrap_err());
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_picture_is_shown_without_detours() {
        let shown = |manifest: &str, path: &str| {
            let manifest = Manifest {
                path: manifest.into(),
                rows: Vec::new(),
                classes: Vec::new(),
                sha256: String::new(),
            };
            manifest.shown(&row(path, Split::Train))
        };
        assert_eq!(shown("runs/x/split/manifest.csv", "../../../my/a/0.jpg"), "my/a/0.jpg");
        assert_eq!(shown("./runs/manifest.csv", "../raw/a/0.jpg"), "raw/a/0.jpg");
        assert_eq!(shown("manifest.csv", "../raw/a/0.jpg"), "../raw/a/0.jpg");
        assert_eq!(shown("../x/manifest.csv", "../../raw/0.jpg"), "../../raw/0.jpg");
        assert_eq!(shown("/x/manifest.csv", "a/0.jpg"), "/x/a/0.jpg");
    }

    #[test]
    fn what_nobody_meant_to_be_used_is_not_counted_as_bad() {
        use crate::photo::Reason;
        let rejects = |reasons: &[Reason]| -> Vec<(String, Reject)> {
            reasons.iter().map(|&reason| ("x".to_owned(), Reject::new(reason, "why"))).collect()
        };
        let others = rejects(&[Reason::NoPicture; 9]);
        assert!(MaxBad::Count(0).check(10, &others).is_ok());
        let half = [rejects(&[Reason::Truncated, Reason::NotListed]), others].concat();
        let message = MaxBad::Share(0.4).check(12, &half).unwrap_err().to_string();
        assert!(
            message.starts_with("1 of 2 pictures are rejected") && message.contains("truncated (why)"),
            "{message}"
        );
        assert!(MaxBad::Share(0.5).check(12, &half).is_ok());
    }

    #[test]
    fn max_bad_reads_counts_and_shares() {
        assert_eq!("1%".parse::<MaxBad>().unwrap(), MaxBad::Share(0.01));
        assert_eq!("12".parse::<MaxBad>().unwrap(), MaxBad::Count(12));
        for bad in ["-1", "101%", "x", "nan%"] {
            assert!(bad.parse::<MaxBad>().is_err(), "{bad}");
        }
    }
}
