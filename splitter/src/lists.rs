//! Reads the two lists of `--split-list`, and marks the candidates that they name with their split.
//!
//! A list is text with one `class/picture` per line; the picture's extension may be missing.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use data::manifest::Split;
use data::photo::{Reason, Reject, has_picture_name};
use data::regular;

use crate::config::Config;
use crate::method::Method;
use crate::scan::{Candidate, Listing};

/// Maximum size of a list in bytes; that of all of Stanford Dogs has less than a megabyte.
const MAX_BYTES: u64 = 256 << 20;
/// Maximum number of names that a warning shows.
const N_SHOWN: usize = 20;

/// Pictures on which the lists and the folder do not agree.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    /// Listed without a file, or a file in neither list; with the path as the user wrote it.
    pub(crate) absent: Vec<(String, Reject)>,
    /// Pictures that no list names.
    pub(crate) n_unlisted: usize,
}

/// Marks the candidates that the lists name and removes the others. Without lists, keeps all.
///
/// # Errors
/// If a list cannot be read, the lists contradict each other, or more than `--max-bad` of the pictures
/// are in neither.
pub(crate) fn select(config: &Config, listing: &mut Listing) -> anyhow::Result<Selection> {
    let Method::Listed { train, test, .. } = &config.rule.method else { return Ok(Selection::default()) };
    let mut selection = Selection::default();
    for (path, split) in [(train, Split::Train), (test, Split::Test)] {
        let bytes = read(path)?;
        let entries = entries(&bytes).with_context(|| format!("the list {}", path.display()))?;
        ensure!(!entries.is_empty(), "the list {} names no picture", path.display());
        mark(config, listing, path, &entries, split, &mut selection.absent)?;
    }
    warn_of("listed, but there is no such file", selection.absent.iter().map(|(path, _)| path.as_str()));
    forget_unlisted(config, listing, &mut selection)?;
    Ok(selection)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    regular::read(path, MAX_BYTES).with_context(|| format!("cannot read the list {}", path.display()))
}

/// Returns the `class/picture` of each line.
///
/// # Errors
/// If the list is not UTF-8 text.
fn entries(bytes: &[u8]) -> anyhow::Result<Vec<String>> {
    ensure!(
        !bytes.starts_with(b"MATLAB "),
        "it is a MATLAB file; stanford-dogs writes the official lists as text beside it, one class/picture per line"
    );
    let text = str::from_utf8(bytes).context("it is not UTF-8 text, expected one class/picture per line")?;
    let lines = text.trim_start_matches('\u{feff}').lines();
    Ok(lines.filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
}

fn mark(
    config: &Config,
    listing: &mut Listing,
    path: &Path,
    entries: &[String],
    split: Split,
    absent: &mut Vec<(String, Reject)>,
) -> anyhow::Result<()> {
    let mut n_repeated = 0;
    for entry in entries {
        let relative = entry.strip_prefix("./").unwrap_or(entry);
        let Some((class, name)) =
            relative.split_once('/').filter(|(class, name)| is_name(class) && is_name(name))
        else {
            bail!("the list {} has the entry {entry:?}, expected <class>/<picture>", path.display());
        };
        match find(listing, class, name).with_context(|| format!("the list {}", path.display()))? {
            None => {
                let reject = Reject::new(
                    Reason::Unreadable,
                    format_args!("in the {split} list, but there is no such file"),
                );
                absent.push((config.shown(class, name), reject));
            }
            Some(found) => match listing.candidates[found].listed.replace(split) {
                None => {}
                Some(before) if before == split => n_repeated += 1,
                Some(_) => bail!("{relative} is in the train list and in the test list"),
            },
        }
    }
    if n_repeated > 0 {
        tracing::warn!("{} names {n_repeated} pictures twice", path.display());
    }
    Ok(())
}

fn is_name(part: &str) -> bool {
    !matches!(part, "" | "." | "..") && !part.contains(['/', '\0'])
}

/// Finds the index of the candidate `class/name`, or of the one that has this name without its extension, of which
/// one with the extension of a picture comes first.
fn find(listing: &Listing, class: &str, name: &str) -> anyhow::Result<Option<usize>> {
    let Ok(class_idx) = listing.classes.binary_search_by(|c| c.as_str().cmp(class)) else { return Ok(None) };
    let key = |c: &Candidate, name: &str| {
        (c.class as usize).cmp(&class_idx).then_with(|| c.name.as_encoded_bytes().cmp(name.as_bytes()))
    };
    if let Ok(found) = listing.candidates.binary_search_by(|c| key(c, name)) {
        return Ok(Some(found));
    }
    let stem = format!("{name}.");
    let first = listing.candidates.partition_point(|c| key(c, &stem).is_lt());
    let with_stem = || {
        let same_class = listing.candidates[first..].iter().take_while(|c| {
            c.class as usize == class_idx && c.name.as_encoded_bytes().starts_with(stem.as_bytes())
        });
        (first..).zip(same_class.map(|c| &*c.name))
    };
    // A text file beside a picture does not make the name ambiguous. An unusual extension is used if it is alone.
    let named: Vec<(usize, &OsStr)> =
        with_stem().filter(|(_, name)| has_picture_name(name)).take(2).collect();
    let found = if named.is_empty() { with_stem().take(2).collect() } else { named };
    match found[..] {
        [(_, a), (_, b)] => {
            bail!("{class}/{name} may be {} or {}; add the extension", a.display(), b.display())
        }
        _ => Ok(found.first().map(|(i, _)| *i)),
    }
}

fn forget_unlisted(config: &Config, listing: &mut Listing, selection: &mut Selection) -> anyhow::Result<()> {
    let unlisted = || listing.candidates.iter().filter(|c| c.listed.is_none());
    let shown = |c: &Candidate| config.shown(&listing.classes[c.class as usize], &c.name.to_string_lossy());
    warn_of("in neither list and ignored", unlisted().map(shown));
    let reject = || Reject::new(Reason::NotListed, "in neither list of --split-list");
    selection.n_unlisted = unlisted().count();
    selection.absent.extend(unlisted().map(|c| (shown(c), reject())));
    // Other files beside the pictures are in no list.
    let named_as_pictures = |c: &&Candidate| has_picture_name(&c.name);
    let (n, n_all) = (
        unlisted().filter(named_as_pictures).count(),
        listing.candidates.iter().filter(named_as_pictures).count(),
    );
    listing.keep_listed();
    ensure!(
        config.max_bad.allows(n, n_all),
        "{n} of {n_all} pictures in {} are in neither list, more than --max-bad allows",
        config.images.display()
    );
    Ok(())
}

/// Warns of `paths` and names the first ones.
fn warn_of<S: AsRef<str>>(what: &str, paths: impl Iterator<Item = S>) {
    let mut n = 0;
    for path in paths {
        n += 1;
        if n <= N_SHOWN {
            tracing::warn!("{what}: {}", path.as_ref());
        }
    }
    if n > N_SHOWN {
        tracing::warn!("{what}: {} more", n - N_SHOWN);
    }
}
