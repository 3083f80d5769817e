//! Wrong arguments and models, refused before anything is written.

use super::*;

#[test]
fn wrong_arguments_are_refused_before_anything_is_written() {
    let work = Work::sees(&[("beagle", 0.3), ("labradoodle", 0.1), ("cat", 0.6)]);
    work.photo("mine.png");
    work.profiles("1,A,,,,,a.png\n");
    for (flags, usage, expected) in [
        ("", true, "--my-dog is missing"),
        ("--my-dog hamster", true, "\"hamster\" is neither a photo nor a breed; did you mean"),
        ("--my-dog cat", true, "is not a dog"),
        ("--my-dog labradoodle", true, "the size of my dog (labradoodle) is not known"),
        ("--my-dog chihuahua --rule same-breed", true, "the model does not know the breed Chihuahua"),
        ("--my-dog @mine.png", false, "shows a dog with a probability of 40.0 %"),
        ("--rule none --min-age 5 --max-age 4", true, "--min-age 5 is above --max-age 4"),
        ("--rule none --min-dog 1.5", true, "--min-dog is 1.5, expected 0 to 1"),
        ("--rule none --min-dog nan", true, "--min-dog is NaN"),
        ("--rule none --latitude 91 --longitude 0", true, "is not a place"),
        ("--rule none --latitude 1 --longitude 0 --max-distance-km inf", true, "--max-distance-km must be"),
        ("--rule none --not-a-dog wolf", true, "\"wolf\" is not a class of the model"),
    ] {
        let error = work.decide(flags).unwrap_err();
        assert!(error.to_string().contains(expected), "{flags}: {error:#}");
        assert_eq!(matches!(error.downcast_ref(), Some(Exit::Usage(_))), usage, "{flags}: {error:#}");
        assert!(!work.path("matches/decisions.csv").exists());
    }
}

#[test]
fn a_table_without_a_profile_fails_and_an_empty_one_does_not() {
    let work = Work::sees(&[("beagle", 1.0)]);
    work.profiles("1,A\n2,B\n");
    let message = work.decide("--rule none").unwrap_err().to_string();
    assert!(message.contains("none of the 2 rows of"), "{message}");
    assert!(
        !work.path("matches/decisions.csv").exists() && work.path("matches/rejected-profiles.csv").exists()
    );
    work.profiles("");
    work.decide("--rule none").unwrap();
    check(&work, &[]);
}

#[test]
fn a_head_that_does_not_fit_the_network_is_refused() {
    let work = Work::sees(&[("beagle", 1.0)]);
    let photo = work.photo("a.png");
    let photo = photo.to_str().unwrap();
    let path = work.path("model").join(head::FILE_NAME);
    let head = Head::read(&path).unwrap();
    let change = |change: fn(&mut Head)| {
        let mut head = head.clone();
        change(&mut head);
        head.write(&path).unwrap();
        format!("{:#}", work.matcher("classify", photo).unwrap_err())
    };
    let message = change(|h| h.info.recipe.weights_sha256 = "ab".repeat(32));
    assert!(
        message.contains("is not the weights file of the features") && message.contains("expected abab"),
        "{message}"
    );
    let message = change(|h| h.info.recipe.pool = Pool::None);
    assert!(
        message.contains("the head takes features of shape [512], its recipe gives [512, 1, 1]"),
        "{message}"
    );
    let message = change(|h| h.info.recipe.preprocessing_version = 99);
    let ours = format!("preprocessing version {}", extractor::preprocess::VERSION);
    assert!(message.contains(&ours), "{message}");
    std::fs::remove_file(&path).unwrap();
    let message = format!("{:#}", work.matcher("classify", photo).unwrap_err());
    assert!(message.contains("run trainer fit first"), "{message}");
}

#[test]
fn classify_fails_only_if_no_photo_could_be_read() {
    let work = Work::sees(&[("beagle", 0.9), ("cat", 0.1)]);
    work.photo("a.png");
    work.matcher("classify", "@missing.png @a.png").unwrap();
    let message = work.matcher("classify", "@missing.png").unwrap_err().to_string();
    assert_eq!(message, "none of the 1 photos could be read");
    assert!(work.matcher("classify", "@a.png --top 0").is_err());
}

#[test]
fn a_missing_photo_of_my_dog_is_an_error_that_names_it() {
    let work = Work::sees(&[("beagle", 1.0)]);
    work.profiles("1,A,,,,,\n");
    let error = format!("{:#}", work.decide("--my-dog rex.jpg").unwrap_err());
    assert!(error.contains("cannot use rex.jpg: unreadable (no such file)"), "{error}");
    let error = format!("{:#}", work.decide("--my-dog labrador").unwrap_err());
    assert!(error.contains("Labrador retriever"), "{error}");
}
