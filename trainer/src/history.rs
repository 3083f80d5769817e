//! `history.csv`: the losses and accuracies of each epoch. It holds no times, so that equal training runs write equal
//! bytes.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use data::commit;
use data::head::Keep;
use data::regular;

/// Name of the history in a model directory.
pub const FILE_NAME: &str = "history.csv";

const HEADER: &str = "epoch,train_loss,train_top1,valid_loss,valid_top1,valid_top5,learning_rate";

/// What one epoch measured. Losses are mean cross-entropies, accuracies are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Mean loss of the training steps, with dropout.
    pub train_loss: f64,
    /// Top-1 accuracy in the training steps, with dropout.
    pub train_top1: f64,
    /// The valid split after the epoch; `None` where it has no pictures.
    pub valid: Option<Valid>,
    /// The learning rate.
    pub learning_rate: f64,
}

/// The valid split after an epoch, without dropout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Valid {
    /// Mean loss.
    pub loss: f64,
    /// Top-1 accuracy.
    pub top1: f64,
    /// Top-5 accuracy.
    pub top5: f64,
}

fn to_csv(history: &[Epoch]) -> String {
    let mut text = format!("{HEADER}\n");
    for (number, epoch) in (1..).zip(history) {
        let Epoch { train_loss, train_top1, valid, learning_rate } = epoch;
        let valid = valid.map_or(",,".to_owned(), |v| format!("{:.6},{:.6},{:.6}", v.loss, v.top1, v.top5));
        text += &format!("{number},{train_loss:.6},{train_top1:.6},{valid},{learning_rate}\n");
    }
    text
}

fn parse(line: &str) -> Option<Epoch> {
    let cells: Vec<&str> = line.split(',').collect();
    let [_, train_loss, train_top1, loss, top1, top5, learning_rate] = cells.try_into().ok()?;
    let number = |cell: &str| cell.parse::<f64>().ok().filter(|x| x.is_finite());
    let valid = match (loss, top1, top5) {
        ("", "", "") => None,
        _ => Some(Valid { loss: number(loss)?, top1: number(top1)?, top5: number(top5)? }),
    };
    Some(Epoch {
        train_loss: number(train_loss)?,
        train_top1: number(train_top1)?,
        valid,
        learning_rate: number(learning_rate)?,
    })
}

/// Rounds a number of the history to the six digits that the file has.
pub fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

/// Writes the history of the epochs 1, 2, ... as `path`.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, history: &[Epoch]) -> anyhow::Result<()> {
    commit::write(path, |file| Ok(file.write_all(to_csv(history).as_bytes())?))
}

/// Writes the history as [`write()`] does, unless the file already has this content.
///
/// # Errors
/// As [`write()`].
pub fn write_if_changed(path: &Path, history: &[Epoch]) -> anyhow::Result<()> {
    if regular::read_to_string(path).is_ok_and(|old| old == to_csv(history)) {
        return Ok(());
    }
    write(path, history)
}

/// Reads the history at `path`; its numbers have six digits after the point.
///
/// # Errors
/// Names the file and the line that is not as expected.
pub fn read(path: &Path) -> anyhow::Result<Vec<Epoch>> {
    let text = regular::read_to_string(path)
        .map_err(|error| regular::not_read(error, path, "there is no history", "trainer fit"))?;
    let mut lines = text.lines();
    anyhow::ensure!(
        lines.next() == Some(HEADER),
        "{}:1: expected {HEADER}; run trainer fit again",
        path.display()
    );
    (2..)
        .zip(lines)
        .map(|(i, line)| {
            parse(line).with_context(|| {
                format!("{}:{i}: {line:?} is no row of {HEADER}; run trainer fit again", path.display())
            })
        })
        .collect()
}

/// Finds the epoch, from 1, with the highest top-1 accuracy on valid. Ties go to the lower valid loss, then to the
/// earlier epoch. `None` without valid pictures.
pub fn best_epoch(history: &[Epoch]) -> Option<usize> {
    first_lowest(history, |valid| (-valid.top1, valid.loss))
}

/// Finds the epoch, from 1, whose weights become the head.
pub fn kept_epoch(history: &[Epoch], keep: Keep) -> Option<usize> {
    match keep {
        Keep::Best => best_epoch(history),
        Keep::Last => (!history.is_empty()).then_some(history.len()),
    }
}

/// Finds the first epoch, from 1, with the lowest valid loss; `None` without valid pictures.
pub fn lowest_valid_loss(history: &[Epoch]) -> Option<usize> {
    first_lowest(history, |valid| (valid.loss, 0.0))
}

fn first_lowest(history: &[Epoch], key: impl Fn(&Valid) -> (f64, f64)) -> Option<usize> {
    let keys = (1..).zip(history).filter_map(|(number, epoch)| Some((key(epoch.valid.as_ref()?), number)));
    let lower = |a: ((f64, f64), usize), b: ((f64, f64), usize)| if b.0 < a.0 { b } else { a };
    keys.reduce(lower).map(|(_, number)| number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(loss: f64, top1: f64) -> Epoch {
        let valid = Some(Valid { loss, top1, top5: 1.0 });
        Epoch { train_loss: 0.5, train_top1: 0.6, valid, learning_rate: 0.01 }
    }

    #[test]
    fn a_history_is_read_back_to_six_digits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        write(&path, &[epoch(1.0 / 3.0, 0.25)]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{HEADER}\n1,0.500000,0.600000,0.333333,0.250000,1.000000,0.01\n"));
        assert_eq!(read(&path).unwrap(), [epoch(0.333333, 0.25)]);
        for damaged in ["1,x", "1,0.5,0.6,0.3,,1.0,0.01", "1,0.5,0.6,NaN,0.2,1.0,0.01"] {
            commit::write_bytes(&path, format!("{HEADER}\n{damaged}\n").as_bytes()).unwrap();
            assert!(format!("{:#}", read(&path).unwrap_err()).contains("history.csv:2"));
        }
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
    fn epochs_without_valid_pictures_have_empty_cells_and_none_is_the_best() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let history = [Epoch { valid: None, ..epoch(0.0, 0.0) }; 2];
        write(&path, &history).unwrap();
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("\n2,0.500000,0.600000,,,,0.01\n"));
        assert_eq!(read(&path).unwrap(), history);
        assert_eq!((best_epoch(&history), lowest_valid_loss(&history)), (None, None));
        assert_eq!(kept_epoch(&history, Keep::Last), Some(2));
    }
}
