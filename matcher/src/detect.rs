//! Dog or not: the kind of each class of a model.
//!
//! There is no separate detector. A model is trained with classes without dogs besides the breeds, and the
//! sum of their probabilities is the probability that a photo shows no dog.

use data::breeds::{self, Breed};
use data::stage::usage;

/// Names of classes that are dogs of no particular breed.
const SOME_DOGS: [&str; 6] = ["dog", "dogs", "puppy", "puppies", "otherdog", "otherdogs"];

/// The kind of a class.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// No dog.
    NotADog,
    /// A dog of no particular breed, such as the class `dog`.
    SomeDog,
    /// A breed whose weight is known.
    Breed(&'static Breed),
    /// A breed of unknown weight; the text is the name of the class.
    OtherBreed(String),
}

impl Kind {
    /// Returns the breed's middle weight in kilograms, if it is known.
    pub fn mid_kg(&self) -> Option<f64> {
        match self {
            Kind::Breed(breed) => Some(breed.mid_kg()),
            _ => None,
        }
    }
}

/// The classes of a model and their kinds.
#[derive(Debug, Clone)]
pub struct Classes {
    names: Vec<String>,
    kinds: Vec<Kind>,
}

impl Classes {
    /// Finds the kind of each class in `names`, in the order of the model's outputs.
    ///
    /// Classes listed in `not_a_dog`, by folder name or by readable name, are not dogs, in addition to those whose
    /// names say so, such as `cat`.
    ///
    /// # Errors
    /// A usage error if a name in `not_a_dog` is not a class of the model, or if no class is a dog.
    pub fn new(names: &[String], not_a_dog: &[String]) -> anyhow::Result<Self> {
        if let Some(unknown) = not_a_dog.iter().find(|n| !names.iter().any(|class| same_name(class, n))) {
            return Err(usage(format!(
                "--not-a-dog: {unknown:?} is not a class of the model; its classes are {}",
                listed(names)
            )));
        }
        let kind = |class: &String| {
            let named = |among: &[&str]| among.contains(&simple(class).as_str());
            if breeds::says_no_dog(class) || not_a_dog.iter().any(|n| same_name(class, n)) {
                Kind::NotADog
            } else if named(&SOME_DOGS) {
                Kind::SomeDog
            } else {
                breeds::find(class).map_or_else(|| Kind::OtherBreed(class.clone()), Kind::Breed)
            }
        };
        let kinds: Vec<Kind> = names.iter().map(kind).collect();
        let unknown: Vec<&String> = names
            .iter()
            .zip(&kinds)
            .filter_map(|(name, kind)| matches!(kind, Kind::OtherBreed(_)).then_some(name))
            .collect();
        if !unknown.is_empty() {
            tracing::warn!(
                "classes taken as breeds of unknown weight: {}; if one of them is not a dog, name it with --not-a-dog",
                listed(&unknown.into_iter().cloned().collect::<Vec<_>>())
            );
        }
        if kinds.iter().all(|k| *k == Kind::NotADog) {
            return Err(usage(format!("no class of the model is a dog: {}", listed(names))));
        }
        Ok(Self { names: names.to_vec(), kinds })
    }

    /// Returns the number of classes.
    pub(crate) fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Returns the readable name of class `i`.
    pub fn name(&self, i: usize) -> String {
        breeds::readable(&self.names[i])
    }

    /// Returns the kind of class `i`.
    pub fn kind(&self, i: usize) -> &Kind {
        &self.kinds[i]
    }

    /// Returns whether class `i` is a dog.
    pub fn is_dog(&self, i: usize) -> bool {
        self.kinds[i] != Kind::NotADog
    }

    /// Returns whether the model has a class without dogs.
    pub fn can_say_no_dog(&self) -> bool {
        self.kinds.contains(&Kind::NotADog)
    }

    /// Finds the class `name`: by folder, by readable name, or by a name of the same breed.
    pub fn find(&self, name: &str) -> Option<usize> {
        let breed = breeds::find(name);
        let fits = |i: &usize| {
            same_name(&self.names[*i], name)
                || matches!((&self.kinds[*i], breed), (Kind::Breed(a), Some(b)) if *a == b)
        };
        (0..self.len()).find(fits)
    }

    /// Lists the readable names of the classes that are dogs, for a message.
    pub fn dogs(&self) -> String {
        let dogs: Vec<String> = (0..self.len()).filter(|&i| self.is_dog(i)).map(|i| self.name(i)).collect();
        listed(&dogs)
    }

    /// Returns the probability of a dog in [0, 1]: 1 minus the probabilities of the classes without dogs.
    ///
    /// # Panics
    /// If there is not one probability per class.
    pub fn dog_probability(&self, probabilities: &[f32]) -> f64 {
        assert_eq!(probabilities.len(), self.len(), "one probability per class");
        let no_dog: f64 =
            (0..self.len()).filter(|&i| !self.is_dog(i)).map(|i| f64::from(probabilities[i])).sum();
        (1.0 - no_dog).clamp(0.0, 1.0)
    }
}

/// Returns a name in lower case, with letters and digits only.
fn simple(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// Returns whether `name` is the folder name or the readable name of `class`, in any spelling.
fn same_name(class: &str, name: &str) -> bool {
    simple(class) == simple(name) || simple(&breeds::readable(class)) == simple(name)
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let mut text = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text += &format!(" and {} more", names.len() - SHOWN);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(names: &[&str], not_a_dog: &[&str]) -> anyhow::Result<Classes> {
        let owned = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        Classes::new(&owned(names), &owned(not_a_dog))
    }

    #[test]
    fn every_class_has_its_kind() {
        let names =
            ["n02085620-Chihuahua", "beagle", "cat", "dog", "labradoodle", "not_a_dog", "n02115641-dingo"];
        let classes = classes(&names, &["dingo"]).unwrap();
        let breed = |name| Kind::Breed(breeds::find(name).unwrap());
        let expected = [
            breed("Chihuahua"),
            breed("beagle"),
            Kind::NotADog,
            Kind::SomeDog,
            Kind::OtherBreed("labradoodle".into()),
            Kind::NotADog,
            Kind::NotADog, // the user says so
        ];
        for (i, kind) in expected.iter().enumerate() {
            assert_eq!(classes.kind(i), kind, "{}", names[i]);
        }
    }

    #[test]
    fn a_class_without_dogs_is_known_by_any_of_its_names() {
        let no_dogs = "not-a-dog no_dog NoDogs Not_Dog not_dogs notadog non-dog Without_Dogs cat Cats CAT_photos kittens \
                       background other others none people";
        let dogs =
            "beagle dog Dogs other_dogs no_name cattle_dog African_hunting_dog Norwich_terrier nothound";
        for (names, expected) in [(no_dogs, true), (dogs, false)] {
            for name in names.split_whitespace() {
                let classes = classes(&[name, "pug"], &[]).unwrap();
                assert_eq!(*classes.kind(0) == Kind::NotADog, expected, "{name}");
            }
        }
    }

    #[test]
    fn the_probability_of_a_dog_is_one_minus_the_classes_without_dogs() {
        let two_no_dogs = classes(&["beagle", "cat", "not_a_dog"], &[]).unwrap();
        let all_dogs = classes(&["beagle", "dog"], &[]).unwrap();
        let table: [(&Classes, &[f32], f64); 5] = [
            (&two_no_dogs, &[0.5, 0.25, 0.25], 0.5),
            (&two_no_dogs, &[1.0, 0.0, 0.0], 1.0),
            (&two_no_dogs, &[0.0, 0.5, 0.5], 0.0),
            (&two_no_dogs, &[0.0, 0.500_001, 0.5], 0.0), // rounding does not lead out of [0, 1]
            (&all_dogs, &[0.3, 0.6], 1.0),
        ];
        for (classes, probabilities, expected) in table {
            assert_eq!(classes.dog_probability(probabilities), expected, "{probabilities:?}");
        }
        assert!(two_no_dogs.can_say_no_dog() && !all_dogs.can_say_no_dog());
    }

    #[test]
    fn unknown_names_and_models_without_dogs_are_refused() {
        for (names, not_a_dog, expected) in [
            (
                &["beagle"][..],
                &["beetle"][..],
                "\"beetle\" is not a class of the model; its classes are beagle",
            ),
            (&["beagle"][..], &["Beagle"][..], "no class of the model is a dog"),
            (&["cat"][..], &[][..], "no class of the model is a dog"),
        ] {
            let message = classes(names, not_a_dog).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_class_is_found_by_every_name_of_its_breed() {
        let classes = classes(&["cat", "n02106662-German_shepherd", "labradoodle"], &[]).unwrap();
        for (name, expected) in [
            ("german shepherd", Some(1)),
            ("German Shepherd Dog", Some(1)),
            ("n02106662-German_shepherd", Some(1)),
            ("Labradoodle", Some(2)),
            ("Chihuahua", None),
            ("", None),
        ] {
            assert_eq!(classes.find(name), expected, "{name}");
        }
    }
}
