//! Predictions -> [`data::metrics`]. Pure functions.
//!
//! All numbers are rounded to six digits here, so that equal results are equal bytes.

use data::breeds::Size;
use data::metrics::{Accuracy, Bin, ClassMetrics, N_BINS, SplitMetrics};

use crate::prediction::{Prediction, size_of, weights_of};

/// Computes the accuracy of `predictions`, of which there is at least one.
pub(crate) fn accuracy(predictions: &[Prediction]) -> Accuracy {
    let n = predictions.len();
    let n_top1 = predictions.iter().filter(|p| p.predicted() == p.actual).count();
    let n_top5 = predictions.iter().filter(|p| p.ranked.iter().any(|r| r.0 == p.actual)).count();
    Accuracy {
        top1: rounded(ratio(n_top1, n)),
        top1_interval: wilson_interval(n_top1, n).map(rounded),
        top5: rounded(ratio(n_top5, n)),
    }
}

/// Computes the metrics of `predictions`, of which there is at least one.
pub(crate) fn split_metrics(predictions: &[Prediction], classes: &[String]) -> SplitMetrics {
    let n = predictions.len();
    let Accuracy { top1, top1_interval, top5 } = accuracy(predictions);
    let (per_class, macro_f1) = per_class(predictions, classes);
    let calibration = reliability(predictions);
    let gaps = calibration.iter().map(|bin| bin.n as f64 * (bin.accuracy - bin.confidence).abs());
    let kg = weights_of(classes);
    SplitMetrics {
        n,
        n_classes: classes.len(),
        top1,
        top1_interval,
        top5,
        loss: rounded(predictions.iter().map(|p| p.loss).sum::<f64>() / n as f64),
        macro_f1,
        majority_top1: rounded(ratio(per_class.iter().map(|c| c.support).max().unwrap_or(0), n)),
        size_accuracy: size_accuracy(predictions, &kg, |p| kg[p.predicted()].map(size_of)),
        probable_size_accuracy: size_accuracy(predictions, &kg, |p| p.probable_size),
        calibration_error: rounded(gaps.sum::<f64>() / n as f64),
        calibration,
        per_class,
    }
}

/// Counts pictures by actual class (rows) and predicted class (columns), (K,K).
pub(crate) fn confusion(predictions: &[Prediction], n_classes: usize) -> Vec<Vec<usize>> {
    let mut counts = vec![vec![0; n_classes]; n_classes];
    predictions.iter().for_each(|p| counts[p.actual][p.predicted()] += 1);
    counts
}

/// Computes the metrics of each class, and the mean F1 of the classes that have pictures.
fn per_class(predictions: &[Prediction], classes: &[String]) -> (Vec<ClassMetrics>, f64) {
    let counts = confusion(predictions, classes.len());
    let metrics = |(c, class): (usize, &String)| {
        let support: usize = counts[c].iter().sum();
        let n_predicted: usize = counts.iter().map(|row| row[c]).sum();
        ClassMetrics {
            class: class.clone(),
            precision: ratio(counts[c][c], n_predicted),
            recall: ratio(counts[c][c], support),
            f1: ratio(2 * counts[c][c], support + n_predicted),
            support,
        }
    };
    let mut per_class: Vec<ClassMetrics> = classes.iter().enumerate().map(metrics).collect();
    let with_pictures: Vec<f64> = per_class.iter().filter(|c| c.support > 0).map(|c| c.f1).collect();
    let macro_f1 = rounded(with_pictures.iter().sum::<f64>() / with_pictures.len() as f64);
    for c in &mut per_class {
        [&mut c.precision, &mut c.recall, &mut c.f1].into_iter().for_each(|x| *x = rounded(*x));
    }
    (per_class, macro_f1)
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
    kg: &[Option<f64>],
    found: impl Fn(&Prediction) -> Option<Size>,
) -> Option<f64> {
    let of_breeds: Vec<_> = predictions.iter().filter(|p| kg[p.actual].is_some()).collect();
    let n_correct = of_breeds.iter().filter(|p| found(p) == kg[p.actual].map(size_of)).count();
    (!of_breeds.is_empty()).then(|| rounded(ratio(n_correct, of_breeds.len())))
}

/// Computes Wilson's score interval at 95 % for `k` successes in `n` (Wilson, "Probable inference, the law of succession,
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

    /// The expected values are those of scikit-learn 1.9.1: `precision_recall_fscore_support(y, p, labels=[0, 1, 2],
    /// zero_division=0)` and, over the classes with pictures, `f1_score(y, p, average="macro")`.
    #[test]
    fn metrics_by_class() {
        let of = |actual, predicted: usize| {
            let mut p = [0.1, 0.1, 0.1];
            p[predicted] = 0.8;
            predict(actual, &p)
        };
        let predictions = [of(0, 0), of(0, 1), of(1, 1), of(1, 1), of(1, 0)];
        let m = split_metrics(&predictions, &names(3));
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
    fn confidence_1_is_in_the_last_bin() {
        let sure = split_metrics(&[predict(0, &[1.0, 0.0])], &names(2));
        assert_eq!((sure.calibration[9].n, sure.loss), (1, 0.0));
    }

    #[test]
    fn a_size_may_be_correct_where_the_breed_is_wrong() {
        let classes: Vec<String> =
            ["n02085620-Chihuahua", "n02085936-Maltese_dog", "n02109047-Great_Dane", "not_a_dog"]
                .map(str::to_owned)
                .into();
        let kg = weights_of(&classes);
        let log = [0.1f64, 0.7, 0.1, 0.1].map(f64::ln);
        let predictions = [Prediction::new(0, 0, &log, &kg), Prediction::new(1, 3, &log, &kg)];
        let m = split_metrics(&predictions, &classes);
        assert_eq!((m.top1, m.size_accuracy, m.probable_size_accuracy), (0.0, Some(1.0), Some(1.0)));
        assert_eq!(split_metrics(&predictions[..1], &names(4)).size_accuracy, None);
    }
}
