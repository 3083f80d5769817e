//! Whole training steps, compared with the steps of [`crate::mlp`], which share no arithmetic with candle's autograd
//! and optimizer except the matrix product.

use data::draw;

use super::*;
use crate::batches::dropout_mask;
use crate::init::random::glorot_uniform;
use crate::mlp::Mlp;

const N_ROWS: usize = 16;
const N_STEPS: usize = 12;
/// Largest difference of a weight, a momentum buffer or a mean loss after [`N_STEPS`] steps, in f32 with weights
/// around 1: sums in another order differ by about 1e-6.
const TOLERANCE: f64 = 2e-5;

/// A batch of normally distributed features, and a dropout mask for `n_units` units.
fn batch(step: usize, sizes: &[usize], dropout: f64) -> (Batch, Option<Vec<f32>>) {
    let mut draws = draw::stream(11, "test batch", &step.to_string());
    let values = (0..N_ROWS * sizes[0]).map(|_| draws.normal() as f32).collect();
    let features = Tensor::from_vec(values, (N_ROWS, sizes[0]), &Device::Cpu).unwrap(); // (B,D)
    let labels = (0..N_ROWS).map(|_| draws.below(sizes[sizes.len() - 1]) as u32).collect();
    let has_mask = dropout > 0.0 && sizes.len() > 2;
    let mask = has_mask.then(|| dropout_mask(11, 1, step, dropout, N_ROWS * sizes[1]));
    (Batch { features, labels }, mask)
}

fn largest_difference(a: &[Dense], b: &[Dense]) -> f64 {
    assert_eq!(a.len(), b.len());
    let values = |layers: &[Dense]| -> Vec<f32> {
        layers.iter().flat_map(|l| l.weight.iter().chain(&l.bias).copied().collect::<Vec<_>>()).collect()
    };
    let pairs = values(a).into_iter().zip(values(b));
    pairs.map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
}

fn zeros(layers: &[Dense]) -> Vec<Dense> {
    let zero = |l: &Dense| Dense { weight: vec![0.0; l.weight.len()], bias: vec![0.0; l.n_out], ..*l };
    layers.iter().map(zero).collect()
}

/// Trains both networks from the same weights; the largest difference in the loss of a step, in the weights and in the
/// momentum buffers.
fn difference(sizes: &[usize], dropout: f64, objective: &Objective, cpu: Sgd, candle: Sgd) -> f64 {
    let layers = glorot_uniform(3, sizes);
    let velocity = |sgd: Sgd| if sgd.momentum > 0.0 { zeros(&layers) } else { Vec::new() };
    let mut mlp = Mlp::new(layers.clone(), velocity(cpu)).unwrap();
    let mut network = CandleNetwork::new(layers.clone(), velocity(candle), candle, &Device::Cpu).unwrap();
    let mut largest: f64 = 0.0;
    for step in 0..N_STEPS {
        let (batch, mask) = batch(step, sizes, dropout);
        let expected = mlp.step(&batch, mask.clone(), objective, &cpu).unwrap();
        let found = network.step(&batch, mask, objective).unwrap();
        let off = (expected.cross_entropy - found.cross_entropy).abs() / N_ROWS as f64;
        largest = largest.max(off);
    }
    assert!(largest_difference(&mlp.layers().unwrap(), &layers) > 0.01, "the weights hardly changed");
    largest = largest.max(largest_difference(&mlp.layers().unwrap(), &network.layers().unwrap()));
    if cpu.momentum > 0.0 && candle.momentum > 0.0 {
        largest = largest.max(largest_difference(&mlp.velocity().unwrap(), &network.velocity().unwrap()));
    }
    largest
}

const SGD: Sgd = Sgd { learning_rate: 0.1, momentum: 0.9, weight_decay: 0.01 };

fn objective(label_smoothing: f64) -> Objective {
    Objective { label_smoothing, class_weights: vec![1.0, 0.5, 2.0, 1.5, 0.25] }
}

#[test]
fn steps_are_those_of_the_cpu() {
    for sizes in [&[24, 5][..], &[24, 16, 5], &[24, 16, 8, 5]] {
        for (dropout, label_smoothing) in [(0.0, 0.0), (0.3, 0.1)] {
            for momentum in [0.0, 0.9] {
                for weight_decay in [0.0, 0.01] {
                    let sgd = Sgd { momentum, weight_decay, ..SGD };
                    let off = difference(sizes, dropout, &objective(label_smoothing), sgd, sgd);
                    assert!(off < TOLERANCE, "{sizes:?}, dropout {dropout}, {sgd:?}: off by {off}");
                }
            }
        }
    }
}

/// The tolerance is small enough to find a wrong step: every hyperparameter, changed a little, exceeds it.
#[test]
fn other_hyperparameters_exceed_the_tolerance() {
    let sizes = [24, 16, 5];
    for other in [
        Sgd { learning_rate: 0.101, ..SGD },
        Sgd { momentum: 0.89, ..SGD },
        Sgd { momentum: 0.0, ..SGD },
        Sgd { weight_decay: 0.011, ..SGD },
    ] {
        let off = difference(&sizes, 0.3, &objective(0.1), SGD, other);
        assert!(off > 10.0 * TOLERANCE, "{other:?}: off by {off}");
    }
}

#[test]
fn momentum_buffers_are_resumed() {
    let sizes = [24, 16, 5];
    let layers = glorot_uniform(3, &sizes);
    let mut whole = CandleNetwork::new(layers.clone(), zeros(&layers), SGD, &Device::Cpu).unwrap();
    let mut parts = CandleNetwork::new(layers.clone(), zeros(&layers), SGD, &Device::Cpu).unwrap();
    for step in 0..4 {
        let (batch, mask) = batch(step, &sizes, 0.3);
        whole.step(&batch, mask.clone(), &objective(0.1)).unwrap();
        parts.step(&batch, mask, &objective(0.1)).unwrap();
        let (layers, velocity) = (parts.layers().unwrap(), parts.velocity().unwrap());
        parts = CandleNetwork::new(layers, velocity, SGD, &Device::Cpu).unwrap();
    }
    assert_eq!(whole.layers().unwrap(), parts.layers().unwrap());
    let (batch, _) = batch(9, &sizes, 0.0);
    assert_eq!(whole.logits(&batch.features).unwrap(), parts.logits(&batch.features).unwrap());
}

#[test]
fn a_loss_that_is_not_finite_changes_no_weight() {
    let layers = glorot_uniform(1, &[4, 3]);
    let mut network = CandleNetwork::new(layers.clone(), zeros(&layers), SGD, &Device::Cpu).unwrap();
    let features = Tensor::from_vec(vec![f32::INFINITY, 0.0, 1.0, 2.0], (1, 4), &Device::Cpu).unwrap(); // (B,D)
    let objective = Objective { label_smoothing: 0.0, class_weights: vec![1.0; 3] };
    let loss = network.step(&Batch { features, labels: vec![0] }, None, &objective).unwrap();
    assert!(!loss.cross_entropy.is_finite());
    assert_eq!(network.layers().unwrap(), layers);
}
