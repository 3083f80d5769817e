//! The number of pictures in each split, and the flags for it.

use data::manifest::Split;
use data::stage::Exit;

use super::{Work, png};

#[test]
fn every_class_is_within_one_picture_of_the_ratio() {
    let sizes: Vec<u32> = (4..40).collect();
    let names: Vec<String> = sizes.iter().map(|n| format!("class-{n:02}")).collect();
    let classes: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(sizes.iter().copied()).collect();
    let work = Work::with(&classes);
    work.run(&["--ratio", "0.7,0.15,0.15"]).unwrap();
    for (class, n) in classes {
        let counts = work.counts(class);
        for (count, share) in counts.into_iter().zip([0.7, 0.15, 0.15]) {
            assert!((count as f64 - share * f64::from(n)).abs() <= 1.0, "{class}: {counts:?}");
            assert!(count > 0, "{class}: {counts:?}");
        }
    }
}

#[test]
fn the_smallest_class_has_one_picture_in_each_split() {
    let work = Work::with(&[("a", 3)]);
    work.run(&["--ratio", "0.98,0.01,0.01"]).unwrap();
    assert_eq!(work.counts("a"), [1, 1, 1]);
}

#[test]
fn a_share_of_zero_leaves_a_split_empty() {
    let work = Work::with(&[("a", 5), ("b", 2)]);
    work.run(&["--ratio", "0.8,0,0.2"]).unwrap();
    assert_eq!((work.counts("a"), work.counts("b")), ([4, 0, 1], [1, 0, 1]));
}

#[test]
fn fixed_gives_valid_and_test_the_same_number_of_each_class() {
    let work = Work::with(&[("a", 10), ("b", 25)]);
    for (flag, a, b) in
        [("3", [4, 3, 3], [19, 3, 3]), ("2,5", [3, 2, 5], [18, 2, 5]), ("2,0", [8, 2, 0], [23, 2, 0])]
    {
        work.run(&["--fixed", flag, "--force"]).unwrap();
        assert_eq!((work.counts("a"), work.counts("b")), (a, b), "--fixed {flag}");
    }
    let message = work.error(&["--fixed", "5", "--force"]);
    assert!(
        message.contains("class \"a\" has 10 images, needs >= 11") && !message.contains("\"b\""),
        "{message}"
    );
}

#[test]
fn invalid_shares_are_usage_errors_before_anything_is_read() {
    for (flags, expected) in [
        (["--ratio", "0.8,0.3,0"], "--ratio sums to 1.100000, expected 1"),
        (["--ratio", "0.5,0.2,0.2"], "--ratio sums to 0.900000, expected 1"),
        (["--ratio", "-0.5,1,0.5"], "--ratio has the share -0.5, expected 0 to 1"),
        (["--ratio", "1.5,-0.5,0"], "--ratio has the share 1.5, expected 0 to 1"),
        (["--ratio", "NaN,0.5,0.5"], "--ratio has the share NaN, expected 0 to 1"),
        (["--ratio", "inf,0,0"], "--ratio has the share inf, expected 0 to 1"),
        (["--ratio", "0.8,0.2"], "--ratio takes three shares"),
        (["--ratio", "0,0.5,0.5"], "--ratio leaves train empty"),
        (["--fixed", "0"], "--fixed 0 leaves both"),
        (["--fixed", "1,2,3"], "--fixed takes one or two counts"),
        (["--split-list", "train.txt"], "--split-list takes two files"),
    ] {
        let work = Work::with(&[]);
        let mut args = work.args(&flags);
        args.images = "no such folder".into();
        let error = crate::run(&args).unwrap_err();
        assert!(matches!(error.downcast_ref(), Some(Exit::Usage(m)) if m.contains(expected)), "{error:#}");
    }
}

#[test]
fn a_valid_share_out_of_range_is_a_usage_error() {
    let work = Work::with(&[("a", 3)]);
    for share in ["1", "-0.1", "NaN"] {
        let error = work.run(&["--split-list", "a.txt,b.txt", "--valid-share", share]).unwrap_err();
        assert!(
            matches!(error.downcast_ref(), Some(Exit::Usage(m)) if m.contains("--valid-share")),
            "{error:#}"
        );
    }
}

#[test]
fn another_class_changes_nothing_for_this_one() {
    let work = Work::with(&[("a", 30), ("b", 30)]);
    work.run(&[]).unwrap();
    let before = work.splits();
    work.file("b/new.png", &png(900));
    for i in 0..9 {
        work.file(format!("0-before-all/{i}.png"), &png(800 + i));
    }
    work.run(&[]).unwrap();
    let after = work.splits();
    assert!(
        before.iter().filter(|(path, _)| path.starts_with("a/")).all(|(path, split)| after[path] == *split)
    );
}

#[test]
fn every_picture_can_get_into_every_split() {
    // A split in listing order, as in the original program, would always leave the first pictures in train.
    let work = Work::with(&[("a", 6)]);
    let mut seen = [[false; 3]; 6];
    for seed in 0..60 {
        work.run(&["--force", "--seed", &seed.to_string()]).unwrap();
        for (i, split) in work.splits().into_values().enumerate() {
            seen[i][split as usize] = true;
        }
    }
    assert_eq!(seen, [[true; 3]; 6]);
}

#[test]
fn unshuffled_takes_the_first_pictures_for_train_and_rounds_test_down() {
    let work = Work::with(&[("a", 10), ("b", 9)]);
    work.run(&["--ratio", "0.7,0,0.3", "--unshuffled"]).unwrap();
    assert_eq!((work.counts("a"), work.counts("b")), ([7, 0, 3], [7, 0, 2]));
    for (path, split) in work.splits() {
        let number: usize = path[2..].strip_suffix(".png").unwrap().parse().unwrap();
        assert_eq!(split == Split::Train, number < 7, "{path} is in {split}");
    }
    let before = work.splits();
    work.run(&["--ratio", "0.7,0,0.3", "--unshuffled", "--force", "--seed", "7"]).unwrap();
    assert_eq!(before, work.splits(), "the seed has a say");
    assert!(work.log(&["--ratio", "0.7,0,0.3"]).contains("unshuffled was true, is not set"));
}

#[test]
fn unshuffled_keeps_equal_pictures_together() {
    let work = Work::with(&[("a", 9)]);
    work.file("a/9.png", &png(0));
    work.run(&["--ratio", "0.7,0,0.3", "--unshuffled"]).unwrap();
    let splits = work.splits();
    assert_eq!((splits["a/0.png"], splits["a/9.png"]), (Split::Train, Split::Train));
    assert_eq!(work.counts("a"), [7, 0, 3]);
}
