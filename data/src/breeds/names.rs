//! What the name of a class says.

use super::find;

/// Words that name a class without dogs: the cats of the many cat-and-dog data sets, and common names for a folder
/// of everything else.
const NO_DOGS: [&str; 20] = [
    "cat",
    "cats",
    "kitten",
    "kittens",
    "kitty",
    "background",
    "backgrounds",
    "negative",
    "negatives",
    "other",
    "others",
    "nothing",
    "none",
    "empty",
    "people",
    "person",
    "persons",
    "human",
    "humans",
    "landscape",
];
/// Words before `dog` in the name of a class without dogs, as in `not_a_dog`.
const NEGATIONS: [&str; 9] = ["not", "nota", "notany", "no", "non", "without", "withouta", "isnota", "isnot"];
/// Returns whether the name of a class says that its pictures show no dog.
pub fn says_no_dog(class: &str) -> bool {
    let simple = super::simplified(class);
    let negated = simple.strip_suffix('s').unwrap_or(&simple).strip_suffix("dog");
    let mut words = class.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let is_breed = find(class).is_some();
    !is_breed
        && (negated.is_some_and(|before| NEGATIONS.contains(&before))
            || words.next().is_some_and(|word| NO_DOGS.contains(&word.to_lowercase().as_str()))
                && !words.any(|word| word.to_lowercase().starts_with("dog")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_without_dogs_is_known_by_its_name() {
        for name in ["not_a_dog", "No dogs", "cat", "background-2", "people"] {
            assert!(says_no_dog(name), "{name}");
        }
        for name in ["beagle", "dog", "other_dogs", "cattle_dog", "Norwich_terrier"] {
            assert!(!says_no_dog(name), "{name}");
        }
    }
}
