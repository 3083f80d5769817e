//! Categorical cross-entropy over a softmax, and its gradient, for a batch of logits.
//!
//! Letters: B rows, K classes.

use std::ops::AddAssign;

/// The parameters of the loss that training minimizes.
#[derive(Debug, Clone)]
pub(crate) struct Objective {
    /// Share of each one-hot target that is spread evenly over all classes, 0 to 1.
    pub(crate) label_smoothing: f64,
    /// (K) Weight of a picture by its class; 1 without class weights.
    pub(crate) class_weights: Vec<f64>,
}

/// The loss and the numbers of correct predictions of some rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Loss {
    /// Sum over the rows of -ln p(label), without class weights and label smoothing, so that it can be compared
    /// between train and valid and between training runs.
    pub(crate) cross_entropy: f64,
    /// Rows whose largest logit is the label's.
    pub(crate) n_top1: usize,
    /// Rows whose label is among the 5 largest logits (or among all, where there are fewer classes).
    pub(crate) n_top5: usize,
}

impl Loss {
    /// Adds rows with these `logits` (B,K) and `labels` (B).
    pub(crate) fn add(&mut self, logits: &[f32], labels: &[u32]) {
        for (logits, &label) in logits.chunks_exact(logits.len() / labels.len()).zip(labels) {
            let label = label as usize;
            self.cross_entropy -= log_softmax(logits)[label];
            let rank = rank_of(logits, label);
            self.n_top1 += usize::from(rank < 1);
            self.n_top5 += usize::from(rank < 5);
        }
    }
}

impl AddAssign for Loss {
    fn add_assign(&mut self, other: Self) {
        self.cross_entropy += other.cross_entropy;
        self.n_top1 += other.n_top1;
        self.n_top5 += other.n_top5;
    }
}

/// Says of each row of `logits` (B,K) whether its largest is that of the label (B).
pub(crate) fn is_right(logits: &[f32], labels: &[u32]) -> Vec<bool> {
    let rows = logits.chunks_exact(logits.len() / labels.len()).zip(labels);
    rows.map(|(logits, &label)| rank_of(logits, label as usize) == 0).collect()
}

/// Computes the gradient (B,K) of the mean loss of the batch with respect to the logits: class weight of the row
/// * (softmax - target) / B. The mean divides by B, as in Keras, not by the sum of the class weights.
pub(crate) fn gradient(logits: &[f32], labels: &[u32], objective: &Objective) -> Vec<f32> {
    let n_classes = logits.len() / labels.len();
    let everywhere = objective.label_smoothing / n_classes as f64;
    let mut gradient = Vec::with_capacity(logits.len());
    for (logits, &label) in logits.chunks_exact(n_classes).zip(labels) {
        let weight = objective.class_weights[label as usize] / labels.len() as f64;
        for (class, log_p) in log_softmax(logits).into_iter().enumerate() {
            let here = if class == label as usize { 1.0 - objective.label_smoothing } else { 0.0 };
            gradient.push((weight * (log_p.exp() - here - everywhere)) as f32);
        }
    }
    gradient
}

/// Computes the targets (B,K) of the labels (B), each times the class weight of its row, so that the mean loss is
/// -sum(targets * log_softmax(logits)) / B.
pub(crate) fn weighted_targets(labels: &[u32], objective: &Objective) -> Vec<f32> {
    let Objective { label_smoothing, class_weights } = objective;
    let n_classes = class_weights.len();
    let mut targets = Vec::with_capacity(labels.len() * n_classes);
    for &label in labels {
        let weight = class_weights[label as usize];
        targets.extend((0..n_classes).map(|class| {
            let one_hot = if class == label as usize { 1.0 - label_smoothing } else { 0.0 };
            (weight * (one_hot + label_smoothing / n_classes as f64)) as f32
        }));
    }
    targets
}

/// Computes ln softmax of one row; the maximum is subtracted first, so that nothing overflows.
pub(crate) fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = logits.iter().map(|&z| f64::from(z) - f64::from(max));
    let log_sum = shifted.clone().map(f64::exp).sum::<f64>().ln();
    shifted.map(|z| z - log_sum).collect()
}

/// Counts the classes that rank before `class`: those with a larger value, and those with the same value and a lower
/// index. NaN ranks before every number.
fn rank_of(values: &[f32], class: usize) -> usize {
    let before =
        |(i, v): (usize, &f32)| i != class && !(*v < values[class] || (*v == values[class] && i > class));
    values.iter().enumerate().filter(|&pair| before(pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_do_not_overflow() {
        let log_p = log_softmax(&[1e30, 0.0, -1e30]);
        assert_eq!(log_p[0], 0.0);
        assert!(log_softmax(&[1000.0, 1000.0]).iter().all(|p| (p + std::f64::consts::LN_2).abs() < 1e-12));
    }

    #[test]
    fn ties_go_to_the_lowest_index_and_top5_ends_at_the_classes() {
        let mut loss = Loss::default();
        loss.add(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0], &[0, 1]);
        assert_eq!((loss.n_top1, loss.n_top5), (1, 2));
        let mut nan = Loss::default();
        nan.add(&[f32::NAN, 0.0], &[1]);
        assert!(nan.cross_entropy.is_nan() && nan.n_top1 == 0);
    }

    #[test]
    fn the_gradient_of_a_weighted_smoothed_row_is_the_difference_quotient() {
        let objective = Objective { label_smoothing: 0.1, class_weights: vec![2.0, 1.0, 0.5] };
        let value = |logits: &[f32]| -> f64 {
            let target = [0.9 + 0.1 / 3.0, 0.1 / 3.0, 0.1 / 3.0];
            -2.0 * log_softmax(logits).iter().zip(target).map(|(p, t)| p * t).sum::<f64>()
        };
        let logits = [0.3, -0.5, 0.9];
        for (class, found) in gradient(&logits, &[0], &objective).into_iter().enumerate() {
            let (mut up, mut down) = (logits, logits);
            up[class] += 1e-3;
            down[class] -= 1e-3;
            let expected = (value(&up) - value(&down)) / f64::from(up[class] - down[class]);
            assert!((expected - f64::from(found)).abs() < 1e-5, "{class}: {found}, expected {expected}");
        }
    }
}
