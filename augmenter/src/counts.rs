//! The number of copies of each row.

use std::collections::BTreeMap;

use data::draw::stream;
use data::manifest::{Row, Split};

use crate::args::Replaced;
use crate::config::Amount;

/// Returns the number of copies of every row, in the rows' order; 0 for valid and test unless they are replaced.
///
/// [`Amount::PerClass`] spreads a class's missing pictures evenly: every picture gets the same number
/// or one more; the pictures with one more are drawn at random.
pub(crate) fn copies(rows: &[Row], amount: Amount, replaced: Option<Replaced>, seed: u64) -> Vec<u32> {
    let target = match amount {
        Amount::Copies(n) => {
            let gets = |split| replaced.unwrap_or(Replaced::Train).contains(split);
            return rows.iter().map(|row| if gets(row.split) { n } else { 0 }).collect();
        }
        Amount::PerClass(target) => target as usize,
    };
    let mut copies = vec![0; rows.len()];
    for (class, mut members) in train_rows(rows) {
        let missing = target.saturating_sub(members.len());
        let (each, n_extra) = (missing / members.len(), missing % members.len());
        stream(seed, "augmenter/balance", class).shuffle(&mut members);
        for (place, row) in members.into_iter().enumerate() {
            copies[row] = (each + usize::from(place < n_extra)) as u32;
        }
    }
    copies
}

/// Returns the indices of the train rows by class.
pub(crate) fn train_rows(rows: &[Row]) -> BTreeMap<&str, Vec<usize>> {
    let mut classes: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| row.split == Split::Train) {
        classes.entry(&row.class).or_default().push(i);
    }
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(classes: &[(&str, usize)]) -> Vec<Row> {
        let row = |class: &str, split, i: usize| Row {
            path: format!("{class}/{split}-{i}.jpg"),
            class: class.into(),
            split,
            sha256: [i as u8; 32],
            width: 1,
            height: 1,
            crop: None,
            augmented: None,
        };
        let of = |&(class, n): &(&'static str, usize)| {
            let train = (0..n).map(move |i| row(class, Split::Train, i));
            train.chain([row(class, Split::Valid, 0), row(class, Split::Test, 0)])
        };

        let classes: Vec<(&'static str, usize)> =
            classes.iter().map(|&(c, n)| (&*c.to_owned().leak(), n)).collect();
        classes.iter().flat_map(of).collect()
    }

    #[test]
    fn only_train_rows_get_copies() {
        let rows = rows(&[("a", 3), ("b", 2)]);
        for amount in [Amount::Copies(2), Amount::PerClass(9)] {
            for (row, n) in rows.iter().zip(copies(&rows, amount, None, 1)) {
                assert_eq!(n > 0, row.split == Split::Train, "{} gets {n}", row.path);
            }
        }
    }

    #[test]
    fn classes_are_filled_up_evenly_and_large_ones_get_no_copies() {
        let rows = rows(&[("few", 3), ("full", 10), ("one", 1), ("over", 12)]);
        let copies = copies(&rows, Amount::PerClass(10), None, 1);
        let of = |class: &str| -> Vec<u32> {
            let mut n: Vec<u32> = train_rows(&rows)[class].iter().map(|&i| copies[i]).collect();
            n.sort_unstable();
            n
        };
        assert_eq!(of("few"), [2, 2, 3]);
        assert_eq!(of("one"), [9]);
        assert_eq!(of("full"), [0; 10]);
        assert_eq!(of("over"), [0; 12]);
    }

    #[test]
    fn the_pictures_with_one_more_copy_depend_on_the_seed() {
        let rows = rows(&[("a", 50)]);
        let of = |seed| copies(&rows, Amount::PerClass(75), None, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
