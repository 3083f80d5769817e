//! Which pictures the report shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::material::Material;
use crate::predictions::PredictionRow;

/// Pairs of classes shown, wrong pictures of each, and single pictures shown.
const N_PAIRS: usize = 12;
const N_PER_PAIR: usize = 4;
const N_WORST: usize = 16;
const N_BEST: usize = 12;

/// The pictures that the report shows, and why.
#[derive(Debug)]
pub(super) struct Examples<'a> {
    /// The most frequent mistakes.
    pub(super) pairs: Vec<Pair<'a>>,
    /// The mistakes made with the most confidence.
    pub(super) worst: Vec<&'a PredictionRow>,
    /// The surest right answer of a class, for the surest classes.
    pub(super) best: Vec<&'a PredictionRow>,
}

/// Pictures of one class that were called another.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) actual: &'a str,
    pub(super) predicted: &'a str,
    /// How many.
    pub(super) n: usize,
    /// Pictures of the actual class.
    pub(super) n_actual: usize,
    /// Some of them, the surest first.
    pub(super) wrong: Vec<&'a PredictionRow>,
    /// The surest right picture of the class that they were called, to compare.
    pub(super) right: Option<&'a PredictionRow>,
}

impl<'a> Examples<'a> {
    /// Chooses among the predictions of `material`.
    pub(super) fn choose(material: &'a Material) -> Self {
        let mut surest_first: Vec<&PredictionRow> = material.predictions.iter().collect();
        surest_first.sort_by(|a, b| b.probability().total_cmp(&a.probability()).then(a.path.cmp(&b.path)));
        let mut right: BTreeMap<&str, &PredictionRow> = BTreeMap::new();
        let mut wrong: BTreeMap<(&str, &str), Vec<&PredictionRow>> = BTreeMap::new();
        let mut n_of: BTreeMap<&str, usize> = BTreeMap::new();
        for &p in &surest_first {
            *n_of.entry(&p.actual).or_default() += 1;
            if p.is_right() {
                right.entry(p.actual.as_str()).or_insert(p);
            } else {
                wrong.entry((&p.actual, p.predicted())).or_default().push(p);
            }
        }
        let pair = |((actual, predicted), pictures): ((&'a str, &'a str), Vec<&'a PredictionRow>)| Pair {
            actual,
            predicted,
            n: pictures.len(),
            n_actual: n_of[actual],
            right: right.get(predicted).copied(),
            wrong: pictures.into_iter().take(N_PER_PAIR).collect(),
        };
        let mut pairs: Vec<Pair> = wrong.into_iter().map(pair).collect();
        // Stable, so equals stay in the order of the names.
        pairs.sort_by_key(|p| (Reverse(p.n), Reverse(p.n * 1_000_000 / p.n_actual)));
        pairs.truncate(N_PAIRS);
        let worst = surest_first.iter().copied().filter(|p| !p.is_right()).take(N_WORST).collect();
        let mut seen = BTreeSet::new();
        let is_first_of_class = |p: &&PredictionRow| p.is_right() && seen.insert(p.actual.clone());
        let best = surest_first.iter().copied().filter(is_first_of_class).take(N_BEST).collect();
        Self { pairs, worst, best }
    }

    /// The pictures' paths, each once.
    pub(super) fn paths(&self) -> BTreeSet<&'a str> {
        let of_pairs = self.pairs.iter().flat_map(|pair| pair.wrong.iter().chain(&pair.right));
        of_pairs.chain(&self.worst).chain(&self.best).map(|p| p.path.as_str()).collect()
    }
}
