//! Initial weights that are those of ImageNet's classifier, restricted to the classes at hand.
//!
//! Letters: D features, H units of a hidden layer, K classes. Weights are (out, in).

use data::breeds::{self, says_no_dog};
use data::head::Dense;

use super::random::glorot_uniform;

/// What ImageNet's classifier knows of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// The breed with this index among ImageNet's 1000 classes.
    Breed(usize),
    /// Pictures without a dog: the 879 classes that are no breed.
    NoDog,
    /// Nothing.
    Unknown,
}

impl Known {
    fn of(class: &str) -> Self {
        match breeds::find(class) {
            Some(breed) => Self::Breed(breed.imagenet_index),
            None if says_no_dog(class) => Self::NoDog,
            None => Self::Unknown,
        }
    }
}

/// Finds which of the classes ImageNet's classifier knows, by the names of their breeds.
pub(crate) fn known(classes: &[String]) -> Vec<bool> {
    classes.iter().map(|class| Known::of(class) != Known::Unknown).collect()
}

/// Restricts ImageNet's classifier (1000, D) to `classes` (K): (1000, D) -> (K, D).
///
/// The row of a breed is its own. A class without dogs stands for 879 rows z, whose exact logit is ln sum exp z; its
/// row is their mean and its bias their mean bias + ln 879. By Jensen's inequality that is never more than the exact
/// logit, and equal to it where all z are equal. A class that ImageNet does not know has the mean of all 1000 rows: a
/// softmax does not change if the mean is subtracted from every row, so this is a row of zeros.
pub(crate) fn restricted(imagenet: &Dense, classes: &[String]) -> Dense {
    let no_dog: Vec<usize> = (0..imagenet.n_out).filter(|&index| !is_breed(index)).collect();
    let all: Vec<usize> = (0..imagenet.n_out).collect();
    let mut weight = Vec::with_capacity(classes.len() * imagenet.n_in);
    let mut bias = Vec::with_capacity(classes.len());
    for class in classes {
        let (row, b) = match Known::of(class) {
            Known::Breed(index) => mean_of(imagenet, &[index]),
            Known::NoDog => {
                let (row, b) = mean_of(imagenet, &no_dog);
                (row, b + (no_dog.len() as f32).ln())
            }
            Known::Unknown => mean_of(imagenet, &all),
        };
        weight.extend(row);
        bias.push(b);
    }
    Dense { n_out: classes.len(), n_in: imagenet.n_in, weight, bias }
}

fn is_breed(index: usize) -> bool {
    breeds::known().iter().any(|breed| breed.imagenet_index == index)
}

/// Computes the mean of some rows (D) and of their biases, summing in f64.
fn mean_of(layer: &Dense, rows: &[usize]) -> (Vec<f32>, f32) {
    let n = rows.len() as f64;
    let mut mean = vec![0.0; layer.n_in];
    for &row in rows {
        mean.iter_mut().zip(layer.row(row)).for_each(|(sum, &w)| *sum += f64::from(w));
    }
    let bias = rows.iter().map(|&row| f64::from(layer.bias[row])).sum::<f64>() / n;
    (mean.into_iter().map(|sum| (sum / n) as f32).collect(), bias as f32)
}

/// The number of units of each hidden layer that carry the logits of `n_classes` classes.
pub(crate) fn n_carrying(n_classes: usize) -> usize {
    2 * n_classes
}

/// Makes layers of the given sizes, from D features to K classes, with the logits of `classifier` (K, D).
///
/// Without hidden layers that is the classifier itself. Otherwise the first 2K units of every hidden layer carry the
/// positive and the negative part of each logit through the ReLUs: z = relu(z) - relu(-z). All other units are drawn
/// from the seed, as without a classifier, and have zero weights in the last layer, so that they change no logit
/// before the first training step. The caller checks that every hidden layer has 2K units.
pub(crate) fn layers(seed: u64, sizes: &[usize], classifier: Dense) -> Vec<Dense> {
    if sizes.len() <= 2 {
        return vec![classifier];
    }
    let mut layers = glorot_uniform(seed, sizes);
    let last = layers.len() - 1;
    for k in 0..classifier.n_out {
        for (unit, sign) in [(2 * k, 1.0), (2 * k + 1, -1.0)] {
            layers[0].row_mut(unit).iter_mut().zip(classifier.row(k)).for_each(|(to, w)| *to = sign * w);
            layers[0].bias[unit] = sign * classifier.bias[k];
            for hidden in &mut layers[1..last] {
                hidden.row_mut(unit).fill(0.0);
                hidden.row_mut(unit)[unit] = 1.0;
            }
        }
        let to_class = layers[last].row_mut(k);
        to_class.fill(0.0);
        to_class[2 * k] = 1.0;
        to_class[2 * k + 1] = -1.0;
    }
    layers
}

#[cfg(test)]
mod tests;
