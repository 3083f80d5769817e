use candle_core::{Device, Tensor};
use data::draw;

use super::*;
use crate::loss::log_softmax;
use crate::mlp::Mlp;

const D: usize = 6;

fn drawn(n_out: usize, name: &str) -> Dense {
    let mut draws = draw::stream(1, "test", name);
    let mut values = |n: usize| (0..n).map(|_| draws.normal() as f32).collect::<Vec<f32>>();
    Dense { n_out, n_in: D, weight: values(n_out * D), bias: values(n_out) }
}

fn names(classes: &[&str]) -> Vec<String> {
    classes.iter().map(|class| (*class).to_owned()).collect()
}

fn logits(layers: Vec<Dense>, features: &[f32]) -> Vec<f32> {
    let features = Tensor::from_slice(features, (features.len() / D, D), &Device::Cpu).unwrap();
    Mlp::new(layers, Vec::new()).unwrap().logits(&features).unwrap()
}

#[test]
fn a_breed_by_any_of_its_names_has_its_row_and_the_others_have_means() {
    let imagenet = drawn(1000, "imagenet");
    let classes = names(&["pug", "n02088364-beagle", "German Shepherd Dog", "no dogs", "labradoodle"]);
    assert_eq!(known(&classes), [true, true, true, true, false]);
    let found = restricted(&imagenet, &classes);
    assert_eq!((found.n_out, found.n_in), (5, D));
    for (row, index) in [(0, 254), (1, 162), (2, 235)] {
        assert_eq!((found.row(row), found.bias[row]), (imagenet.row(index), imagenet.bias[index]), "{row}");
    }
    let features: Vec<f32> = (0..D).map(|i| 0.2 * i as f32).collect();
    let all = logits(vec![imagenet], &features);
    let restricted = logits(vec![found], &features);
    let others: Vec<f64> = (0..1000).filter(|&i| !is_breed(i)).map(|i| f64::from(all[i])).collect();
    assert_eq!(others.len(), 879);
    let expected = others.iter().sum::<f64>() / 879.0 + 879f64.ln();
    assert!((f64::from(restricted[3]) - expected).abs() < 1e-4, "{} {expected}", restricted[3]);
    let exact = others.iter().map(|z| z.exp()).sum::<f64>().ln();
    assert!(expected < exact, "the mean is a lower bound of ln sum exp");
    let mean = all.iter().map(|&z| f64::from(z)).sum::<f64>() / 1000.0;
    assert!((f64::from(restricted[4]) - mean).abs() < 1e-4);
}

#[test]
fn hidden_layers_do_not_change_the_logits() {
    let classifier = drawn(3, "classifier");
    let mut draws = draw::stream(1, "features", "");
    let features: Vec<f32> = (0..20 * D).map(|_| draws.normal() as f32).collect();
    let expected = logits(vec![classifier.clone()], &features);
    for hidden in [&[][..], &[6], &[9], &[7, 8], &[10, 6, 12]] {
        let sizes = [&[D], hidden, &[3]].concat();
        let made = layers(1, &sizes, classifier.clone());
        assert_eq!(made.iter().map(|l| l.n_out).collect::<Vec<_>>(), sizes[1..]);
        assert_eq!(logits(made, &features), expected, "{hidden:?}");
    }
}

#[test]
fn units_that_carry_no_logit_are_drawn_as_without_a_classifier() {
    let (sizes, classifier) = ([D, 9, 8, 3], drawn(3, "classifier"));
    let (made, drawn) = (layers(5, &sizes, classifier.clone()), glorot_uniform(5, &sizes));
    for (layer, n_units) in [(0, 9), (1, 8)] {
        for unit in n_carrying(3)..n_units {
            assert_eq!(made[layer].row(unit), drawn[layer].row(unit), "{layer} {unit}");
        }
    }
    assert!((0..3).all(|class| made[2].row(class)[n_carrying(3)..] == [0.0, 0.0]));
    assert_ne!(layers(6, &sizes, classifier)[0], made[0]);
}

#[test]
fn the_mean_row_is_nothing_in_a_softmax() {
    let imagenet = drawn(1000, "imagenet");
    let mut centred = imagenet.clone();
    let (mean, bias) = mean_of(&imagenet, &(0..1000).collect::<Vec<_>>());
    for row in 0..1000 {
        centred.row_mut(row).iter_mut().zip(&mean).for_each(|(w, mean)| *w -= mean);
        centred.bias[row] -= bias;
    }
    let classes = names(&["pug", "labradoodle"]);
    let features = [0.5; D];
    let of = |imagenet: &Dense| log_softmax(&logits(vec![restricted(imagenet, &classes)], &features));
    for (a, b) in of(&imagenet).iter().zip(of(&centred)) {
        assert!((a - b).abs() < 1e-5);
    }
    assert!(restricted(&centred, &classes).row(1).iter().all(|w| w.abs() < 1e-6));
}
