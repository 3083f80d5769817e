//! `profiles.csv`: one row per person, `id,name,age,gender,latitude,longitude,photos`.
//!
//! The columns may have any order, and there may be others. All cells except `id` may be empty; `photos` are paths
//! relative to the file, with `;` between them. The file may come from any source, so it is streamed and every
//! length has a limit. An invalid row is rejected with its line number, and reading continues.

use std::cell::Cell;
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::Context;
use csv::ByteRecord;

use crate::regular;

mod location;
#[cfg(test)]
mod tests;

pub use location::Location;

/// Name of the table in a folder of profiles.
pub const FILE_NAME: &str = "profiles.csv";

const COLUMNS: [&str; 7] = ["id", "name", "age", "gender", "latitude", "longitude", "photos"];
/// Maximum bytes of a cell; a row with a longer one is rejected.
const MAX_CELL_BYTES: usize = 64 << 10;
/// Maximum bytes of a row; a longer one is an error, because a quote is probably not closed.
const MAX_ROW_BYTES: usize = 16 << 20;
/// Maximum number of photos of a profile.
const MAX_PHOTOS: usize = 100;
/// Maximum age, years.
const MAX_AGE: u32 = 150;

/// One person.
#[derive(Debug, Clone, PartialEq)]
pub struct Profile {
    /// Identifier; not empty and unique.
    pub id: String,
    /// Name; may be empty.
    pub name: String,
    /// Age, years.
    pub age: Option<u32>,
    /// Gender, as the person wrote it.
    pub gender: Option<String>,
    /// Location of the person.
    pub location: Option<Location>,
    /// Paths as in the file, not checked.
    pub photos: Vec<String>,
}

/// A row that is not a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Number of its first line, from 1.
    pub line: u64,
    /// Reason for the rejection.
    pub detail: String,
}

/// Returns `profiles` as the content of a `profiles.csv`. Degrees have four decimals, about 11 m, so that the file
/// does not have exact addresses.
///
/// # Errors
/// Never in practice: it is written into memory.
pub fn to_csv(profiles: &[Profile]) -> anyhow::Result<Vec<u8>> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for profile in profiles {
        let age = profile.age.map(|age| age.to_string()).unwrap_or_default();
        let degrees = |of: fn(Location) -> f64| profile.location.map(|l| format!("{:.4}", of(l)));
        let latitude = degrees(Location::latitude).unwrap_or_default();
        let longitude = degrees(Location::longitude).unwrap_or_default();
        let gender = profile.gender.as_deref().unwrap_or_default();
        let photos = profile.photos.join(";");
        table.write_record([
            profile.id.as_str(),
            &profile.name,
            &age,
            gender,
            &latitude,
            &longitude,
            &photos,
        ])?;
    }
    table.into_inner().context("cannot write the profiles")
}

/// A profiles file that is being read, row by row.
#[derive(Debug)]
pub struct Profiles {
    path: PathBuf,
    table: csv::Reader<CountingFile>,
    counts: Rc<ReadCounts>,
    record: ByteRecord,
    /// Index of each of [`COLUMNS`] in the file.
    positions: [usize; COLUMNS.len()],
    n_columns: usize,
    ids: HashSet<Box<str>>,
}

impl Profiles {
    /// Opens `path` and reads its header.
    ///
    /// # Errors
    /// If the file does not exist or is not a regular file, or a column is missing or there twice.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = regular::open(path).with_context(|| match path.symlink_metadata().is_ok() {
            true => format!("cannot read {}", path.display()),
            false => format!("there are no profiles at {}", path.display()),
        })?;
        let counts = Rc::new(ReadCounts::default());
        let table = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            // The terminator is \n, and a \r is removed below: with its own support of \r\n the reader would leave the
            // \n to the next row and count lines wrongly.
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(CountingFile { file, counts: Rc::clone(&counts) });
        let record = ByteRecord::new();
        let (path, ids) = (path.to_owned(), HashSet::new());
        let mut profiles =
            Self { path, table, counts, record, positions: [0; COLUMNS.len()], n_columns: 0, ids };
        profiles.read_header()?;
        Ok(profiles)
    }

    /// Counts the rows of `path`, with the rejected ones.
    ///
    /// # Errors
    /// As for [`Profiles::open`] and [`Profiles::next_row`].
    pub fn count(path: &Path) -> anyhow::Result<u64> {
        let mut profiles = Self::open(path)?;
        let mut n = 0;
        while profiles.read_record()?.is_some() {
            n += 1;
        }
        Ok(n)
    }

    /// Reads the next row, a profile or a rejected row; `None` at the end.
    ///
    /// # Errors
    /// If the file cannot be read further.
    pub fn next_row(&mut self) -> anyhow::Result<Option<Result<Profile, RejectedRow>>> {
        let Some(line) = self.read_record()? else { return Ok(None) };
        let profile = self.check_quotes().and_then(|()| self.parse()).and_then(|profile| {
            if self.ids.insert(profile.id.as_str().into()) {
                return Ok(profile);
            }
            Err(format!("id {:?} is already used by an earlier row", profile.id))
        });
        Ok(Some(profile.map_err(|detail| RejectedRow { line, detail })))
    }

    fn read_header(&mut self) -> anyhow::Result<()> {
        let path = self.path.display().to_string();
        let expected = || format!("expected a header with the columns {}", COLUMNS.join(","));
        let line = self.read_record()?;
        anyhow::ensure!(line.is_some(), "{path} is empty, {}", expected());
        let names: Vec<_> =
            self.record.iter().map(|c| String::from_utf8_lossy(c).trim().to_ascii_lowercase()).collect();
        let found = String::from_utf8_lossy(self.record.as_slice());
        let cause = match &names[..] {
            _ if self.record.as_slice().starts_with(b"\xff\xfe") || self.record.as_slice().contains(&0) => {
                "; it is UTF-16, expected UTF-8: save it as CSV UTF-8"
            }
            [one] if one.contains([';', '\t']) => {
                "; its cells are separated by semicolons or tabs, expected commas"
            }
            _ => "",
        };
        for (position, column) in self.positions.iter_mut().zip(COLUMNS) {
            let mut at = (0..names.len()).filter(|&i| names[i] == column);
            *position = at.next().with_context(|| {
                format!("{path} has no column {column}, {}; found {}{cause}", expected(), quoted(&found))
            })?;
            anyhow::ensure!(at.next().is_none(), "{path} has the column {column} twice");
        }
        self.n_columns = names.len();
        Ok(())
    }

    /// Reads the next row into `record` and returns the number of its first line.
    fn read_record(&mut self) -> anyhow::Result<Option<u64>> {
        loop {
            self.counts.since_row.set(0);
            let read = self.table.read_byte_record(&mut self.record);
            let after = self.table.position();
            if !read.with_context(|| {
                format!("{}: cannot read on after line {}", self.path.display(), after.line())
            })? {
                return Ok(None);
            }
            // The reader's position is before skipped blank lines, so the line is counted from the end.
            let inside = self.record.as_slice().iter().filter(|&&b| b == b'\n').count() as u64;
            let is_last = after.byte() == self.counts.n_read.get();
            let at_end = is_last && (self.counts.last.get() != b'\n' || self.has_open_quote());
            let line = after.line() - inside - u64::from(!at_end);
            self.cut_carriage_return();
            if self.record.len() != 1 || self.record.get(0) != Some(b"") {
                return Ok(Some(line));
            }
        }
    }

    /// Returns whether the row that was just read is the last and holds lines after a quote that is not closed.
    fn has_open_quote(&self) -> bool {
        let is_last = self.table.position().byte() == self.counts.n_read.get();
        is_last && self.counts.n_quotes.get() % 2 == 1 && self.record.as_slice().contains(&b'\n')
    }

    /// Refuses a last row in which a quote is opened and not closed: it holds all lines after it.
    fn check_quotes(&self) -> Result<(), String> {
        if self.has_open_quote() {
            let held = self.record.as_slice().trim_ascii_end();
            let n_lost = held.iter().filter(|&&b| b == b'\n').count();
            let open = self.record.iter().find(|cell| cell.contains(&b'\n')).unwrap_or_default();
            let open = String::from_utf8_lossy(open);
            return Err(format!(
                "a quote is opened before {} and not closed: the {n_lost} lines after it are lost",
                quoted(open.lines().next().unwrap_or_default())
            ));
        }
        Ok(())
    }

    fn cut_carriage_return(&mut self) {
        if self.record.as_slice().last() == Some(&b'\r') {
            let n = self.record.len();
            let cell = |i: usize| self.record.get(i).unwrap_or_default();
            let cut = (0..n)
                .map(|i| if i + 1 == n { cell(i).strip_suffix(b"\r").unwrap_or_default() } else { cell(i) });
            self.record = cut.collect();
        }
    }

    fn parse(&self) -> Result<Profile, String> {
        let n = self.record.len();
        if n != self.n_columns {
            return Err(format!("{n} cells, expected {}", self.n_columns));
        }
        let mut cells = [""; COLUMNS.len()];
        for ((cell, &position), column) in cells.iter_mut().zip(&self.positions).zip(COLUMNS) {
            let bytes = &self.record[position];
            if bytes.len() > MAX_CELL_BYTES {
                return Err(format!("{column} has {} bytes, more than {MAX_CELL_BYTES}", bytes.len()));
            }
            *cell = std::str::from_utf8(bytes).map_err(|_| format!("invalid UTF-8 in {column}"))?.trim();
        }
        let [id, name, age, gender, latitude, longitude, photos] = cells;
        if id.is_empty() {
            return Err("no id".to_owned());
        }
        for (cell, column) in cells.into_iter().zip(COLUMNS) {
            // File names cannot contain NUL, and programs in C would cut an id at it.
            if cell.contains('\0') {
                return Err(format!("{column} contains a NUL: {}", quoted(cell)));
            }
        }
        let photos: Vec<String> =
            photos.split(';').map(str::trim).filter(|p| !p.is_empty()).map(str::to_owned).collect();
        if photos.len() > MAX_PHOTOS {
            return Err(format!("{} photos, more than {MAX_PHOTOS}", photos.len()));
        }
        Ok(Profile {
            id: id.to_owned(),
            name: name.to_owned(),
            age: parse_age(age)?,
            gender: (!gender.is_empty()).then(|| gender.to_owned()),
            location: parse_location(latitude, longitude)?,
            photos,
        })
    }
}

fn parse_age(cell: &str) -> Result<Option<u32>, String> {
    if cell.is_empty() {
        return Ok(None);
    }
    let age = cell.parse().ok().filter(|age| *age <= MAX_AGE);
    age.map(Some).ok_or_else(|| format!("age is {}, expected a whole number up to {MAX_AGE}", quoted(cell)))
}

fn parse_location(latitude: &str, longitude: &str) -> Result<Option<Location>, String> {
    if latitude.is_empty() && longitude.is_empty() {
        return Ok(None);
    }
    let location = || Location::new(latitude.parse().ok()?, longitude.parse().ok()?);
    location().map(Some).ok_or_else(|| {
        format!("latitude and longitude are {} and {}, expected degrees", quoted(latitude), quoted(longitude))
    })
}

/// Returns the beginning of a cell, escaped, for a message.
fn quoted(cell: &str) -> String {
    let short: String = cell.chars().take(40).collect();
    format!("{short:?}")
}

/// Counts of the bytes that were read through a [`CountingFile`].
#[derive(Debug, Default)]
struct ReadCounts {
    since_row: Cell<usize>,
    n_read: Cell<u64>,
    last: Cell<u8>,
    /// Quotation marks; an odd number means that the last one is not closed.
    n_quotes: Cell<u64>,
}

/// A file that counts its bytes and returns an error if a row is too long.
#[derive(Debug)]
struct CountingFile {
    file: File,
    counts: Rc<ReadCounts>,
}

impl Read for CountingFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let since_row = self.counts.since_row.get();
        if since_row > MAX_ROW_BYTES {
            return Err(io::Error::other(format!(
                "a row of more than {} MiB; is a quote not closed?",
                MAX_ROW_BYTES >> 20
            )));
        }
        let n = self.file.read(buffer)?;
        self.counts.since_row.set(since_row + n);
        self.counts.n_read.set(self.counts.n_read.get() + n as u64);
        let n_quotes = buffer[..n].iter().filter(|&&byte| byte == b'"').count() as u64;
        self.counts.n_quotes.set(self.counts.n_quotes.get() + n_quotes);
        if let Some(&last) = buffer[..n].last() {
            self.counts.last.set(last);
        }
        Ok(n)
    }
}
