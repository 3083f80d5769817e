//! The prediction for one picture, and the size of dog that it implies.

use data::breeds::{self, SizeThresholds};
use data::metrics::TOP_K;

/// The prediction for one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Row of the manifest.
    pub row: u32,
    /// The picture's class.
    pub actual: usize,
    /// The [`TOP_K`] most probable classes (all, where there are fewer) with their probabilities, most probable
    /// first; ties go to the lower index.
    pub ranked: Vec<(usize, f64)>,
    /// -ln of the probability of the picture's class.
    pub loss: f64,
    /// The expected size under all probabilities, as [`expected_size`] computes it.
    pub expected_size: Option<usize>,
}

impl Prediction {
    /// A prediction from natural logarithms of probabilities, (K), and the size of each class, (K).
    pub fn new(row: u32, actual: usize, log_probabilities: &[f64], sizes: &[Option<usize>]) -> Self {
        let mut ranked: Vec<(usize, f64)> = log_probabilities.iter().map(|p| p.exp()).enumerate().collect();
        // The sort is stable: ties stay in the order of the classes.
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

/// Finds the size of each class's breed as 0 (small) to 3 (giant); `None` for a class that is no known breed.
pub fn sizes_of(classes: &[String]) -> Vec<Option<usize>> {
    let size = |class: &String| {
        let breed = breeds::find(class)?;
        Some(SizeThresholds::STANDARD.size(breed.mid_kg()) as usize)
    };
    classes.iter().map(size).collect()
}

/// Computes the mean of the sizes of the known breeds, weighted by their probabilities, rounded to a size; `None`
/// where no class with a probability is a known breed. It may be correct where the breed is wrong: a photo does not
/// show whether a poodle is a toy or a miniature one.
pub fn expected_size(probabilities: &[(usize, f64)], sizes: &[Option<usize>]) -> Option<usize> {
    let of_breeds = probabilities.iter().filter_map(|&(class, p)| Some((sizes[class]? as f64, p)));
    let (sum, weight) = of_breeds.fold((0.0, 0.0), |(sum, weight), (size, p)| (sum + size * p, weight + p));
    (weight > 0.0).then(|| (sum / weight).round() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_lower_index() {
        let log = [0.25f64; 4].map(f64::ln);
        assert_eq!(Prediction::new(0, 1, &log, &[None; 4]).predicted(), 0);
    }

    #[test]
    fn sizes_are_those_of_the_known_breeds() {
        let classes = ["n02085620-Chihuahua", "n02109047-Great_Dane", "not_a_dog"].map(str::to_owned);
        let sizes = sizes_of(&classes);
        assert_eq!(sizes, [Some(0), Some(3), None]);
        assert_eq!(expected_size(&[(1, 0.35), (0, 0.25), (2, 0.4)], &sizes), Some(2));
        assert_eq!(expected_size(&[(2, 1.0)], &sizes), None);
    }
}
