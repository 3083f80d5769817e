//! Every answer of every rule, as a table.

use data::breeds::{Size, SizeThresholds};
use data::photo::{Reason, Reject};

use super::*;

const NAMES: [&str; 6] = ["whippet", "chihuahua", "dog", "Great_Dane", "labradoodle", "not_a_dog"];

const LIMITS: Limits = Limits { min_dog: 0.5, min_match: 0.5 };

fn classes() -> Classes {
    Classes::new(&NAMES.map(str::to_owned), &[]).unwrap()
}

/// A photo that shows the class with that probability, and no dog with the rest.
fn shows(class: &str, p: f32) -> Looked {
    let mut probabilities = vec![0.0; NAMES.len()];
    probabilities[NAMES.iter().position(|n| *n == class).unwrap()] = p;
    probabilities[NAMES.len() - 1] += 1.0 - p;
    Ok(Verdict::new(probabilities, &classes(), &SizeThresholds::STANDARD))
}

fn broken(reason: Reason) -> Looked {
    Err(Reject::new(reason, ""))
}

fn check(photos: &[Looked], wish: &Wish, expected: (Answer, &str, Option<usize>)) {
    let decision = decide(photos, wish, LIMITS, &classes());
    assert_eq!((decision.answer, decision.reason.as_str(), decision.photo), expected, "{wish:?}");
}

#[test]
fn every_rule_with_every_kind_of_dog() {
    use Answer::{Like, Pass};
    let breed = |name: &str| Wish::Breed(classes().kind(classes().find(name).unwrap()).clone());
    let size = |mine, at_most| Wish::Size { mine, at_most };
    let (small, medium, giant) = (Size::Small, Size::Medium, Size::Giant);
    let unknown = |breed| format!("size unknown: no weight is known for {breed}");
    let table: Vec<(Wish, &str, Answer, String)> = vec![
        (Wish::AnyDog, "whippet", Like, "a dog, and any will do".into()),
        (Wish::AnyDog, "dog", Like, "a dog, and any will do".into()),
        (Wish::AnyDog, "labradoodle", Like, "a dog, and any will do".into()),
        (breed("whippet"), "whippet", Like, "same breed: whippet".into()),
        (breed("whippet"), "chihuahua", Pass, "another breed: Chihuahua".into()),
        (breed("whippet"), "labradoodle", Pass, "another breed: labradoodle".into()),
        (breed("whippet"), "dog", Pass, "breed unknown".into()),
        (breed("labradoodle"), "labradoodle", Like, "same breed: labradoodle".into()),
        (breed("labradoodle"), "whippet", Pass, "another breed: whippet".into()),
        (size(small, 0), "chihuahua", Like, "same size: small".into()),
        (size(small, 0), "whippet", Pass, "medium, 1 size from small".into()),
        (size(small, 0), "Great_Dane", Pass, "giant, 3 sizes from small".into()),
        (size(small, 0), "labradoodle", Pass, unknown("labradoodle")),
        (size(small, 0), "dog", Pass, unknown("dog")),
        (size(small, 1), "chihuahua", Like, "same size: small".into()),
        (size(small, 1), "whippet", Like, "medium, 1 size from small".into()),
        (size(medium, 1), "chihuahua", Like, "small, 1 size from medium".into()),
        (size(medium, 1), "Great_Dane", Pass, "giant, 2 sizes from medium".into()),
        (size(giant, 1), "Great_Dane", Like, "same size: giant".into()),
        (size(giant, 1), "labradoodle", Pass, unknown("labradoodle")),
    ];
    for (wish, class, answer, reason) in table {
        // Class folders keep their own spelling unless they are breeds; `whippet` is one.
        check(&[shows(class, 0.9)], &wish, (answer, &reason, Some(0)));
    }
}

#[test]
fn no_rule_likes_a_profile_without_a_dog() {
    let wishes = [
        Wish::AnyDog,
        Wish::Breed(Kind::OtherBreed("x".into())),
        Wish::Size { mine: Size::Small, at_most: 3 },
    ];
    for wish in wishes {
        check(&[], &wish, (Answer::PassUnseen, "no photo", None));
        check(&[shows("whippet", 0.2)], &wish, (Answer::Pass, "no dog in 1 photo", Some(0)));
        check(
            &[shows("whippet", 0.1), shows("dog", 0.3)],
            &wish,
            (Answer::Pass, "no dog in 2 photos", Some(1)),
        );
    }
}

#[test]
fn every_photo_is_looked_at_and_the_likeliest_dog_decides() {
    let wish = Wish::Size { mine: Size::Small, at_most: 0 };
    let mut photos: Vec<Looked> = (0..19).map(|_| shows("whippet", 0.6)).collect();
    photos.push(shows("chihuahua", 0.8));
    check(&photos, &wish, (Answer::Like, "same size: small", Some(19)));
    // The first among equals.
    check(
        &[shows("chihuahua", 0.8), shows("whippet", 0.8)],
        &wish,
        (Answer::Like, "same size: small", Some(0)),
    );
    check(
        &[shows("whippet", 0.8), shows("chihuahua", 0.8)],
        &wish,
        (Answer::Pass, "medium, 1 size from small", Some(0)),
    );
}

#[test]
fn broken_photos_are_counted_and_hide_nothing() {
    let (any, empty, cut) = (Wish::AnyDog, Reason::Empty, Reason::Truncated);
    check(
        &[broken(cut), shows("dog", 0.9), broken(cut), broken(empty)],
        &any,
        (Answer::Like, "a dog, and any will do; 3 photos unreadable (2 x truncated, empty)", Some(1)),
    );
    check(
        &[broken(empty), shows("dog", 0.1)],
        &any,
        (Answer::Pass, "no dog in 1 photo; 1 photo unreadable (empty)", Some(1)),
    );
    check(
        &[broken(empty), broken(cut)],
        &any,
        (Answer::PassUnseen, "no readable photo (empty, truncated)", None),
    );
    let url = Err(Reject::new(Reason::BadName, "a URL"));
    check(&[url], &any, (Answer::PassUnseen, "no readable photo (bad_name (a URL))", None));
}

#[test]
fn the_limit_itself_is_a_dog() {
    for (p, dog) in [(0.5, true), (0.499, false)] {
        assert_eq!(decide(&[shows("whippet", p)], &Wish::AnyDog, LIMITS, &classes()).dog, dog, "{p}");
    }
    let nothing =
        decide(&[shows("whippet", 0.0)], &Wish::AnyDog, Limits { min_dog: 0.0, ..LIMITS }, &classes());
    assert!(nothing.dog);
}

/// A photo with these probabilities, in the order of [`NAMES`].
fn sees(probabilities: [f32; 6]) -> Looked {
    Ok(Verdict::new(probabilities.to_vec(), &classes(), &SizeThresholds::STANDARD))
}

#[test]
fn the_probability_of_the_wish_decides_not_the_most_probable_breed() {
    let breed = |name: &str| Wish::Breed(classes().kind(classes().find(name).unwrap()).clone());
    let decided = |photo: Looked, wish: &Wish, min_match: f64| {
        let decision = decide(&[photo], wish, Limits { min_match, ..LIMITS }, &classes());
        (decision.answer, decision.reason)
    };
    // whippet (medium), chihuahua (small), dog, Great Dane (giant), labradoodle, no dog
    let doubtful = || sees([0.32, 0.24, 0.0, 0.24, 0.0, 0.2]);
    let (like, reason) = decided(doubtful(), &breed("whippet"), 0.5);
    assert_eq!((like, reason.as_str()), (Answer::Pass, "perhaps the same breed: whippet, 40 %"));
    assert_eq!(decided(doubtful(), &breed("whippet"), 0.4).0, Answer::Like);
    let near = |mine| Wish::Size { mine, at_most: 1 };
    // Medium, small and large together have 70 %.
    assert_eq!(decided(doubtful(), &near(Size::Medium), 0.5), (Answer::Like, "same size: medium".into()));
    let (like, reason) = decided(sees([0.3, 0.3, 0.0, 0.4, 0.0, 0.0]), &near(Size::Small), 0.5);
    assert_eq!((like, reason.as_str()), (Answer::Like, "giant, 3 sizes from small, match 60 %"));
    let (like, reason) = decided(doubtful(), &Wish::Size { mine: Size::Medium, at_most: 0 }, 0.5);
    assert_eq!((like, reason.as_str()), (Answer::Pass, "same size: medium, match 40 %"));
}
