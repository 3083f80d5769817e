//! Assigns pictures to splits: stratified by class, seeded, with groups of duplicates kept together.
//!
//! Every class has its own random stream, so that the splits of one class do not depend on the other classes.
//! The split of a picture that is in two classes is drawn from a stream of its own, keyed by its content.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use anyhow::Context;
use data::draw::{self, Stream};
use data::manifest::Split;
use data::provenance::to_hex;

use crate::config::Rule;
use crate::duplicates::Deduplicated;
use crate::inspect::Picture;
use crate::method::Method;
use crate::scan::Listing;

/// Checks that there are two or more classes with enough files to be split, before any file is read.
///
/// # Errors
/// Names each class that is too small.
pub(crate) fn check_class_sizes(rule: &Rule, listing: &Listing) -> anyhow::Result<()> {
    let mut counts = vec![Counts::default(); listing.classes.len()];
    for candidate in listing.candidates.iter().filter(|c| c.listed != Some(Split::Test)) {
        let counts = &mut counts[candidate.class as usize];
        counts.n_images += 1;
        counts.n_distinct += 1; // an upper bound until they are read
    }
    small_classes(rule, &listing.classes, &counts)?;
    if let [class] = &listing.classes[..] {
        anyhow::ensure!(
            rule.allow_one_class,
            "there is one class, {class:?}, and a classifier needs two or more; add a folder of other pictures, \
             such as not_a_dog, or pass --allow-one-class to split it anyway"
        );
    }
    rule.method.warn_of_empty_parts();
    Ok(())
}

/// Numbers of pictures in a class that this program assigns, without those of the test list.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    n_images: usize,
    n_distinct: usize,
}

/// Returns for each class whether it is too small to be split.
fn small_classes(rule: &Rule, classes: &[String], counts: &[Counts]) -> anyhow::Result<Vec<bool>> {
    let (n_needed, n_parts) = (rule.method.n_needed(), rule.method.n_parts());
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
        "add pictures, remove the folder, or pass --allow-small to put all pictures of small classes into train"
    };
    anyhow::bail!("{message}{advice}")
}

/// Returns the split of each picture of `deduplicated`.
///
/// # Errors
/// If a class is too small to be split.
pub(crate) fn assign(
    rule: &Rule,
    classes: &[String],
    deduplicated: &Deduplicated,
) -> anyhow::Result<Vec<Split>> {
    let Deduplicated { pictures, groups, .. } = deduplicated;
    let mut splits: Vec<Option<Split>> =
        pictures.iter().map(|p| p.listed.filter(|&split| split == Split::Test)).collect();
    // For each class the pictures without a split so far.
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
        let targets = if small { [free.len(), 0, 0] } else { rule.method.targets(free.len()) };
        for split in place_class(rule, class, free, groups, targets, &mut splits) {
            let n = free.len();
            let _ = writeln!(
                starved,
                "class {class:?} has no picture for {split}: too many of its {n} are identical, or are in another \
                 class too"
            );
        }
    }
    anyhow::ensure!(starved.is_empty(), "{starved}add pictures, or remove the duplicates");
    let placed: Option<Vec<Split>> = splits.into_iter().collect();
    placed.context("a picture got no split: this is a bug")
}

/// Assigns the pictures that are in several classes.
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
        // Either all of a group of identical pictures are in the test list, or none is.
        if members.iter().any(|&i| splits[i].is_some()) {
            continue;
        }
        let split = if members.iter().any(|&i| small[pictures[i].class as usize]) {
            Split::Train
        } else {
            let [train, valid, _] = rule.method.shares();
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

/// The assignment of the pictures of one class.
struct ClassPlacement<'a> {
    /// Wanted number of pictures in each split.
    targets: [usize; 3],
    /// Number of pictures still missing in each split.
    room: [usize; 3],
    /// Number of pictures in each split so far.
    counts: [usize; 3],
    /// Indices of the pictures without a split so far, by group of identical ones.
    groups: Vec<Vec<usize>>,
    /// The split of every picture of the data set, once it is assigned.
    splits: &'a mut [Option<Split>],
}

/// Assigns the pictures `free` of one class to meet `targets`, whole groups at a time. Some pictures may have a
/// split already. Returns the splits that should have a picture but cannot.
fn place_class(
    rule: &Rule,
    class: &str,
    free: &[usize],
    groups: &[u32],
    targets: [usize; 3],
    splits: &mut [Option<Split>],
) -> Vec<Split> {
    let mut placement = ClassPlacement::new(free, groups, targets, splits);
    if matches!(rule.method, Method::Unshuffled(_)) {
        placement.place_in_order();
    } else {
        placement.place_at_random(&mut draw::stream(rule.seed, "split", class));
    }
    placement.fill_empty_splits()
}

impl<'a> ClassPlacement<'a> {
    fn new(free: &[usize], groups: &[u32], targets: [usize; 3], splits: &'a mut [Option<Split>]) -> Self {
        let (mut room, mut counts) = (targets, [0; 3]);
        for split in free.iter().filter_map(|&i| splits[i]) {
            counts[split as usize] += 1;
            // A surplus in one split is taken from train, so that the other split keeps its target.
            let from = if room[split as usize] > 0 { split } else { Split::Train };
            room[from as usize] = room[from as usize].saturating_sub(1);
        }
        let mut by_group: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for &i in free.iter().filter(|&&i| splits[i].is_none()) {
            by_group.entry(groups[i]).or_default().push(i);
        }
        Self { targets, room, counts, groups: by_group.into_values().collect(), splits }
    }

    fn put(&mut self, members: &[usize], split: Split) {
        self.room[split as usize] = self.room[split as usize].saturating_sub(members.len());
        self.counts[split as usize] += members.len();
        members.iter().for_each(|&i| self.splits[i] = Some(split));
    }

    /// Fills train, then valid, then test; a group goes into the split of its first member.
    fn place_in_order(&mut self) {
        for members in self.groups.clone() {
            let has_room = |split: &Split| self.room[*split as usize] > 0;
            let split = Split::ALL.into_iter().find(has_room).unwrap_or(Split::Train);
            self.put(&members, split);
        }
    }

    /// Draws the split of each group.
    fn place_at_random(&mut self, draws: &mut Stream) {
        // Large groups first, while they fit.
        self.groups.sort_by_key(|members| Reverse(members.len()));
        for members in self.groups.clone() {
            // Every free place has the same probability: a shuffle that keeps groups together.
            let fitting = self.room.map(|places| if places >= members.len() { places } else { 0 });
            let total: usize = fitting.iter().sum();
            let split = if total == 0 {
                Split::Train
            } else {
                let drawn = draws.below(total);
                Split::ALL[usize::from(drawn >= fitting[0]) + usize::from(drawn >= fitting[0] + fitting[1])]
            };
            self.put(&members, split);
        }
    }

    /// Moves a group into each split that should have a picture and has none. Returns the splits for which no group
    /// is left. A split is empty only if some groups are large compared with their class.
    fn fill_empty_splits(&mut self) -> Vec<Split> {
        let mut starved = Vec::new();
        for to in Split::ALL {
            if self.targets[to as usize] == 0 || self.counts[to as usize] > 0 {
                continue;
            }
            let split_of = |members: &[usize]| self.splits[members[0]].unwrap_or(Split::Train) as usize;
            let to_spare = self
                .groups
                .iter()
                .filter(|members| self.counts[split_of(members)] > members.len())
                .max_by_key(|members| (Reverse(members.len()), self.counts[split_of(members)]));
            let Some(members) = to_spare.cloned() else {
                starved.push(to);
                continue;
            };
            self.counts[split_of(&members)] -= members.len();
            self.put(&members, to);
        }
        starved
    }
}
