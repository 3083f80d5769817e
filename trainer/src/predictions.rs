//! `predictions.csv` and `confusion.csv`: what the head says about each picture that it was not trained on.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use data::commit;
use data::manifest::{Manifest, Split};

use crate::metrics::{Prediction, TOP_K, confusion};

/// Name of the predictions in a model directory.
pub const FILE_NAME: &str = "predictions.csv";
/// Name of the confusion counts in a model directory.
pub const CONFUSION_FILE_NAME: &str = "confusion.csv";

/// One line of `predictions.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct PredictionRow {
    /// The part of the data.
    pub split: Split,
    /// The picture, as the manifest has it.
    pub path: String,
    /// Its class.
    pub actual: String,
    /// The most probable classes, most probable first.
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
    pub fn is_right(&self) -> bool {
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

/// Writes the predictions as `path`, split after split, in the order of the features. With fewer than five
/// classes the last columns are empty.
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
                    manifest.rows[p.row as usize].path.clone(),
                    classes[p.actual].clone(),
                ];
                for k in 0..TOP_K {
                    let cells =
                        p.ranked.get(k).map(|(class, p)| (classes[*class].clone(), format!("{p:.6}")));
                    let (class, probability) = cells.unwrap_or_default();
                    record.extend([class, probability]);
                }
                table.write_record(record)?;
            }
        }
        Ok(table.flush()?)
    })
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// Names the file and the line that is not as expected.
pub fn read(path: &Path) -> anyhow::Result<Vec<PredictionRow>> {
    let mut table = csv::Reader::from_path(path).with_context(|| {
        format!("there are no predictions at {}; run trainer evaluate first", path.display())
    })?;
    let named = || format!("cannot read {}; run trainer evaluate again", path.display());
    anyhow::ensure!(table.headers().with_context(named)?.iter().eq(header()), "{}", named());
    let mut rows = Vec::new();
    for record in table.records() {
        let record = record.with_context(named)?;
        let mut ranked = Vec::new();
        for k in 0..TOP_K {
            if let Some(class) = record.get(3 + 2 * k).filter(|class| !class.is_empty()) {
                let probability = record.get(4 + 2 * k).unwrap_or_default().parse().with_context(named)?;
                ranked.push((class.to_owned(), probability));
            }
        }
        anyhow::ensure!(!ranked.is_empty(), "{}: a row predicts nothing", named());
        rows.push(PredictionRow {
            split: record[0].parse().with_context(named)?,
            path: record[1].to_owned(),
            actual: record[2].to_owned(),
            ranked,
        });
    }
    Ok(rows)
}

/// Writes how often each actual class was called each other one as `path`: `split,actual,predicted,n`,
/// without the pairs that never came up.
///
/// # Errors
/// If the file cannot be written.
pub fn write_confusion(
    path: &Path,
    predictions: &BTreeMap<Split, Vec<Prediction>>,
    classes: &[String],
) -> anyhow::Result<()> {
    commit::write(path, |file| {
        let mut table = csv::Writer::from_writer(file);
        table.write_record(["split", "actual", "predicted", "n"])?;
        for (split, predictions) in predictions {
            for (actual, counts) in confusion(predictions, classes.len()).iter().enumerate() {
                for (predicted, &n) in counts.iter().enumerate().filter(|&(_, &n)| n > 0) {
                    let n = n.to_string();
                    table.write_record([split.name(), &classes[actual], &classes[predicted], &n])?;
                }
            }
        }
        Ok(table.flush()?)
    })
}
