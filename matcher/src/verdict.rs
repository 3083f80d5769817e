//! The verdict on a photo, from the model's probabilities: a dog or not, which breed, which size.
//!
//! The size comes from the **expected weight**, the mean of the breeds' middle weights weighted by their
//! probabilities, and not from the most probable breed. Reason: the three poodles, and the three schnauzers, look
//! alike and differ mainly in size, so the most probable of them often has the wrong size, but the mean is close.

use data::breeds::{Size, SizeThresholds};

use crate::detect::Classes;

/// Minimum share of the dog's probability on breeds of known weight; below it the size is unknown.
const MIN_WEIGHED: f64 = 0.5;

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Index of the class in the model's classes.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
}

/// A weight and its size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Kilograms.
    pub kg: f64,
    /// Size by the thresholds in use.
    pub size: Size,
}

impl Estimate {
    /// Returns the estimate for a dog of `kg` kilograms.
    pub fn new(kg: f64, thresholds: &SizeThresholds) -> Self {
        Self { kg, size: thresholds.size(kg) }
    }
}

/// The verdict on a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Probability that the photo shows a dog.
    pub dog_probability: f64,
    /// The most probable class among those that are dogs.
    pub breed: Guess,
    /// Size from the expected weight, used for the decision. `None` if the breeds of known weight have less than
    /// half of the dog's probability.
    pub size: Option<Estimate>,
    /// Size from the most probable breed alone, for comparison.
    pub size_of_breed: Option<Estimate>,
    /// One probability per class.
    pub probabilities: Vec<f32>,
}

impl Verdict {
    /// Computes the verdict from `probabilities`, one per class.
    ///
    /// # Panics
    /// If there is not one probability per class.
    pub fn new(probabilities: Vec<f32>, classes: &Classes, thresholds: &SizeThresholds) -> Self {
        let dog_probability = classes.dog_probability(&probabilities);
        let (mut dogs, mut weighed, mut kg) = (0.0, 0.0, 0.0);
        let mut breed: Option<Guess> = None;
        for (class, &p) in probabilities.iter().enumerate() {
            let probability = f64::from(p);
            if !classes.is_dog(class) {
                continue;
            }
            dogs += probability;
            if let Some(mid_kg) = classes.kind(class).mid_kg() {
                weighed += probability;
                kg += probability * mid_kg;
            }
            // Among equals the first wins.
            if breed.is_none_or(|best| probability > best.probability) {
                breed = Some(Guess { class, probability });
            }
        }
        let breed = breed.expect("Classes has at least one dog");
        let known = weighed > 0.0 && weighed >= MIN_WEIGHED * dogs;
        Self {
            dog_probability,
            breed,
            size: known.then(|| Estimate::new(kg / weighed, thresholds)),
            size_of_breed: classes.kind(breed.class).mid_kg().map(|kg| Estimate::new(kg, thresholds)),
            probabilities,
        }
    }

    /// Returns the `k` most probable of all classes, most probable first; among equals the first class comes first.
    pub fn top(&self, k: usize) -> Vec<Guess> {
        let guess = |(class, &p): (usize, &f32)| Guess { class, probability: f64::from(p) };
        let mut guesses: Vec<Guess> = self.probabilities.iter().enumerate().map(guess).collect();
        guesses.sort_by(|a, b| b.probability.total_cmp(&a.probability)); // stable
        guesses.truncate(k);
        guesses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(names: &[&str], probabilities: &[f32]) -> Verdict {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let classes = Classes::new(&names, &[]).unwrap();
        Verdict::new(probabilities.to_vec(), &classes, &SizeThresholds::STANDARD)
    }

    #[test]
    fn the_expected_weight_decides_the_size() {
        // Chihuahua 2.7 kg, Great Dane about 63 kg: neither breed is medium, their mean is.
        let names = ["chihuahua", "Great_Dane", "not_a_dog"];
        let v = verdict(&names, &[0.6, 0.2, 0.2]);
        let heavy = data::breeds::find("Great_Dane").unwrap().mid_kg();
        let size = v.size.unwrap();
        assert!((size.kg - (0.6 * 2.7 + 0.2 * heavy) / 0.8).abs() < 1e-6, "{size:?}");
        assert_eq!((size.size, v.size_of_breed.unwrap().size), (Size::Medium, Size::Small));
        assert_eq!(v.breed.class, 0);
    }

    #[test]
    fn a_size_needs_half_of_the_dogs_probability_on_breeds_of_known_weight() {
        let names = ["beagle", "dog", "not_a_dog"];
        for (probabilities, known) in [
            ([0.25, 0.25, 0.5], true),
            ([0.2, 0.3, 0.5], false),
            ([0.0, 0.0, 1.0], false),
            ([0.0, 1.0, 0.0], false),
        ] {
            assert_eq!(verdict(&names, &probabilities).size.is_some(), known, "{probabilities:?}");
        }
    }

    #[test]
    fn the_breed_is_the_most_probable_dog_even_if_a_class_without_dogs_is_more_probable() {
        let v = verdict(&["beagle", "not_a_dog", "chihuahua"], &[0.2, 0.7, 0.1]);
        assert_eq!((v.breed.class, v.top(1)[0].class), (0, 1));
    }

    #[test]
    fn among_equals_the_first_class_wins() {
        let v = verdict(&["beagle", "chihuahua", "not_a_dog"], &[0.4, 0.4, 0.2]);
        assert_eq!(v.breed.class, 0);
        assert_eq!(v.top(9).iter().map(|g| g.class).collect::<Vec<_>>(), [0, 1, 2]);
        assert_eq!(v.top(1).len(), 1);
    }
}
