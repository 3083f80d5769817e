//! Chooses the pictures that the report shows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::results::Results;
use crate::predictions::PredictionRow;

/// Pairs of classes, wrong predictions of each pair, and single pictures in each of the two galleries.
const N_PAIRS: usize = 12;
const N_PER_PAIR: usize = 4;
const N_WORST: usize = 16;
const N_BEST: usize = 12;

/// The pictures that the report shows.
#[derive(Debug)]
pub(super) struct Examples<'a> {
    /// The pairs of classes that are confused most often.
    pub(super) pairs: Vec<Pair<'a>>,
    /// The wrong predictions with the highest confidence.
    pub(super) worst: Vec<&'a PredictionRow>,
    /// The most confident correct prediction of a class, for the classes with the highest.
    pub(super) best: Vec<&'a PredictionRow>,
}

/// Pictures of one class that were predicted as another.
#[derive(Debug)]
pub(super) struct Pair<'a> {
    pub(super) actual: &'a str,
    pub(super) predicted: &'a str,
    /// Number of such pictures.
    pub(super) n: usize,
    /// Number of pictures of the actual class.
    pub(super) n_actual: usize,
    /// Some of them, the most confident first.
    pub(super) wrong: Vec<&'a PredictionRow>,
    /// The most confident correct prediction of the predicted class, for comparison.
    pub(super) right: Option<&'a PredictionRow>,
}

impl<'a> Examples<'a> {
    /// Chooses among the predictions of `results`.
    pub(super) fn choose(results: &'a Results) -> Self {
        let mut by_confidence: Vec<&PredictionRow> = results.predictions.iter().collect();
        by_confidence.sort_by(|a, b| b.probability().total_cmp(&a.probability()).then(a.path.cmp(&b.path)));
        let mut right: BTreeMap<&str, &PredictionRow> = BTreeMap::new();
        let mut wrong: BTreeMap<(&str, &str), Vec<&PredictionRow>> = BTreeMap::new();
        let mut n_of: BTreeMap<&str, usize> = BTreeMap::new();
        for &p in &by_confidence {
            *n_of.entry(&p.actual).or_default() += 1;
            if p.is_correct() {
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
        // The sort is stable: ties stay in the order of the names.
        pairs.sort_by_key(|p| (Reverse(p.n), Reverse(p.n * 1_000_000 / p.n_actual)));
        pairs.truncate(N_PAIRS);
        let worst = by_confidence.iter().copied().filter(|p| !p.is_correct()).take(N_WORST).collect();
        let mut seen = BTreeSet::new();
        let is_first_of_class = |p: &&PredictionRow| p.is_correct() && seen.insert(p.actual.clone());
        let best = by_confidence.iter().copied().filter(is_first_of_class).take(N_BEST).collect();
        Self { pairs, worst, best }
    }

    /// The paths of the pictures, each once.
    pub(super) fn paths(&self) -> BTreeSet<&'a str> {
        let of_pairs = self.pairs.iter().flat_map(|pair| pair.wrong.iter().chain(&pair.right));
        of_pairs.chain(&self.worst).chain(&self.best).map(|p| p.path.as_str()).collect()
    }
}
