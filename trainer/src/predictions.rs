//! `predictions.csv`: the most probable classes of each picture of valid and test.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use data::commit;
use data::manifest::{Manifest, Split};
use data::metrics::TOP_K;
use data::regular;
use data::table::{escape_formula, unescape_formula};

use crate::prediction::Prediction;

/// Name of the predictions in a model directory.
pub const FILE_NAME: &str = "predictions.csv";

/// One row of `predictions.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// The split of the picture.
    pub split: Split,
    /// The path of the picture in the manifest.
    pub path: String,
    /// Its class.
    pub actual: String,
    /// The most probable classes with their probabilities, most probable first.
    pub ranked: Vec<(String, f64)>,
}

impl PredictionRow {
    /// The most probable class.
    pub fn predicted(&self) -> &str {
        &self.ranked[0].0
    }

    /// Its probability.
    pub fn probability(&self) -> f64 {
        self.ranked[0].1
    }

    /// Whether the most probable class is the picture's.
    pub fn is_correct(&self) -> bool {
        self.predicted() == self.actual
    }
}

fn header() -> Vec<String> {
    let mut header = ["split", "path", "actual", "predicted", "probability"].map(str::to_owned).to_vec();
    for k in 2..=TOP_K {
        header.extend([format!("top_{k}"), format!("top_{k}_probability")]);
    }
    header
}

/// Writes the predictions as `path`, by split and in the order of the features. With fewer than five classes the last
/// columns are empty. No cell is a formula to a spreadsheet ([`data::table::escape_formula`]).
///
/// # Errors
/// If the file cannot be written.
pub fn write(
    path: &Path,
    predictions: &BTreeMap<Split, Vec<Prediction>>,
    manifest: &Manifest,
    classes: &[String],
) -> anyhow::Result<()> {
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(header())?;
        for (split, predictions) in predictions {
            for p in predictions {
                let mut record = vec![
                    split.to_string(),
                    escape_formula(&manifest.rows[p.row as usize].path),
                    escape_formula(&classes[p.actual]),
                ];
                for k in 0..TOP_K {
                    let cells = p
                        .ranked
                        .get(k)
                        .map(|(class, p)| (escape_formula(&classes[*class]), format!("{p:.6}")));
                    let (class, probability) = cells.unwrap_or_default();
                    record.extend([class, probability]);
                }
                table.write_record(record)?;
            }
        }
        Ok(table.flush()?)
    })
}

/// Reads the predictions at `path`.
///
/// # Errors
/// Names the file and the line that is not as expected.
pub fn read(path: &Path) -> anyhow::Result<Vec<PredictionRow>> {
    let file = regular::open(path)
        .map_err(|error| regular::not_read(error, path, "there are no predictions", "trainer evaluate"))?;
    let mut table = csv::Reader::from_reader(file);
    let named = || format!("cannot read {}; run trainer evaluate again", path.display());
    anyhow::ensure!(table.headers().with_context(named)?.iter().eq(header()), "{}", named());
    let mut rows = Vec::new();
    for record in table.records() {
        let record = record.with_context(named)?;
        let mut ranked = Vec::new();
        for k in 0..TOP_K {
            if let Some(class) = record.get(3 + 2 * k).filter(|class| !class.is_empty()) {
                let probability = record.get(4 + 2 * k).unwrap_or_default().parse().with_context(named)?;
                ranked.push((unescape_formula(class).to_owned(), probability));
            }
        }
        anyhow::ensure!(!ranked.is_empty(), "{}: a row has no predicted class", named());
        rows.push(PredictionRow {
            split: record[0].parse().with_context(named)?,
            path: unescape_formula(&record[1]).to_owned(),
            actual: unescape_formula(&record[2]).to_owned(),
            ranked,
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::manifest::Row;

    #[test]
    fn a_class_that_looks_like_a_formula_is_escaped_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let classes = ["=HYPERLINK(\"http://x\")", "'=b"].map(str::to_owned);
        let row = |i: usize| Row {
            path: format!("=1+{i}.jpg"),
            class: classes[i].clone(),
            split: Split::Test,
            sha256: [i as u8; 32],
            width: 1,
            height: 1,
            crop: None,
            augmented: None,
        };
        let manifest = Manifest {
            path: "manifest.csv".into(),
            rows: vec![row(0), row(1)],
            classes: classes.to_vec(),
            sha256: String::new(),
        };
        let predict = |row: u32| Prediction {
            row,
            actual: row as usize,
            ranked: vec![(0, 0.75), (1, 0.25)],
            loss: 0.0,
            probable_size: None,
        };
        let predictions = [(Split::Test, vec![predict(0), predict(1)])].into();
        write(&path, &predictions, &manifest, &classes).unwrap();
        let mut table = csv::Reader::from_path(&path).unwrap();
        for record in table.records().map(Result::unwrap) {
            assert!(!record.iter().any(|cell| cell.starts_with('=')), "{record:?}");
        }
        let read = read(&path).unwrap();
        assert_eq!([&read[0].actual, &read[1].actual], [&classes[0], &classes[1]]);
        assert_eq!(read[1].predicted(), classes[0]);
        assert_eq!(read[1].path, "=1+1.jpg");
    }
}
