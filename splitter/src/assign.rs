//! Which picture goes into which split: stratified, seeded, groups of duplicates undivided.
//!
//! Every class is drawn from its own stream, so that what happens to one class does not depend on the
//! others. A picture that lies in two classes belongs to neither stream: its split is drawn by its content.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::Context;
use data::draw;
use data::manifest::Split;
use data::provenance::to_hex;

use crate::config::Plan;
use crate::duplicates::Settled;
use crate::inspect::Picture;
use crate::scan::Listing;

/// How to assign.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) plan: Plan,
    /// Classes that are too small go into train, instead of being an error.
    pub(crate) allow_small: bool,
    /// A single class is split too, instead of being an error.
    pub(crate) allow_one_class: bool,
    pub(crate) seed: u64,
}

impl Plan {
    /// Of the pictures that this program places: shares of train, valid, test.
    fn shares(&self) -> [f64; 3] {
        match self {
            // The ratio may miss a sum of 1 by a rounding error.
            Plan::Ratio(ratio) | Plan::Unshuffled(ratio) => {
                ratio.map(|share| share / ratio.iter().sum::<f64>())
            }
            Plan::Fixed { .. } => [1.0, 0.0, 0.0],
            Plan::Listed { valid_share, .. } => [1.0 - valid_share, *valid_share, 0.0],
        }
    }

    /// Fewest pictures in a class that can be split.
    fn n_needed(&self) -> usize {
        match self {
            Plan::Fixed { n_valid, n_test } => n_valid + n_test + 1,
            _ => self.n_parts(),
        }
    }

    /// How many splits get pictures from this program.
    fn n_parts(&self) -> usize {
        match self {
            Plan::Fixed { n_valid, n_test } => 1 + usize::from(*n_valid > 0) + usize::from(*n_test > 0),
            _ => self.shares().iter().filter(|&&share| share > 0.0).count(),
        }
    }

    /// Says what will not be possible later; nothing has been read yet.
    fn warn_of_empty_parts(&self) {
        let [_, valid, test] = match self {
            Plan::Fixed { n_valid, n_test } => [true, *n_valid > 0, *n_test > 0],
            Plan::Listed { valid_share, .. } => [true, *valid_share > 0.0, true],
            Plan::Ratio(_) | Plan::Unshuffled(_) => self.shares().map(|share| share > 0.0),
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

    /// How many of a class's `n` pictures go where.
    fn targets(&self, n: usize) -> [usize; 3] {
        match self {
            Plan::Fixed { n_valid, n_test } => [n - n_valid - n_test, *n_valid, *n_test],
            Plan::Unshuffled(_) => {
                // Rounded down, as the post did.
                let [_, n_valid, n_test] = self.shares().map(|share| (n as f64 * share) as usize);
                [n - n_valid - n_test, n_valid, n_test]
            }
            _ => apportion(n, self.shares()),
        }
    }
}

/// Divides `n` by largest remainder: each part is within 1 of its share. A part with a share but no
/// picture then takes one from the largest part, if that has more than one.
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

/// Refuses classes that have too few files to be split, or one class alone, before any file is read.
///
/// # Errors
/// Names each of them.
pub(crate) fn check_class_sizes(rule: &Rule, listing: &Listing) -> anyhow::Result<()> {
    let mut counts = vec![Counts::default(); listing.classes.len()];
    for candidate in listing.candidates.iter().filter(|c| c.listed != Some(Split::Test)) {
        let counts = &mut counts[candidate.class as usize];
        counts.n_images += 1;
        counts.n_distinct += 1; // until they are read
    }
    small_classes(rule, &listing.classes, &counts)?;
    if let [class] = &listing.classes[..] {
        anyhow::ensure!(
            rule.allow_one_class,
            "there is one class, {class:?}, and a classifier needs two or more; add a folder of other pictures, \
             such as not_a_dog, or pass --allow-one-class to split it all the same"
        );
    }
    rule.plan.warn_of_empty_parts();
    Ok(())
}

/// The pictures of a class that this program places: not those of the test list.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    n_images: usize,
    n_distinct: usize,
}

/// For each class whether it is too small to be split.
fn small_classes(rule: &Rule, classes: &[String], counts: &[Counts]) -> anyhow::Result<Vec<bool>> {
    let (n_needed, n_parts) = (rule.plan.n_needed(), rule.plan.n_parts());
    let small: Vec<bool> = counts.iter().map(|c| c.n_images < n_needed || c.n_distinct < n_parts).collect();
    let least = if rule.allow_small { 1 } else { n_needed };
    let mut message = String::new();
    for ((class, c), &small) in classes.iter().zip(counts).zip(&small) {
        let Counts { n_images, n_distinct } = *c;
        if n_images > 0 && (rule.allow_small || !small) {
            continue;
        }
        let plural = if n_images == 1 { "" } else { "s" };
        let distinct =
            if n_distinct < n_images { format!(", {n_distinct} of them distinct") } else { String::new() };
        let _ = writeln!(message, "class {class:?} has {n_images} image{plural}{distinct}, needs >= {least}");
    }
    if message.is_empty() {
        return Ok(small);
    }
    let advice = if rule.allow_small {
        "add pictures, or remove the folder"
    } else {
        "add pictures, remove the folder, or pass --allow-small to put such a class, if it has any, into train"
    };
    anyhow::bail!("{message}{advice}")
}

/// The split of each picture of `settled`.
///
/// # Errors
/// If a class is too small to be split.
pub(crate) fn assign(rule: &Rule, classes: &[String], settled: &Settled) -> anyhow::Result<Vec<Split>> {
    let Settled { pictures, groups, .. } = settled;
    let mut splits: Vec<Option<Split>> =
        pictures.iter().map(|p| p.listed.filter(|&split| split == Split::Test)).collect();
    // For each class the pictures that are yet to be placed.
    let mut free = vec![Vec::new(); classes.len()];
    for i in (0..pictures.len()).filter(|&i| splits[i].is_none()) {
        free[pictures[i].class as usize].push(i);
    }
    let count = |free: &Vec<usize>| {
        let distinct: BTreeSet<u32> = free.iter().map(|&i| groups[i]).collect();
        Counts { n_images: free.len(), n_distinct: distinct.len() }
    };
    let small = small_classes(rule, classes, &free.iter().map(count).collect::<Vec<_>>())?;

    place_conflicts(rule, pictures, groups, &small, &mut splits);
    let mut starved = String::new();
    for ((class, free), small) in classes.iter().zip(&free).zip(small) {
        let targets = if small { [free.len(), 0, 0] } else { rule.plan.targets(free.len()) };
        for split in place_class(rule, class, free, groups, targets, &mut splits) {
            let n = free.len();
            let _ = writeln!(
                starved,
                "class {class:?} has no picture for {split}: too many of its {n} are the same, or lie in another class too"
            );
        }
    }
    anyhow::ensure!(starved.is_empty(), "{starved}add pictures, or remove the ones that are duplicate");
    let placed: Option<Vec<Split>> = splits.into_iter().collect();
    placed.context("a picture got no split: this is a mistake in the program")
}

/// Places the pictures that lie in several classes.
fn place_conflicts(
    rule: &Rule,
    pictures: &[Picture],
    groups: &[u32],
    small: &[bool],
    splits: &mut [Option<Split>],
) {
    let mut conflicts: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (i, &group) in groups.iter().enumerate() {
        if pictures[i].class != pictures[group as usize].class {
            conflicts.entry(group).or_default();
        }
    }
    for (i, group) in groups.iter().enumerate() {
        conflicts.entry(*group).and_modify(|members| members.push(i));
    }
    for members in conflicts.into_values() {
        // Of equal pictures either all are in the test list or none is.
        if members.iter().any(|&i| splits[i].is_some()) {
            continue;
        }
        let split = if members.iter().any(|&i| small[pictures[i].class as usize]) {
            Split::Train
        } else {
            let [train, valid, _] = rule.plan.shares();
            let drawn =
                draw::stream(rule.seed, "split conflict", &to_hex(&pictures[members[0]].sha256)).unit();
            match drawn {
                x if x < train => Split::Train,
                x if x < train + valid => Split::Valid,
                _ => Split::Test,
            }
        };
        members.iter().for_each(|&i| splits[i] = Some(split));
    }
}

/// Places the pictures `free` of one class so that `targets` are met, whole groups at a time, around
/// those that are placed already. Returns the splits that should have a picture and cannot.
fn place_class(
    rule: &Rule,
    class: &str,
    free: &[usize],
    groups: &[u32],
    targets: [usize; 3],
    splits: &mut [Option<Split>],
) -> Vec<Split> {
    let mut room = targets;
    let mut counts = [0usize; 3];
    for split in free.iter().filter_map(|&i| splits[i]) {
        counts[split as usize] += 1;
        // What is too much in one split is missing in train, so that the others stay as they should be.
        let from = if room[split as usize] > 0 { split } else { Split::Train };
        room[from as usize] = room[from as usize].saturating_sub(1);
    }
    let mut own: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for &i in free.iter().filter(|&&i| splits[i].is_none()) {
        own.entry(groups[i]).or_default().push(i);
    }
    let mut own: Vec<Vec<usize>> = own.into_values().collect();
    let unshuffled = matches!(rule.plan, Plan::Unshuffled(_));
    if !unshuffled {
        // The large groups first, while there is room for them.
        own.sort_by_key(|members| Reverse(members.len()));
    }

    let mut stream = draw::stream(rule.seed, "split", class);
    for members in &own {
        // A free place is as likely as any other: a shuffle, in which groups stay together.
        let fitting = room.map(|places| if places >= members.len() { places } else { 0 });
        let total: usize = fitting.iter().sum();
        let split = if unshuffled {
            // A group goes where its first member belongs.
            Split::ALL.into_iter().find(|&split| room[split as usize] > 0).unwrap_or(Split::Train)
        } else if total == 0 {
            Split::Train
        } else {
            let drawn = stream.below(total);
            Split::ALL[usize::from(drawn >= fitting[0]) + usize::from(drawn >= fitting[0] + fitting[1])]
        };
        room[split as usize] = room[split as usize].saturating_sub(members.len());
        counts[split as usize] += members.len();
        members.iter().for_each(|&i| splits[i] = Some(split));
    }

    // Only groups that are large beside their class leave a split empty.
    let mut starved = Vec::new();
    for to in Split::ALL.into_iter().filter(|&s| targets[s as usize] > 0) {
        if counts[to as usize] > 0 {
            continue;
        }
        let split_of =
            |members: &[usize], splits: &[Option<Split>]| splits[members[0]].unwrap_or(Split::Train);
        let lent = own
            .iter()
            .filter(|members| counts[split_of(members, splits) as usize] > members.len())
            .max_by_key(|members| (Reverse(members.len()), counts[split_of(members, splits) as usize]));
        let Some(members) = lent else {
            starved.push(to);
            continue;
        };
        counts[split_of(members, splits) as usize] -= members.len();
        counts[to as usize] += members.len();
        members.iter().for_each(|&i| splits[i] = Some(to));
    }
    starved
}
