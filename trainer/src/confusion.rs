//! `confusion.csv`: how often each actual class was predicted as each class. Only people read it.

use std::collections::BTreeMap;
use std::path::Path;

use data::commit;
use data::manifest::Split;
use data::table::escape_formula;

use crate::metrics::confusion;
use crate::prediction::Prediction;

/// Name of the confusion counts in a model directory.
pub const FILE_NAME: &str = "confusion.csv";

/// Writes the counts as `path`, with the columns `split,actual,predicted,n` and without pairs of classes that do not
/// occur. No cell is a formula to a spreadsheet ([`data::table::escape_formula`]).
///
/// # Errors
/// If the file cannot be written.
pub fn write(
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
                    let [actual, predicted] =
                        [actual, predicted].map(|class| escape_formula(&classes[class]));
                    table.write_record([split.name(), &actual, &predicted, &n.to_string()])?;
                }
            }
        }
        Ok(table.flush()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_without_formulas() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let classes = ["=1+1", "b"].map(str::to_owned);
        let log = [0.7f64, 0.3].map(f64::ln);
        let predict = |actual| Prediction::new(0, actual, &log, &[None, None]);
        let predictions = [(Split::Test, vec![predict(0), predict(1), predict(1)])].into();
        write(&path, &predictions, &classes).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "split,actual,predicted,n\ntest,'=1+1,'=1+1,1\ntest,b,'=1+1,2\n");
    }
}
