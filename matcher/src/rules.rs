//! Decides like or pass from the verdicts of a profile's photos and a wish, with the reason.
//!
//! Pure functions. Every comparison with a limit is `>=` on the liked side; among equals the first wins.

use std::fmt;

use data::breeds::Size;
use data::photo::Reject;

use crate::detect::{Classes, Kind};
use crate::verdict::Verdict;

/// The comparison of a profile's dog with mine, the value of `--rule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rule {
    /// Any dog
    None,
    /// A dog of my dog's breed
    SameBreed,
    /// A dog of my dog's size
    SameSize,
    /// A dog of my dog's size, or of the next smaller or larger
    WithinOneSize,
}

impl fmt::Display for Rule {
    /// Writes the value as in `--rule`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::None => "none",
            Rule::SameBreed => "same-breed",
            Rule::SameSize => "same-size",
            Rule::WithinOneSize => "within-one-size",
        })
    }
}

/// A rule with the properties of my dog that it needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Any dog.
    AnyDog,
    /// A dog of this breed, never [`Kind::NotADog`] or [`Kind::SomeDog`].
    Breed(Kind),
    /// A dog whose size differs from mine by at most `at_most` steps.
    Size {
        /// My dog's size.
        mine: Size,
        /// Maximum difference in sizes; 0 is the same size.
        at_most: usize,
    },
}

/// The verdict of one photo, or the reason why it could not be read.
pub type Looked = Result<Verdict, Reject>;

/// The answer to a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Swipe right.
    Like,
    /// Swipe left.
    Pass,
    /// Swipe left because no photo could be read.
    PassUnseen,
}

impl Answer {
    /// Returns `like` or `pass`.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Like => "like",
            Answer::Pass | Answer::PassUnseen => "pass",
        }
    }
}

/// An answer and its reason.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// The reason, as text for people.
    pub reason: String,
    /// Index of the photo that decided: the one with the highest probability of a dog.
    pub photo: Option<usize>,
    /// Whether that photo shows a dog.
    pub dog: bool,
}

impl Decision {
    /// Returns a pass on a profile outside the filters.
    pub fn outside(reason: String) -> Self {
        Self { answer: Answer::Pass, reason, photo: None, dog: false }
    }
}

/// The least probabilities that a like needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Of a dog in the photo.
    pub min_dog: f64,
    /// Of the wish, given that there is a dog.
    pub min_match: f64,
}

/// Decides about a profile with these photos.
///
/// The photo that decides is the one with the highest probability of a dog. It shows a dog if that probability is
/// `limits.min_dog` or more, and the profile is liked if, given that dog, the wish holds with a probability of
/// `limits.min_match` or more.
pub fn decide(photos: &[Looked], wish: &Wish, limits: Limits, classes: &Classes) -> Decision {
    let broken: Vec<&Reject> = photos.iter().filter_map(|p| p.as_ref().err()).collect();
    let mut best: Option<(usize, &Verdict)> = None;
    for (i, verdict) in photos.iter().enumerate().filter_map(|(i, p)| Some((i, p.as_ref().ok()?))) {
        if best.is_none_or(|(_, b)| verdict.dog_probability > b.dog_probability) {
            best = Some((i, verdict));
        }
    }
    let Some((photo, verdict)) = best else {
        let reason = if photos.is_empty() {
            "no photo".to_owned()
        } else {
            format!("no readable photo ({})", reasons(&broken))
        };
        return Decision { answer: Answer::PassUnseen, reason, photo: None, dog: false };
    };
    let dog = verdict.dog_probability >= limits.min_dog;
    let (like, mut reason) = if dog {
        compare(verdict, wish, limits.min_match, classes)
    } else {
        (false, format!("no dog in {}", counted(photos.len() - broken.len(), "photo")))
    };
    if !broken.is_empty() {
        reason += &format!("; {} unreadable ({})", counted(broken.len(), "photo"), reasons(&broken));
    }
    let answer = if like { Answer::Like } else { Answer::Pass };
    Decision { answer, reason, photo: Some(photo), dog }
}

/// Returns whether the dog fulfils the wish with a probability of `min_match` or more, and the reason.
fn compare(verdict: &Verdict, wish: &Wish, min_match: f64, classes: &Classes) -> (bool, String) {
    let breed = classes.name(verdict.breed.class);
    match wish {
        Wish::AnyDog => (true, "a dog, and any will do".to_owned()),
        Wish::Breed(wanted) => {
            let probability = verdict.probability_of(wanted, classes);
            let reason = match classes.kind(verdict.breed.class) {
                kind if kind == wanted && probability >= min_match => format!("same breed: {breed}"),
                kind if kind == wanted => {
                    format!("perhaps the same breed: {breed}, {}", percent(probability))
                }
                _ if probability >= min_match => format!("same breed with {}", percent(probability)),
                Kind::SomeDog => "breed unknown".to_owned(),
                _ => format!("another breed: {breed}"),
            };
            (probability >= min_match, reason)
        }
        Wish::Size { mine, at_most } => {
            let Some(theirs) = verdict.size else {
                return (false, format!("size unknown: no weight is known for {breed}"));
            };
            let probability = verdict.sizes.within(*mine, *at_most);
            let apart = theirs.size.distance(*mine);
            let size = match apart {
                0 => format!("same size: {mine}"),
                _ => format!("{}, {} from {mine}", theirs.size, counted(apart, "size")),
            };
            let like = probability >= min_match;
            // The most probable size says the other thing.
            let doubt = if like == (apart <= *at_most) {
                String::new()
            } else {
                format!(", match {}", percent(probability))
            };
            (like, size + &doubt)
        }
    }
}

fn percent(p: f64) -> String {
    format!("{:.0} %", 100.0 * p)
}

/// Lists each reason once, in the order of its first appearance: `truncated, 2 x decode_error`.
fn reasons(broken: &[&Reject]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for reject in broken {
        // The details of many photos would make the text too long; those of one photo are shown.
        let name = if broken.len() == 1 { reject.to_string() } else { reject.reason.name().to_owned() };
        match counts.iter_mut().find(|(n, _)| *n == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    let each = |(name, n): &(String, usize)| if *n == 1 { name.clone() } else { format!("{n} x {name}") };
    counts.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests;
