//! Predictions -> figures. Pure: nothing here reads or writes but [`Metrics::read`] and [`Metrics::write`].
//!
//! Figures are rounded to six digits when they are made, so that the file's bytes repeat.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use data::breeds::{self, SizeThresholds};
use data::commit;
use data::manifest::Split;
use data::provenance::{canonical_json, check_version};
use serde::{Deserialize, Serialize};

use crate::imagenet::baseline::Baseline;

/// Name of the metrics in a model directory.
pub const FILE_NAME: &str = "metrics.json";
/// Bins of the reliability diagram, over confidences from 0 to 1.
pub const N_BINS: usize = 10;
/// The deepest rank that counts as a hit.
pub const TOP_K: usize = 5;

/// What the head says about one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Row of the manifest.
    pub row: u32,
    /// The picture's class.
    pub actual: usize,
    /// The [`TOP_K`] most probable classes (all, where there are fewer), most probable first; of equals the
    /// lower index first.
    pub ranked: Vec<(usize, f64)>,
    /// -ln of the probability of the picture's class.
    pub loss: f64,
    /// The size that the whole vector of probabilities expects, as [`expected_size`].
    pub expected_size: Option<usize>,
}

impl Prediction {
    /// A prediction from natural logarithms of probabilities, (K).
    pub fn new(row: u32, actual: usize, log_probabilities: &[f64], sizes: &[Option<usize>]) -> Self {
        let mut ranked: Vec<(usize, f64)> = log_probabilities.iter().map(|p| p.exp()).enumerate().collect();
        // Stable: equals stay in the order of the classes.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let expected_size = expected_size(&ranked, sizes);
        ranked.truncate(TOP_K);
        Self { row, actual, ranked, loss: -log_probabilities[actual], expected_size }
    }

    /// The most probable class.
    pub fn predicted(&self) -> usize {
        self.ranked[0].0
    }

    /// The probability of the most probable class.
    pub fn confidence(&self) -> f64 {
        self.ranked[0].1
    }
}

/// The size of each class's breed as 0 (small) to 3 (giant); `None` for a class that is no known breed.
pub fn sizes_of(classes: &[String]) -> Vec<Option<usize>> {
    let size = |class: &String| {
        let breed = breeds::find(class)?;
        Some(SizeThresholds::STANDARD.size(breed.mid_kg()) as usize)
    };
    classes.iter().map(size).collect()
}

/// The mean of the sizes of the known breeds, weighted by their probabilities, rounded to a size; `None`
/// where no class with a probability is a known breed. It may be right where the breed is wrong: a photo
/// does not tell a toy poodle from a miniature one.
pub fn expected_size(probabilities: &[(usize, f64)], sizes: &[Option<usize>]) -> Option<usize> {
    let of_breeds = probabilities.iter().filter_map(|&(class, p)| Some((sizes[class]? as f64, p)));
    let (sum, weight) = of_breeds.fold((0.0, 0.0), |(sum, weight), (size, p)| (sum + size * p, weight + p));
    (weight > 0.0).then(|| (sum / weight).round() as usize)
}

/// `metrics.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// [`data::provenance::FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// Digest of the head that was measured.
    pub head_sha256: String,
    /// ImageNet's own head on the same pictures, where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imagenet: Option<Baseline>,
    /// Figures by split.
    #[serde(flatten)]
    pub splits: BTreeMap<Split, SplitMetrics>,
}

/// How often the actual class was named. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hits {
    /// Share whose most probable class is right.
    pub top1: f64,
    /// Wilson's interval for `top1` at 95 %.
    pub top1_interval: [f64; 2],
    /// Share whose class is among the 5 most probable (among all, where there are fewer).
    pub top5: f64,
}

impl Hits {
    /// Those of `predictions`, of which there is at least one.
    pub fn of(predictions: &[Prediction]) -> Self {
        let n = predictions.len();
        let n_top1 = predictions.iter().filter(|p| p.predicted() == p.actual).count();
        let n_top5 = predictions.iter().filter(|p| p.ranked.iter().any(|r| r.0 == p.actual)).count();
        Self {
            top1: rounded(ratio(n_top1, n)),
            top1_interval: wilson_interval(n_top1, n).map(rounded),
            top5: rounded(ratio(n_top5, n)),
        }
    }
}

/// Figures of one split. Shares are from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitMetrics {
    /// Pictures.
    pub n: usize,
    /// Classes of the head.
    pub n_classes: usize,
    /// Share whose most probable class is right.
    pub top1: f64,
    /// Wilson's interval for `top1` at 95 %.
    pub top1_interval: [f64; 2],
    /// Share whose class is among the 5 most probable (among all, where there are fewer).
    pub top5: f64,
    /// Mean of -ln p(actual class).
    pub loss: f64,
    /// Mean of the F1 of the classes that have pictures.
    pub macro_f1: f64,
    /// Top-1 of always naming the split's most frequent class.
    pub majority_top1: f64,
    /// Share of pictures of known breeds whose predicted breed has the right size; `null` without any.
    pub size_accuracy: Option<f64>,
    /// The same for the size that all probabilities together expect.
    pub expected_size_accuracy: Option<f64>,
    /// Mean distance between confidence and accuracy over the bins, weighted by their pictures (ECE).
    pub calibration_error: f64,
    /// Reliability by confidence.
    pub calibration: Vec<Bin>,
    /// Figures by class, in the order of the head's outputs.
    pub per_class: Vec<ClassMetrics>,
}

/// Pictures whose confidence lies in one tenth of 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bin {
    /// Pictures.
    pub n: usize,
    /// Their mean confidence; 0 without pictures.
    pub confidence: f64,
    /// Share of them that is right; 0 without pictures.
    pub accuracy: f64,
}

/// Figures of one class; 0 where nothing is there to divide by, as scikit-learn has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassMetrics {
    /// The class.
    pub class: String,
    /// Of what was called this class, the share that was.
    pub precision: f64,
    /// Of what was this class, the share that was called so.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
    /// Pictures of the class.
    pub support: usize,
}

impl SplitMetrics {
    /// The figures of `predictions`, of which there is at least one.
    pub fn of(predictions: &[Prediction], classes: &[String]) -> Self {
        let n = predictions.len();
        let Hits { top1, top1_interval, top5 } = Hits::of(predictions);
        let counts = confusion(predictions, classes.len());
        let mut per_class = per_class(&counts, classes);
        let with_pictures: Vec<f64> = per_class.iter().filter(|c| c.support > 0).map(|c| c.f1).collect();
        let macro_f1 = rounded(with_pictures.iter().sum::<f64>() / with_pictures.len() as f64);
        for c in &mut per_class {
            [&mut c.precision, &mut c.recall, &mut c.f1].into_iter().for_each(|x| *x = rounded(*x));
        }
        let calibration = reliability(predictions);
        let gaps = calibration.iter().map(|bin| bin.n as f64 * (bin.accuracy - bin.confidence).abs());
        let sizes = sizes_of(classes);
        let by_breed = |p: &Prediction| sizes[p.predicted()];
        Self {
            n,
            n_classes: classes.len(),
            top1,
            top1_interval,
            top5,
            loss: rounded(predictions.iter().map(|p| p.loss).sum::<f64>() / n as f64),
            macro_f1,
            majority_top1: rounded(ratio(per_class.iter().map(|c| c.support).max().unwrap_or(0), n)),
            size_accuracy: size_accuracy(predictions, &sizes, by_breed),
            expected_size_accuracy: size_accuracy(predictions, &sizes, |p| p.expected_size),
            calibration_error: rounded(gaps.sum::<f64>() / n as f64),
            calibration,
            per_class,
        }
    }
}

/// Whether top-5 says anything among so many classes: among five or fewer it is always 100 %.
pub(crate) fn top5_tells(n_classes: usize) -> bool {
    n_classes > 5
}

impl Metrics {
    /// Writes them as `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        commit::write_bytes(path, (canonical_json(self)? + "\n").as_bytes())
    }

    /// Reads what [`Metrics::write`] wrote.
    ///
    /// # Errors
    /// If the file is missing or damaged.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = data::regular::read_to_string(path).with_context(|| {
            format!("there are no metrics at {}; run trainer evaluate first", path.display())
        })?;
        let damaged = || format!("{} is damaged; run trainer evaluate again", path.display());
        let value: serde_json::Value = serde_json::from_str(&text).with_context(damaged)?;
        check_version(path, value.get("format_version")).context("run trainer evaluate again")?;
        serde_json::from_value(value).with_context(damaged)
    }
}

/// Pictures by actual class (rows) and predicted class (columns), (K, K).
pub fn confusion(predictions: &[Prediction], n_classes: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; n_classes]; n_classes];
    predictions.iter().for_each(|p| counts[p.actual][p.predicted()] += 1);
    counts
}

fn per_class(counts: &[Vec<usize>], classes: &[String]) -> Vec<ClassMetrics> {
    let figures = |(c, class): (usize, &String)| {
        let support: usize = counts[c].iter().sum();
        let n_called: usize = counts.iter().map(|row| row[c]).sum();
        ClassMetrics {
            class: class.clone(),
            precision: ratio(counts[c][c], n_called),
            recall: ratio(counts[c][c], support),
            f1: ratio(2 * counts[c][c], support + n_called),
            support,
        }
    };
    classes.iter().enumerate().map(figures).collect()
}

fn reliability(predictions: &[Prediction]) -> Vec<Bin> {
    let mut bins = vec![Bin { n: 0, confidence: 0.0, accuracy: 0.0 }; N_BINS];
    for p in predictions {
        let bin = &mut bins[((p.confidence() * N_BINS as f64) as usize).min(N_BINS - 1)];
        bin.n += 1;
        bin.confidence += p.confidence();
        bin.accuracy += f64::from(u8::from(p.predicted() == p.actual));
    }
    for bin in &mut bins {
        let n = bin.n.max(1) as f64;
        (bin.confidence, bin.accuracy) = (rounded(bin.confidence / n), rounded(bin.accuracy / n));
    }
    bins
}

fn size_accuracy(
    predictions: &[Prediction],
    sizes: &[Option<usize>],
    found: impl Fn(&Prediction) -> Option<usize>,
) -> Option<f64> {
    let of_breeds: Vec<_> = predictions.iter().filter(|p| sizes[p.actual].is_some()).collect();
    let n_right = of_breeds.iter().filter(|p| found(p) == sizes[p.actual]).count();
    (!of_breeds.is_empty()).then(|| rounded(ratio(n_right, of_breeds.len())))
}

/// Wilson's score interval at 95 % for `k` hits in `n` (Wilson, "Probable inference, the law of succession,
/// and statistical inference", 1927).
pub(crate) fn wilson_interval(k: usize, n: usize) -> [f64; 2] {
    const Z: f64 = 1.959_963_984_540_054;
    let (p, n) = (k as f64 / n as f64, n as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    [centre - half, centre + half].map(|edge| (edge / (1.0 + Z * Z / n)).clamp(0.0, 1.0))
}

fn ratio(n: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { n as f64 / of as f64 }
}

fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predict(actual: usize, probabilities: &[f64]) -> Prediction {
        let log: Vec<f64> = probabilities.iter().map(|p| p.ln()).collect();
        Prediction::new(0, actual, &log, &vec![None; log.len()])
    }

    fn names(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("class {i}")).collect()
    }

    /// The figures are those of scikit-learn 1.9.1: `precision_recall_fscore_support(y, p, labels=[0, 1, 2],
    /// zero_division=0)` and, over the classes with pictures, `f1_score(y, p, average="macro")`.
    #[test]
    fn figures_by_class() {
        let of = |actual, predicted: usize| {
            let mut p = [0.1, 0.1, 0.1];
            p[predicted] = 0.8;
            predict(actual, &p)
        };
        let predictions = [of(0, 0), of(0, 1), of(1, 1), of(1, 1), of(1, 0)];
        let m = SplitMetrics::of(&predictions, &names(3));
        let row = |c: usize| {
            let c = &m.per_class[c];
            (c.precision, c.recall, c.f1, c.support)
        };
        assert_eq!(row(0), (0.5, 0.5, 0.5, 2));
        assert_eq!(row(1), (0.666667, 0.666667, 0.666667, 3));
        assert_eq!(row(2), (0.0, 0.0, 0.0, 0));
        assert_eq!((m.top1, m.top5, m.macro_f1, m.majority_top1), (0.6, 1.0, 0.583333, 0.6));
        // 0.8 sure, 0.6 right
        assert_eq!(m.calibration_error, 0.2);
        assert_eq!(m.calibration[8].n, 5);
    }

    #[test]
    fn wilson_stays_within_0_and_1() {
        // SciPy 1.17.1: binomtest(8, 10).proportion_ci(method="wilson")
        let [low, high] = wilson_interval(8, 10);
        assert!((low - 0.490_162_5).abs() < 1e-6 && (high - 0.943_317_8).abs() < 1e-6, "{low} {high}");
        assert_eq!(wilson_interval(0, 10)[0], 0.0);
        assert!((wilson_interval(10, 10)[1] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn ties_go_to_the_lower_index_and_confidence_1_has_a_bin() {
        assert_eq!(predict(1, &[0.25, 0.25, 0.25, 0.25]).predicted(), 0);
        let sure = SplitMetrics::of(&[predict(0, &[1.0, 0.0])], &names(2));
        assert_eq!((sure.calibration[9].n, sure.loss), (1, 0.0));
    }

    #[test]
    fn a_size_may_be_right_where_the_breed_is_wrong() {
        let classes: Vec<String> =
            ["n02085620-Chihuahua", "n02085936-Maltese_dog", "n02109047-Great_Dane", "not_a_dog"]
                .map(str::to_owned)
                .into();
        let sizes = sizes_of(&classes);
        assert_eq!(sizes, [Some(0), Some(0), Some(3), None]);
        let log = [0.1f64, 0.7, 0.1, 0.1].map(f64::ln);
        let predictions = [Prediction::new(0, 0, &log, &sizes), Prediction::new(1, 3, &log, &sizes)];
        let m = SplitMetrics::of(&predictions, &classes);
        assert_eq!((m.top1, m.size_accuracy, m.expected_size_accuracy), (0.0, Some(1.0), Some(1.0)));
        assert_eq!(SplitMetrics::of(&predictions[..1], &names(4)).size_accuracy, None);
    }

    #[test]
    fn they_come_back_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let figures =
            SplitMetrics::of(&[predict(1, &[0.6, 0.3, 0.1]), predict(0, &[0.7, 0.2, 0.1])], &names(3));
        let metrics = Metrics {
            format_version: data::provenance::FORMAT_VERSION,
            head_sha256: "ab".into(),
            imagenet: None,
            splits: [(Split::Test, figures)].into(),
        };
        metrics.write(&path).unwrap();
        assert_eq!(Metrics::read(&path).unwrap(), metrics);
        let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(json["test"]["top1"], 0.5);
    }
}
