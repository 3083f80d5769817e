//! Finds class names that mean the same.

use std::collections::BTreeMap;

use data::breeds;
use unicode_normalization::UnicodeNormalization;

/// Warns of class folders whose names differ only in case, spaces, punctuation, the encoding of accents or the
/// ImageNet number of the breed: they are probably one class, which a model cannot learn as two.
pub(crate) fn warn_of_alike(classes: &[String]) {
    let mut by_meaning: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for class in classes {
        by_meaning.entry(meaning(class)).or_default().push(class);
    }
    for alike in by_meaning.values().filter(|alike| alike.len() > 1) {
        let names: Vec<String> = alike.iter().map(|class| format!("{class:?}")).collect();
        tracing::warn!(
            "the class folders {} are {} classes, but their names mean the same; if so, move their pictures into one",
            names.join(", "),
            alike.len()
        );
    }
}

/// Returns a key that is equal for names that mean the same.
pub(crate) fn meaning(name: &str) -> String {
    match breeds::find(name) {
        Some(breed) => breed.synset.clone(),
        None => plain(name),
    }
}

/// Returns the letters and digits of a name in lower case, without accents; the name itself if it has none.
pub(crate) fn plain(name: &str) -> String {
    let letters = name.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase);
    let letters: String = letters.collect();
    if letters.is_empty() { name.to_owned() } else { letters }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_the_same_are_equal() {
        for (a, b) in [
            ("Beagle", "beagle "),
            ("beagle", "n02088364-beagle"),
            ("German Shepherd", "German_shepherd"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("not_a_dog", "Not a dog"),
        ] {
            assert_eq!(meaning(a), meaning(b), "{a:?} and {b:?}");
        }
        for (a, b) in [("beagle", "basset"), ("???", "!!!"), ("a1", "a2"), ("", " ")] {
            assert_ne!(meaning(a), meaning(b), "{a:?} and {b:?}");
        }
    }
}
