//! `manifest.csv`: one row per picture, in the order that all later stages use.
//!
//! The splitter writes `path,class,split,sha256,width,height`, and `box` if pictures are cropped ([`Crop`]); the
//! augmenter adds `source,copy`.
//! Copies count from 1 and are train rows in addition to their originals. If copies replace the originals, `copy` is
//! 0 in every row of the split; only in this case may a valid or test picture be an augmented one.
//! Paths are relative to the manifest's own directory, with `/` between the parts.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

use crate::commit;
use crate::overlap;
use crate::provenance::{from_hex, sha256_file, to_hex};
use crate::regular;

mod check;
mod crop;
mod paths;
mod row;
#[cfg(test)]
mod tests;

use check::check_rows;
pub use crop::Crop;
pub use paths::relative;
pub use row::{Augmented, IN_PLACE, Row, Split};

/// Name of the manifest in a stage's directory.
pub const FILE_NAME: &str = "manifest.csv";

const COLUMNS: [&str; 6] = ["path", "class", "split", "sha256", "width", "height"];
const BOX_COLUMN: &str = "box";
const COPY_COLUMNS: [&str; 2] = ["source", "copy"];

/// The columns in addition to [`COLUMNS`], in this order.
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

    /// Returns the header.
    fn columns(self) -> impl Iterator<Item = &'static str> {
        let boxes = self.boxes.then_some(BOX_COLUMN);
        let copies = COPY_COLUMNS.into_iter().filter(move |_| self.copies);
        COLUMNS.into_iter().chain(boxes).chain(copies)
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
    /// Reads `path` and checks that every row is valid and that the rows are consistent.
    ///
    /// # Errors
    /// Names the file, the line and what was expected.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot read {}", path.display());
        let file = regular::open(path)
            .map_err(|error| regular::not_read(error, path, "there is no manifest", "the splitter"))?;
        let sha256 = sha256_file(path)?;
        let mut table = csv::ReaderBuilder::new().flexible(false).from_reader(file);
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

    /// Returns the path of the picture of `row`.
    pub fn resolve(&self, row: &Row) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(&row.path)
    }

    /// Refuses an output directory among the pictures; see [`overlap::refuse`].
    ///
    /// # Errors
    /// As for [`overlap::refuse`].
    pub fn ensure_apart(&self, out: &Path) -> anyhow::Result<()> {
        let folders: BTreeSet<&Path> =
            self.rows.iter().filter_map(|row| Path::new(&row.path).parent()).collect();
        let here = self.path.parent().unwrap_or(Path::new(""));
        overlap::refuse(out, folders.into_iter().map(|folder| here.join(folder)))
    }

    /// Returns the path from [`Manifest::resolve`] for messages and `rejects.csv`: without detours such as `a/..`, with
    /// the folders as the user wrote them.
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

    /// Returns the label of `row`: its class's index in [`Manifest::classes`].
    ///
    /// # Panics
    /// If `row` is not of this manifest.
    pub fn label(&self, row: &Row) -> u32 {
        let index = self.classes.binary_search(&row.class).expect("the row belongs to this manifest");
        u32::try_from(index).expect("classes are counted in u32")
    }
}

/// Writes `rows` as the manifest `path`, with the columns `source,copy` if any row is augmented or `with_copies` is
/// true.
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

fn classes_of(rows: &[Row]) -> Vec<String> {
    let distinct: BTreeSet<&str> = rows.iter().map(|r| r.class.as_str()).collect();
    distinct.into_iter().map(str::to_owned).collect()
}
