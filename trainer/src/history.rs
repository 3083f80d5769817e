//! `history.csv`: one row an epoch. It holds no times, so that its bytes repeat.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use data::checkpoint::EpochFigures;
use data::commit;

use crate::fit::Keep;

/// Name of the history in a model directory.
pub const FILE_NAME: &str = "history.csv";

const HEADER: &str = "epoch,train_loss,train_top1,valid_loss,valid_top1,valid_top5,learning_rate";

/// A figure as the file has it; none where there is none.
pub fn cell(x: f64) -> String {
    if x.is_nan() { String::new() } else { format!("{x:.6}") }
}

fn to_csv(history: &[EpochFigures]) -> String {
    let mut text = format!("{HEADER}\n");
    for (epoch, [figures @ .., learning_rate]) in (1..).zip(history) {
        let figures: Vec<String> = figures.iter().map(|&x| cell(x)).collect();
        text += &format!("{epoch},{},{learning_rate}\n", figures.join(","));
    }
    text
}

/// Writes the history of the epochs 1, 2, ... as `path`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, history: &[EpochFigures]) -> anyhow::Result<()> {
    commit::write(path, |file| Ok(file.write_all(to_csv(history).as_bytes())?))
}

/// [`write()`], unless the file already holds just that.
///
/// # Errors
/// As [`write()`].
pub fn write_if_changed(path: &Path, history: &[EpochFigures]) -> anyhow::Result<()> {
    if data::regular::read_to_string(path).is_ok_and(|old| old == to_csv(history)) {
        return Ok(());
    }
    write(path, history)
}

/// Reads what [`write()`] wrote.
///
/// # Errors
/// Names the file and the line that is not as expected.
pub fn read(path: &Path) -> anyhow::Result<Vec<EpochFigures>> {
    let text = data::regular::read_to_string(path)
        .with_context(|| format!("there is no history at {}; run trainer fit first", path.display()))?;
    let mut lines = text.lines();
    anyhow::ensure!(lines.next() == Some(HEADER), "{}:1: expected {HEADER}", path.display());
    let parse = |line: &str| -> Option<EpochFigures> {
        let figure = |cell: &str| if cell.is_empty() { Some(f64::NAN) } else { cell.parse().ok() };
        let cells: Vec<f64> = line.split(',').skip(1).map(figure).collect::<Option<_>>()?;
        cells.try_into().ok()
    };
    (2..)
        .zip(lines)
        .map(|(i, line)| {
            parse(line).with_context(|| format!("{}:{i}: {line:?} is no row of {HEADER}", path.display()))
        })
        .collect()
}

/// The epoch, from 1, with the highest valid top-1; of equals the one with the lower valid loss, then the
/// earlier; `None` without valid figures.
pub fn best_epoch(history: &[EpochFigures]) -> Option<usize> {
    let key = |[_, _, loss, top1, ..]: &EpochFigures| (-top1, *loss);
    first_lowest(history, |figures| key(figures))
}

/// The epoch, from 1, that gives the head.
pub fn kept_epoch(history: &[EpochFigures], keep: Keep) -> Option<usize> {
    match keep {
        Keep::Best => best_epoch(history),
        Keep::Last => (!history.is_empty()).then_some(history.len()),
    }
}

/// The first epoch, from 1, with the lowest valid loss; `None` without valid figures.
pub fn lowest_valid_loss(history: &[EpochFigures]) -> Option<usize> {
    first_lowest(history, |[_, _, loss, ..]| (*loss, 0.0))
}

fn first_lowest(history: &[EpochFigures], key: impl Fn(&EpochFigures) -> (f64, f64)) -> Option<usize> {
    let keys = history.iter().map(key).zip(1..).filter(|((first, _), _)| !first.is_nan());
    let lower = |a: ((f64, f64), usize), b: ((f64, f64), usize)| if b.0 < a.0 { b } else { a };
    keys.reduce(lower).map(|(_, epoch)| epoch)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(valid_loss: f64, valid_top1: f64) -> EpochFigures {
        [0.5, 0.6, valid_loss, valid_top1, 1.0, 0.01]
    }

    #[test]
    fn it_comes_back_to_six_digits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        write(&path, &[epoch(1.0 / 3.0, 0.25)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{HEADER}\n1,0.500000,0.600000,0.333333,0.250000,1.000000,0.01\n"));
        assert_eq!(read(&path).unwrap(), [epoch(0.333333, 0.25)]);
        commit::write_bytes(&path, format!("{HEADER}\n1,x\n").as_bytes()).unwrap();
        assert!(format!("{:#}", read(&path).unwrap_err()).contains("history.csv:2"));
    }

    #[test]
    fn the_best_epoch_is_by_top1_then_loss_then_the_earlier() {
        let history = [epoch(0.9, 0.5), epoch(0.3, 0.4), epoch(0.8, 0.5), epoch(0.8, 0.5)];
        assert_eq!(best_epoch(&history), Some(3));
        assert_eq!(lowest_valid_loss(&history), Some(2));
        assert_eq!(best_epoch(&[]), None);
        assert_eq!((kept_epoch(&history, Keep::Best), kept_epoch(&history, Keep::Last)), (Some(3), Some(4)));
    }

    #[test]
    fn epochs_without_valid_figures_have_empty_cells_and_none_is_the_best() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let history = [[0.5, 0.6, f64::NAN, f64::NAN, f64::NAN, 0.01]; 2];
        write(&path, &history).unwrap();
        let back = read(&path).unwrap();
        assert!(back.len() == 2 && back[1][2].is_nan() && back[1][1] == 0.6 && back[1][5] == 0.01);
        assert_eq!((best_epoch(&back), lowest_valid_loss(&back)), (None, None));
        assert_eq!(kept_epoch(&back, Keep::Last), Some(2));
    }
}
