//! Like or pass: what was seen in a profile's photos, and a wish, to a decision with its reason.
//!
//! Pure: nothing here reads, writes or remembers. Every comparison with a limit is `>=` on the liked
//! side, and of equals the first wins.

use std::fmt;

use data::breeds::Size;
use data::photo::Reject;

use crate::detect::{Classes, Kind};
use crate::verdict::Verdict;

/// How the dog of a profile is compared with mine, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Rule {
    /// Any dog will do, but there must be one
    None,
    /// A dog of my dog's breed
    SameBreed,
    /// A dog of my dog's size
    SameSize,
    /// A dog of my dog's size, or of the next smaller or larger
    WithinOneSize,
}

impl fmt::Display for Rule {
    /// As it is typed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rule::None => "none",
            Rule::SameBreed => "same-breed",
            Rule::SameSize => "same-size",
            Rule::WithinOneSize => "within-one-size",
        })
    }
}

/// A rule with all that it compares against.
#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Any dog.
    AnyDog,
    /// A dog of this breed, never [`Kind::NotADog`] or [`Kind::SomeDog`].
    Breed(Kind),
    /// A dog that is at most so many sizes from mine.
    Size {
        /// My dog's size.
        mine: Size,
        /// 0 is the same size.
        at_most: usize,
    },
}

/// What looking at one photo gave.
pub type Looked = Result<Verdict, Reject>;

/// What is done about a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Swipe right.
    Like,
    /// Swipe left.
    Pass,
    /// Swipe left because no photo could be looked at.
    PassUnseen,
}

impl Answer {
    /// `like` or `pass`.
    pub fn name(self) -> &'static str {
        match self {
            Answer::Like => "like",
            Answer::Pass | Answer::PassUnseen => "pass",
        }
    }
}

/// An answer and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// For people.
    pub reason: String,
    /// The photo that decided: the one with the likeliest dog.
    pub photo: Option<usize>,
    /// Whether that photo shows a dog.
    pub dog: bool,
}

impl Decision {
    /// A pass on a profile that was not looked at.
    pub fn outside(reason: String) -> Self {
        Self { answer: Answer::Pass, reason, photo: None, dog: false }
    }
}

/// Decides about a profile with these photos.
///
/// The photo that decides is the one with the highest probability of a dog; it shows one if that is
/// `min_dog` or more.
pub fn decide(photos: &[Looked], wish: &Wish, min_dog: f64, classes: &Classes) -> Decision {
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
    let dog = verdict.dog_probability >= min_dog;
    let (like, mut reason) = if dog {
        compare(verdict, wish, classes)
    } else {
        (false, format!("no dog in {}", counted(photos.len() - broken.len(), "photo")))
    };
    if !broken.is_empty() {
        reason += &format!("; {} unreadable ({})", counted(broken.len(), "photo"), reasons(&broken));
    }
    let answer = if like { Answer::Like } else { Answer::Pass };
    Decision { answer, reason, photo: Some(photo), dog }
}

/// Whether a dog is one to like, and why.
fn compare(verdict: &Verdict, wish: &Wish, classes: &Classes) -> (bool, String) {
    let breed = classes.name(verdict.breed.class);
    match wish {
        Wish::AnyDog => (true, "a dog, and any will do".to_owned()),
        Wish::Breed(wanted) => match classes.kind(verdict.breed.class) {
            Kind::SomeDog => (false, "breed unknown".to_owned()),
            kind if kind == wanted => (true, format!("same breed: {breed}")),
            _ => (false, format!("another breed: {breed}")),
        },
        Wish::Size { mine, at_most } => match verdict.size {
            None => (false, format!("size unknown: no weight is known for {breed}")),
            Some(theirs) => {
                let apart = theirs.size.distance(*mine);
                let reason = match apart {
                    0 => format!("same size: {mine}"),
                    _ => format!("{}, {} from {mine}", theirs.size, counted(apart, "size")),
                };
                (apart <= *at_most, reason)
            }
        },
    }
}

/// `truncated, 2 x decode_error`: each reason once, in the order of its first appearance.
fn reasons(broken: &[&Reject]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for reject in broken {
        // The details of many photos would drown the reason; one photo's is worth reading.
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
