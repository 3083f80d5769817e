//! Divides the pictures of a class between train, valid and test.

use std::cmp::Reverse;
use std::path::PathBuf;

use data::stage::usage;

use crate::args::Args;

/// Maximum distance of a ratio's sum from 1: 0.333,0.333,0.334 is allowed, 0.33,0.33,0.33 is not.
const RATIO_TOLERANCE: f64 = 1e-6;

/// The method that divides the pictures of a class between the splits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Method {
    /// Shares of train, valid and test, drawn at random.
    Ratio([f64; 3]),
    /// Shares of train, valid and test, each class in the order of its listing: train first, test last.
    Unshuffled([f64; 3]),
    /// Numbers of pictures of each class for valid and for test; the rest is train.
    Fixed { n_valid: usize, n_test: usize },
    /// Two lists; `valid_share` of the train list becomes valid.
    Listed { train: PathBuf, test: PathBuf, valid_share: f64 },
}

impl Method {
    /// Returns the method that the arguments ask for.
    ///
    /// # Errors
    /// A usage error for shares or counts out of range.
    pub(crate) fn of(args: &Args) -> anyhow::Result<Self> {
        match args.fixed[..] {
            [] => {}
            [0] | [0, 0] => return Err(usage("--fixed 0 leaves both valid and test empty")),
            [n] => return Ok(Method::Fixed { n_valid: n, n_test: n }),
            [n_valid, n_test] => return Ok(Method::Fixed { n_valid, n_test }),
            _ => return Err(usage("--fixed takes one or two counts, valid and test, as in 10,20")),
        }
        match &args.split_list[..] {
            [] => {}
            [train, test] => {
                let valid_share = args.valid_share;
                if !(0.0..1.0).contains(&valid_share) {
                    return Err(usage(format!(
                        "--valid-share is {valid_share}, expected 0 or more and below 1"
                    )));
                }
                return Ok(Method::Listed { train: train.clone(), test: test.clone(), valid_share });
            }
            _ => return Err(usage("--split-list takes two files, as in train_list.txt,test_list.txt")),
        }
        let ratio = ratio(&args.ratio)?;
        Ok(if args.unshuffled { Method::Unshuffled(ratio) } else { Method::Ratio(ratio) })
    }

    /// Returns the shares of train, valid and test among the pictures that this program assigns.
    pub(crate) fn shares(&self) -> [f64; 3] {
        match self {
            // The sum of a ratio may differ from 1 by a rounding error.
            Method::Ratio(ratio) | Method::Unshuffled(ratio) => {
                ratio.map(|share| share / ratio.iter().sum::<f64>())
            }
            Method::Fixed { .. } => [1.0, 0.0, 0.0],
            Method::Listed { valid_share, .. } => [1.0 - valid_share, *valid_share, 0.0],
        }
    }

    /// Returns the minimum number of pictures in a class that can be split.
    pub(crate) fn n_needed(&self) -> usize {
        match self {
            Method::Fixed { n_valid, n_test } => n_valid + n_test + 1,
            _ => self.n_parts(),
        }
    }

    /// Returns the number of splits that get pictures from this program.
    pub(crate) fn n_parts(&self) -> usize {
        match self {
            Method::Fixed { n_valid, n_test } => 1 + usize::from(*n_valid > 0) + usize::from(*n_test > 0),
            _ => self.shares().iter().filter(|&&share| share > 0.0).count(),
        }
    }

    /// Warns of empty splits that later stages need, before anything is read.
    pub(crate) fn warn_of_empty_parts(&self) {
        let [_, valid, test] = match self {
            Method::Fixed { n_valid, n_test } => [true, *n_valid > 0, *n_test > 0],
            Method::Listed { valid_share, .. } => [true, *valid_share > 0.0, true],
            Method::Ratio(_) | Method::Unshuffled(_) => self.shares().map(|share| share > 0.0),
        };
        if !valid {
            tracing::warn!(
                "there will be no valid pictures: training cannot tell its best epoch, and needs `trainer fit --keep last`"
            );
        }
        if !test {
            tracing::warn!(
                "there will be no test pictures: `trainer evaluate` and `report` will have nothing to measure on"
            );
        }
    }

    /// Returns how many of a class's `n` pictures go into train, valid and test.
    pub(crate) fn targets(&self, n: usize) -> [usize; 3] {
        match self {
            Method::Fixed { n_valid, n_test } => [n - n_valid - n_test, *n_valid, *n_test],
            Method::Unshuffled(_) => {
                // Rounded down, as the post did.
                let [_, n_valid, n_test] = self.shares().map(|share| (n as f64 * share) as usize);
                [n - n_valid - n_test, n_valid, n_test]
            }
            _ => apportion(n, self.shares()),
        }
    }
}

/// Checks that there are three shares that sum to 1.
fn ratio(shares: &[f64]) -> anyhow::Result<[f64; 3]> {
    let Ok(ratio) = <[f64; 3]>::try_from(shares.to_vec()) else {
        return Err(usage(format!(
            "--ratio takes three shares, train,valid,test, found {}; 0 leaves a part empty, as in 0.8,0.2,0",
            shares.len()
        )));
    };
    if let Some(share) = ratio.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(usage(format!("--ratio has the share {share}, expected 0 to 1")));
    }
    let sum: f64 = ratio.iter().sum();
    if (sum - 1.0).abs() > RATIO_TOLERANCE {
        return Err(usage(format!("--ratio sums to {sum:.6}, expected 1")));
    }
    if ratio[0] == 0.0 {
        return Err(usage("--ratio leaves train empty"));
    }
    Ok(ratio)
}

/// Divides `n` by the largest remainder method: each part is within 1 of its share. A part with a share but
/// without a picture then takes one from the largest part, if that has more than one.
fn apportion(n: usize, shares: [f64; 3]) -> [usize; 3] {
    let exact = shares.map(|share| n as f64 * share);
    let mut parts = exact.map(|x| x as usize);
    let mut by_remainder: Vec<usize> = (0..3).filter(|&i| shares[i] > 0.0).collect();
    by_remainder.sort_by(|&a, &b| exact[b].fract().total_cmp(&exact[a].fract()));
    let left = n.saturating_sub(parts.iter().sum());
    by_remainder.iter().take(left).for_each(|&i| parts[i] += 1);
    for i in 0..3 {
        let largest = (0..3).max_by_key(|&k| (parts[k], Reverse(k))).unwrap_or(0);
        if shares[i] > 0.0 && parts[i] == 0 && parts[largest] > 1 {
            parts[largest] -= 1;
            parts[i] += 1;
        }
    }
    parts
}
