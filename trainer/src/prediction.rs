//! The prediction for one picture, and the size of dog that it implies.

use data::breeds::{self, Size, SizeProbabilities, SizeThresholds};
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
    /// The size with the largest summed probability among the known breeds.
    pub probable_size: Option<Size>,
}

impl Prediction {
    /// A prediction from natural logarithms of probabilities, (K), and the middle weight of each class, (K), as
    /// [`weights_of`] gives it.
    pub fn new(row: u32, actual: usize, log_probabilities: &[f64], kg: &[Option<f64>]) -> Self {
        let mut ranked: Vec<(usize, f64)> = log_probabilities.iter().map(|p| p.exp()).enumerate().collect();
        // The sort is stable: ties stay in the order of the classes.
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let of_breeds = ranked.iter().filter_map(|&(class, p)| Some((p, Some(kg[class]?))));
        let probable_size = SizeProbabilities::new(of_breeds, &SizeThresholds::STANDARD).most_probable();
        ranked.truncate(TOP_K);
        Self { row, actual, ranked, loss: -log_probabilities[actual], probable_size }
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

/// Finds the middle weight of each class's breed in kilograms; `None` for a class that is no known breed.
pub fn weights_of(classes: &[String]) -> Vec<Option<f64>> {
    classes.iter().map(|class| breeds::find(class).map(breeds::Breed::mid_kg)).collect()
}

/// The size of a known breed of that middle weight.
pub fn size_of(kg: f64) -> Size {
    SizeThresholds::STANDARD.size(kg)
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
    fn the_size_is_that_with_the_largest_sum() {
        let classes = ["n02085620-Chihuahua", "n02085936-Maltese_dog", "n02109047-Great_Dane", "not_a_dog"];
        let kg = weights_of(&classes.map(str::to_owned));
        assert_eq!(kg[3], None);
        let size = |p: [f64; 4]| Prediction::new(0, 0, &p.map(f64::ln), &kg).probable_size;
        assert_eq!(size([0.2, 0.2, 0.3, 0.3]), Some(Size::Small));
        assert_eq!(size([0.1, 0.1, 0.3, 0.5]), Some(Size::Giant));
        assert_eq!(size([0.0, 0.0, 0.0, 1.0]), None);
    }
}
