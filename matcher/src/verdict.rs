//! The verdict on a photo, from the model's probabilities: a dog or not, which breed, which size.
//!
//! The size is that with the largest summed probability of its breeds ([`SizeProbabilities`]).

use data::breeds::{Size, SizeProbabilities, SizeThresholds};

use crate::detect::{Classes, Kind};

/// A class and its probability.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Guess {
    /// Index of the class in the model's classes.
    pub class: usize,
    /// Its probability.
    pub probability: f64,
}

/// A size and a typical weight of that size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Kilograms, a figure for people.
    pub kg: f64,
    /// Size by the thresholds in use.
    pub size: Size,
    /// Probability of the size, given that there is a dog; 1 where the breed is known.
    pub probability: f64,
}

impl Estimate {
    /// Returns the estimate for a dog of a breed of `kg` kilograms.
    pub fn of_breed(kg: f64, thresholds: &SizeThresholds) -> Self {
        Self { kg, size: thresholds.size(kg), probability: 1.0 }
    }
}

/// The verdict on a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Probability that the photo shows a dog.
    pub dog_probability: f64,
    /// The most probable class among those that are dogs.
    pub breed: Guess,
    /// The probability of each size, given that there is a dog.
    pub sizes: SizeProbabilities,
    /// The most probable size. `None` if the breeds of known weight have less than half of the dog's probability.
    pub size: Option<Estimate>,
    /// One probability per class.
    pub probabilities: Vec<f32>,
    /// What the photo shows instead of a dog, and its probability, where the model has names for that.
    pub instead: Option<(String, f64)>,
}

impl Verdict {
    /// Computes the verdict from `probabilities`, one per class.
    ///
    /// # Panics
    /// If there is not one probability per class.
    pub fn new(probabilities: Vec<f32>, classes: &Classes, thresholds: &SizeThresholds) -> Self {
        let dog_probability = classes.dog_probability(&probabilities);
        let dogs = || (0..probabilities.len()).filter(|&class| classes.is_dog(class));
        let guess = |class: usize| Guess { class, probability: f64::from(probabilities[class]) };
        // Among equals the first wins.
        let breed = dogs().rev().map(guess).max_by(|a, b| a.probability.total_cmp(&b.probability));
        let weighed = dogs().map(|class| (f64::from(probabilities[class]), classes.kind(class).mid_kg()));
        let sizes = SizeProbabilities::new(weighed, thresholds);
        let size = sizes.most_probable();
        Self {
            dog_probability,
            breed: breed.expect("Classes has at least one dog"),
            sizes,
            size: size.map(|size| Estimate { kg: sizes.kg(size), size, probability: sizes.within(size, 0) }),
            probabilities,
            instead: None,
        }
    }

    /// Returns the probability that the dog is of `kind`, given that there is a dog.
    pub fn probability_of(&self, kind: &Kind, classes: &Classes) -> f64 {
        let sum = |is_wanted: &dyn Fn(usize) -> bool| -> f64 {
            let wanted =
                (0..self.probabilities.len()).filter(|&class| classes.is_dog(class) && is_wanted(class));
            wanted.map(|class| f64::from(self.probabilities[class])).sum()
        };
        let dogs = sum(&|_| true);
        if dogs > 0.0 { sum(&|class| classes.kind(class) == kind) / dogs } else { 0.0 }
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
    fn the_size_with_the_largest_summed_probability_decides() {
        // The most probable breed is giant, and so would be a mean of kilograms: the small breeds together win.
        let names = ["chihuahua", "Maltese_dog", "Great_Dane", "not_a_dog"];
        let v = verdict(&names, &[0.25, 0.25, 0.3, 0.2]);
        let size = v.size.unwrap();
        assert_eq!((v.breed.class, size.size), (2, Size::Small));
        assert!((size.probability - 0.5 / 0.8).abs() < 1e-6 && size.kg < 4.0, "{size:?}");
        let classes = Classes::new(&names.map(str::to_owned), &[]).unwrap();
        assert!((v.probability_of(classes.kind(2), &classes) - 0.3 / 0.8).abs() < 1e-6);
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
