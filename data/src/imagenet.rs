//! The 1000 classes of ImageNet-1k, by which published classifiers name what they see.
//!
//! `imagenet1000.csv` has the index, the WordNet id and the name of each.

use std::sync::OnceLock;

use serde::Deserialize;

/// A class of ImageNet-1k.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its index among the 1000.
    pub index: usize,
    /// WordNet id, `n02085620`.
    pub wnid: String,
    /// Readable name, `Chihuahua`.
    pub name: String,
}

/// Returns all 1000 classes, sorted by index.
pub fn classes() -> &'static [Class] {
    static CLASSES: OnceLock<Vec<Class>> = OnceLock::new();
    CLASSES.get_or_init(|| {
        let mut table = csv::Reader::from_reader(include_bytes!("imagenet1000.csv").as_slice());
        // The table is part of the program, and a test reads it: it is well-formed.
        table.deserialize().map(|row| row.expect("imagenet1000.csv is well-formed")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breeds;

    #[test]
    fn the_classes_are_in_order_and_those_of_the_breeds_are_theirs() {
        let classes = classes();
        assert_eq!(classes.len(), 1000);
        assert!(classes.iter().enumerate().all(|(i, class)| class.index == i));
        for breed in breeds::known() {
            assert_eq!(classes[breed.imagenet_index].wnid, breed.synset, "{}", breed.name);
        }
    }
}
