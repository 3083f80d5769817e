//! README, GUIDE and the other documents name only what exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::harness::{Work, repository};

const DOCUMENTS: [&str; 5] = ["README.md", "GUIDE.md", "BENCHMARKS.md", "CONTRIBUTING.md", "ARCHITECTURE.md"];
/// Programs, each with its subcommands.
const PROGRAMS: [(&str, &[&str]); 8] = [
    ("sample", &[]),
    ("stanford-dogs", &[]),
    ("weights", &[]),
    ("splitter", &[]),
    ("augmenter", &[]),
    ("extractor", &[]),
    ("trainer", &["fit", "evaluate", "report", "compare"]),
    ("matcher", &["classify", "decide"]),
];
/// Flags of other programs.
const FOREIGN: [&str; 20] = [
    "--all-targets",
    "--batches",
    "--count",
    "--features",
    "--fuzz-dir",
    "--ignored",
    "--json",
    "--locked",
    "--nocapture",
    "--only",
    "--record",
    "--release",
    "--rounds",
    "--test",
    "--workspace",
    "--help",
    "--version",
    "--photos",
    "--profile",
    "--write-manual",
];

fn read(document: &str) -> String {
    fs::read_to_string(repository().join(document)).unwrap()
}

/// Returns the words of `text` that begin with `start` and continue with characters that `belongs` accepts.
fn words(text: &str, start: &str, belongs: impl Fn(char) -> bool) -> BTreeSet<String> {
    let begins = text.match_indices(start).map(|(at, _)| at);
    let free =
        begins.filter(|&at| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '_'));
    let word = |at: usize| {
        let rest = &text[at + start.len()..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        format!("{start}{}", &rest[..end])
    };
    free.map(word).filter(|word| word[start.len()..].starts_with(|c: char| c.is_ascii_lowercase())).collect()
}

#[test]
fn every_flag_in_the_documents_exists() {
    let work = Work::new();
    let mut help = String::new();
    for (program, subcommands) in PROGRAMS {
        help += &work.ok(program, &["--help"]);
        subcommands.iter().for_each(|subcommand| help += &work.ok(program, &[subcommand, "--help"]));
    }
    let is_flag = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let known = words(&help, "--", is_flag);
    for document in DOCUMENTS {
        for flag in words(&read(document), "--", is_flag) {
            let exists = known.contains(&flag) || FOREIGN.contains(&flag.as_str());
            assert!(exists, "{document} speaks of {flag}, which no program has");
        }
    }
}

#[test]
fn every_variable_in_the_documents_exists() {
    let settings = read("data/settings.mk");
    let known: BTreeSet<&str> = settings
        .lines()
        .map(|line| line.trim_start())
        .skip_while(|line| !line.starts_with("settings.data"))
        .take_while(|line| !line.starts_with("SWITCHES"))
        .flat_map(str::split_whitespace)
        .collect();
    assert!(known.contains("EPOCHS") && known.contains("DATASET"), "{known:?}");
    // Variables of the environment, of the tests, and of Python's hub.
    let others = ["VGG16_PHOTOS", "TINDOGR_CONV3X3", "HF_HUB_OFFLINE", "CRASH_ROUNDS"];
    let mut n_found = 0;
    for document in DOCUMENTS {
        let text = read(document);
        for (at, _) in text.match_indices('=') {
            let start = text[..at]
                .rfind(|c: char| !(c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_'))
                .map_or(0, |i| i + 1);
            let name = &text[start..at];
            let free = !text[..start].ends_with(|c: char| c.is_alphanumeric() || c == '-' || c == '.');
            if name.len() > 2 && free {
                n_found += 1;
                assert!(
                    known.contains(name) || others.contains(&name),
                    "{document} speaks of {name}=, which make does not know"
                );
            }
        }
    }
    assert!(n_found > 40, "{n_found}");
}

#[test]
fn every_link_in_the_documents_leads_somewhere() {
    for document in DOCUMENTS {
        let text = read(document);
        for (at, _) in text.match_indices("](") {
            let target = text[at + 2..].split(')').next().unwrap();
            if target.starts_with("http") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if file.is_empty() { document } else { file };
            assert!(repository().join(file).exists(), "{document} links to {file}, which is not there");
            let heading = |line: &str| {
                let words = line.trim_start_matches('#').trim().to_lowercase();
                words
                    .chars()
                    .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
                    .collect::<String>()
                    .replace(' ', "-")
            };
            let has_anchor =
                || read(file).lines().any(|line| line.starts_with('#') && heading(line) == anchor);
            assert!(
                anchor.is_empty() || has_anchor(),
                "{document} links to {target}: there is no such heading"
            );
        }
    }
}

#[test]
fn every_test_in_the_architecture_exists() {
    let text = read("ARCHITECTURE.md");
    let suite = repository().join("tests/suite");
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let named = text.match_indices(".rs::").map(|(at, _)| {
        let file = text[..at].rsplit(|c: char| !is_name(c)).next().unwrap();
        (file, text[at + 5..].split(|c: char| !is_name(c)).next().unwrap())
    });
    let mut n = 0;
    for (file, name) in named {
        let folder = fs::read_dir(suite.join(file)).into_iter().flatten().map(|entry| entry.unwrap().path());
        let mut files = folder.chain([suite.join(file).with_extension("rs")]).filter(|path| path.is_file());
        let has_test = |path: PathBuf| fs::read_to_string(path).unwrap().contains(&format!("fn {name}("));
        assert!(files.any(has_test), "ARCHITECTURE.md names {file}.rs::{name}, which does not exist");
        n += 1;
    }
    assert!(n >= 8, "{n}");
}

/// Checks that the README has what a new user needs first, and that it is short.
#[test]
fn the_readme_stays_short() {
    let n = read("README.md").lines().count();
    assert!((60..=120).contains(&n), "README.md has {n} lines");
}
