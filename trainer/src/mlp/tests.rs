use candle_core::{D, DType, Var};

use super::*;
use crate::batches::dropout_mask;
use crate::init::random::glorot_uniform;

const SGD: Sgd = Sgd { learning_rate: 0.01, momentum: 0.0, weight_decay: 0.0 };

fn plain(n_classes: usize) -> Objective {
    Objective { label_smoothing: 0.0, class_weights: vec![1.0; n_classes] }
}

/// (n,d) values of a formula that the reference program has too.
fn formula(n: usize, d: usize, a: f64, b: f64) -> Vec<f32> {
    let value = |i: usize, j: usize| ((a * (i + 1) as f64) + (b * (j + 1) as f64)).sin() as f32;
    (0..n).flat_map(|i| (0..d).map(move |j| value(i, j))).collect()
}

fn tensor(values: Vec<f32>, n: usize, d: usize) -> Tensor {
    Tensor::from_vec(values, (n, d), &Device::Cpu).unwrap()
}

fn largest_difference(a: &Tensor, b: &Tensor) -> f32 {
    let difference = a.sub(b).unwrap().abs().unwrap().flatten_all().unwrap();
    difference.max(D::Minus1).unwrap().to_scalar().unwrap()
}

/// The objective with candle's own operations, for its autograd.
fn objective_in_candle(
    weights: &[(Var, Var)],
    batch: &Batch,
    mask: &Tensor,
    objective: &Objective,
) -> Tensor {
    let mut x = batch.features.clone();
    for (i, (weight, bias)) in weights.iter().enumerate() {
        x = x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(bias).unwrap();
        if i + 1 < weights.len() {
            x = x.relu().unwrap();
        }
        if i == 0 && weights.len() > 1 {
            x = x.mul(mask).unwrap();
        }
    }
    let k = x.dim(1).unwrap();
    let log_p = x.broadcast_sub(&x.exp().unwrap().sum_keepdim(1).unwrap().log().unwrap()).unwrap(); // (B,K)
    let targets: Vec<f32> = batch
        .labels
        .iter()
        .flat_map(|&label| {
            let (smoothing, weight) = (objective.label_smoothing, objective.class_weights[label as usize]);
            (0..k).map(move |class| {
                let here = if class == label as usize { 1.0 - smoothing } else { 0.0 };
                (weight * (here + smoothing / k as f64)) as f32
            })
        })
        .collect();
    let targets = tensor(targets, batch.labels.len(), k);
    let n = batch.labels.len() as f64;
    log_p.mul(&targets).unwrap().sum_all().unwrap().affine(-1.0 / n, 0.0).unwrap()
}

#[test]
fn gradients_are_those_of_autograd() {
    for sizes in [vec![24, 5], vec![24, 16, 5], vec![24, 16, 8, 5], vec![24, 16, 12, 8, 5]] {
        let dense = glorot_uniform(3, &sizes);
        let batch =
            Batch { features: tensor(formula(7, 24, 1.3, 0.7), 7, 24), labels: vec![0, 1, 2, 3, 4, 0, 2] };
        let mask = tensor(dropout_mask(3, 1, 1, 0.3, 7 * sizes[1]), 7, sizes[1]);
        let objective = Objective { label_smoothing: 0.1, class_weights: vec![1.0, 0.5, 2.0, 1.5, 0.25] };
        let mut weights = Vec::new();
        for layer in dense.clone() {
            let (weight, bias) = to_tensors(layer).unwrap();
            weights.push((Var::from_tensor(&weight).unwrap(), Var::from_tensor(&bias).unwrap()));
        }
        let expected = objective_in_candle(&weights, &batch, &mask, &objective).backward().unwrap();

        let mlp = Mlp::new(dense, Vec::new()).unwrap();
        let activations = mlp.forward(&batch.features, Some(&mask)).unwrap();
        let logits: Vec<f32> = activations.logits.flatten_all().unwrap().to_vec1().unwrap();
        let d_logits = tensor(gradient(&logits, &batch.labels, &objective), 7, 5);
        let found = mlp.backward(activations, Some(&mask), d_logits).unwrap();
        assert_eq!(found.len(), weights.len());
        for (i, (found, (weight, bias))) in found.iter().zip(&weights).enumerate() {
            let d_weight = found.delta.t().unwrap().matmul(&found.input).unwrap();
            let d_bias = found.delta.sum(0).unwrap();
            let off = largest_difference(&d_weight, expected.get(weight).unwrap())
                .max(largest_difference(&d_bias, expected.get(bias).unwrap()));
            assert!(off < 1e-6, "{sizes:?}, layer {}: off by {off}", i + 1);
        }
    }
}

/// Ten losses of PyTorch 2.15.0: `tests/peers/train_reference.py` prints these lines.
const TRAJECTORIES: [(Sgd, [f64; 10]); 2] = [
    (
        SGD,
        [1.599636, 1.608727, 1.592284, 1.618389, 1.575190, 1.598296, 1.592545, 1.585458, 1.557697, 1.584735],
    ),
    (
        Sgd { learning_rate: 0.01, momentum: 0.9, weight_decay: 0.001 },
        [1.599636, 1.608727, 1.582106, 1.611916, 1.574545, 1.560435, 1.555551, 1.500238, 1.521358, 1.465117],
    ),
];

#[test]
fn ten_steps_are_those_of_pytorch() {
    for (sgd, expected) in TRAJECTORIES {
        let sizes = [24, 16, 8, 5];
        let layers: Vec<Dense> = (0..3)
            .map(|i| {
                let (n_in, n_out) = (sizes[i], sizes[i + 1]);
                let scale = (6.0 / (n_in + n_out) as f64).sqrt() as f32;
                let weight = formula(n_out, n_in, 12.9898 * (i + 1) as f64, 78.233);
                let weight = weight.into_iter().map(|w| scale * w).collect();
                Dense { n_out, n_in, weight, bias: vec![0.0; n_out] }
            })
            .collect();
        let at_rest = |l: &Dense| Dense { weight: vec![0.0; l.weight.len()], bias: vec![0.0; l.n_out], ..*l };
        let velocity = if sgd.momentum > 0.0 { layers.iter().map(at_rest).collect() } else { Vec::new() };
        let mut mlp = Mlp::new(layers, velocity).unwrap();
        let found: Vec<f64> = (0..10u32)
            .map(|step| {
                let features = formula(6, 24, 1.7 + 0.1 * f64::from(step % 2), 0.9);
                let features = tensor(features.into_iter().map(|x| 3.0 * x).collect(), 6, 24);
                let labels = (0..6).map(|i| (i * 2 + step % 2) % 5).collect();
                let loss = mlp.step(&Batch { features, labels }, None, &plain(5), &sgd).unwrap();
                loss.cross_entropy / 6.0
            })
            .collect();
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-5, "{found:?}");
        }
    }
}

#[test]
fn an_update_in_pieces_is_one_update() {
    // 700 x 4096 is more than one piece; momentum and decay take the other path through the update.
    let sgd = Sgd { learning_rate: 0.1, momentum: 0.5, weight_decay: 0.01 };
    let dense = glorot_uniform(5, &[4096, 700]);
    let at_rest = Dense { weight: vec![0.0; 4096 * 700], bias: vec![0.0; 700], n_out: 700, n_in: 4096 };
    let batch = Batch { features: tensor(formula(3, 4096, 0.3, 0.11), 3, 4096), labels: vec![1, 2, 699] };
    let mut mlp = Mlp::new(dense.clone(), vec![at_rest]).unwrap();
    let before = mlp.forward(&batch.features, None).unwrap();
    let logits: Vec<f32> = before.logits.flatten_all().unwrap().to_vec1().unwrap();
    let delta = tensor(gradient(&logits, &batch.labels, &plain(700)), 3, 700);
    mlp.step(&batch, None, &plain(700), &sgd).unwrap();
    let (old, _) = to_tensors(dense[0].clone()).unwrap();
    let g = delta.t().unwrap().matmul(&batch.features).unwrap().add(&old.affine(0.01, 0.0).unwrap()).unwrap();
    let expected = old.sub(&g.affine(0.1, 0.0).unwrap()).unwrap();
    let off = largest_difference(&mlp.layers[0].weight, &expected);
    assert!(off < 1e-6, "off by {off}");
    assert_eq!(mlp.layers[0].weight.dtype(), DType::F32);
}

#[test]
fn a_loss_that_is_not_finite_moves_nothing() {
    let dense = glorot_uniform(1, &[4, 3]);
    let mut mlp = Mlp::new(dense.clone(), Vec::new()).unwrap();
    let features = tensor(vec![f32::INFINITY, 0.0, 1.0, 2.0], 1, 4);
    let loss = mlp.step(&Batch { features, labels: vec![0] }, None, &plain(3), &SGD).unwrap();
    assert!(!loss.cross_entropy.is_finite());
    assert_eq!(mlp.layers().unwrap(), dense);
}
