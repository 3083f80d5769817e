//! The 120 breeds of Stanford Dogs, and the dalmatian, which ImageNet has besides: synset, ImageNet index, weight range,
//! size.
//!
//! The weights are in `breeds.csv`, from the American Kennel Club's breed pages as collected by
//! tmfilho/akcdata in 2020; rows with a note were completed or corrected by hand, and the note names the source.
//! The limits between the sizes are a parameter: [`SizeThresholds`].

use std::sync::OnceLock;

use serde::Deserialize;

pub use names::says_no_dog;
pub use size::{Size, SizeProbabilities, SizeThresholds};

mod names;
mod size;

/// The class folder of pictures without a dog.
pub const NOT_A_DOG: &str = "not_a_dog";

/// One breed.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Breed {
    /// WordNet id, `n02085620`.
    pub synset: String,
    /// Folder name in Stanford Dogs, `n02085620-Chihuahua`.
    pub class_dir: String,
    /// Folder name without the synset, `Chihuahua`.
    pub name: String,
    /// Index among the 1000 classes of ImageNet-1k.
    pub imagenet_index: usize,
    /// Name by the American Kennel Club; empty if it does not register the breed.
    pub akc_name: String,
    /// Lower end of the adult weight range, kilograms.
    pub min_kg: f64,
    /// Upper end of the adult weight range, kilograms.
    pub max_kg: f64,
    /// Source of a weight that is not from the collection.
    pub note: String,
}

impl Breed {
    /// Returns the middle of the weight range, kilograms.
    pub fn mid_kg(&self) -> f64 {
        f64::midpoint(self.min_kg, self.max_kg)
    }
}

/// Returns the 120 breeds of Stanford Dogs and the dalmatian, sorted by synset: all domestic and wild dogs that ImageNet
/// counts as breeds.
pub fn known() -> &'static [Breed] {
    static BREEDS: OnceLock<Vec<Breed>> = OnceLock::new();
    BREEDS.get_or_init(|| {
        let mut table = csv::Reader::from_reader(include_bytes!("breeds.csv").as_slice());
        // The table is part of the program, and a test reads it: it is well-formed.
        table.deserialize().map(|row| row.expect("breeds.csv is well-formed")).collect()
    })
}

/// Finds a breed by its class folder or a common name: `n02085620-Chihuahua`, `chihuahua`,
/// `Golden Retriever`, `golden_retriever`, `German Shepherd Dog` (the AKC's name).
pub fn find(name: &str) -> Option<&'static Breed> {
    let wanted = simplified(name);
    if wanted.is_empty() {
        return None; // some breeds have no AKC name
    }
    known().iter().find(|b| [&b.class_dir, &b.name, &b.akc_name].iter().any(|n| simplified(n) == wanted))
}

/// Returns the three breeds with names most similar to `name`; names that contain it come first.
pub fn nearest(name: &str) -> Vec<&'static Breed> {
    let wanted = simplified(name);
    let likeness = |breed: &&Breed| {
        let of = |name: &str| {
            let name = simplified(name);
            let within = !wanted.is_empty() && name.contains(&wanted);
            strsim::jaro_winkler(&wanted, &name) + f64::from(u8::from(within))
        };
        of(&breed.name).max(of(&breed.akc_name))
    };
    let mut breeds: Vec<&Breed> = known().iter().collect();
    breeds.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    breeds.truncate(3);
    breeds
}

/// Returns the readable name of a class: `n02085620-Chihuahua` becomes `Chihuahua`, `not_a_dog`
/// becomes `not a dog`.
pub fn readable(class: &str) -> String {
    let name = find(class).map_or(class, |breed| &breed.name);
    name.replace('_', " ")
}

fn simplified(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_stanford_dogs() -> impl Iterator<Item = &'static Breed> {
        known().iter().filter(|breed| breed.name != "dalmatian")
    }

    #[test]
    fn the_table_is_the_120_of_stanford_dogs_in_imagenet_order() {
        let breeds: Vec<&Breed> = of_stanford_dogs().collect();
        assert_eq!(breeds.len(), 120);
        assert!(breeds.is_sorted_by(|a, b| a.synset < b.synset && a.imagenet_index < b.imagenet_index));
        // 151..=268 without the Dalmatian (251), then dingo, dhole and African hunting dog.
        let expected: Vec<usize> = (151..=268).filter(|&i| i != 251).chain(273..=275).collect();
        assert_eq!(breeds.iter().map(|b| b.imagenet_index).collect::<Vec<_>>(), expected);
        assert_eq!(find("dalmatian").unwrap().imagenet_index, 251);
        for breed in known() {
            assert_eq!(breed.class_dir, format!("{}-{}", breed.synset, breed.name));
            assert!(0.0 < breed.min_kg && breed.min_kg <= breed.max_kg && breed.max_kg < 100.0, "{breed:?}");
        }
    }

    #[test]
    fn standard_thresholds_give_the_documented_counts() {
        let count =
            |size| of_stanford_dogs().filter(|b| SizeThresholds::STANDARD.size(b.mid_kg()) == size).count();
        assert_eq!(Size::ALL.map(count), [35, 34, 42, 9]);
    }

    #[test]
    fn breeds_are_found_by_folder_by_name_and_by_the_names_people_use() {
        for name in ["n02099601-golden_retriever", "golden_retriever", "Golden Retriever", "golden retriever"]
        {
            assert_eq!(find(name).unwrap().imagenet_index, 207, "{name}");
        }
        assert_eq!(find("German Shepherd Dog").unwrap().name, "German_shepherd");
        assert!(find("").is_none());
        assert!(find(NOT_A_DOG).is_none());
    }

    #[test]
    fn a_misspelt_name_finds_the_breed() {
        for (name, expected) in [
            ("labrador", "Labrador_retriever"),
            ("goldn retriever", "golden_retriever"),
            ("shepherd", "German_shepherd"),
            ("chiuaua", "Chihuahua"),
        ] {
            let names: Vec<&str> = nearest(name).into_iter().map(|breed| breed.name.as_str()).collect();
            assert!(names.contains(&expected), "{name}: {names:?}");
        }
    }
}
