//! Initial weights: those of a `Dense` layer of Keras, from a seed.

use data::draw;
use data::head::Dense;

/// Draws layers of the given sizes, from D features to K classes: Glorot uniform weights and zero biases.
///
/// These are the defaults of Keras' `Dense`, which the post used: limit sqrt(6 / (n_in + n_out)) (Glorot
/// and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010). Each
/// layer has its own stream, so its weights do not depend on the other layers' sizes.
pub(crate) fn glorot_uniform(seed: u64, sizes: &[usize]) -> Vec<Dense> {
    let ends = sizes.windows(2);
    ends.enumerate().map(|(i, ends)| layer(seed, i + 1, ends[0], ends[1])).collect()
}

fn layer(seed: u64, number: usize, n_in: usize, n_out: usize) -> Dense {
    let limit = (6.0 / (n_in + n_out) as f64).sqrt();
    let mut stream = draw::stream(seed, "initial weights", &format!("dense_{number}"));
    let weight = (0..n_out * n_in).map(|_| stream.uniform(-limit, limit) as f32).collect();
    Dense { n_out, n_in, weight, bias: vec![0.0; n_out] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_fill_the_range_and_follow_the_seed() {
        let layers = glorot_uniform(1, &[30, 20, 4]);
        assert_eq!(layers.iter().map(|l| (l.n_out, l.n_in)).collect::<Vec<_>>(), [(20, 30), (4, 20)]);
        let limit = (6.0f32 / 50.0).sqrt();
        let largest = layers[0].weight.iter().fold(0.0f32, |m, w| m.max(w.abs()));
        assert!(largest <= limit && largest > 0.98 * limit, "{largest} of {limit}");
        assert!(layers[0].weight.iter().sum::<f32>().abs() < 10.0);
        assert!(layers.iter().all(|l| l.bias.iter().all(|&b| b == 0.0)));
        assert_eq!(layers, glorot_uniform(1, &[30, 20, 4]));
        assert_ne!(layers[0], glorot_uniform(2, &[30, 20, 4])[0]);
        assert_ne!(layers[0].weight[..80], layers[1].weight[..]);
    }
}
