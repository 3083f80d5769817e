//! Finds the folder of class folders if `--images` names one above or below it, for a hint in the error.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use data::photo::{begins_as_picture, has_picture_name, is_hidden};

use super::sorted_entries;

/// Maximum number of folders that are searched, from the top down.
const MAX_FOLDERS: usize = 2_000;
/// Maximum number of files per folder that are opened because their extension is not that of a picture.
const MAX_OPENED: usize = 3;

/// Returns whether a file in `folder` is a picture, by its name or, for the first ones, by content.
pub(super) fn holds_pictures(folder: &Path) -> bool {
    let Ok(entries) = sorted_entries(folder) else { return false };
    let files = || entries.iter().filter(|(name, kind)| kind.is_file() && !is_hidden(name));
    files().any(|(name, _)| has_picture_name(name))
        || files().take(MAX_OPENED).any(|(name, _)| begins_as_picture(&folder.join(name)))
}

/// Returns `before` and `--images` with the folder of class folders below `images`; empty if none is found.
pub(super) fn hint(images: &Path, before: &str) -> String {
    let found = below(images);
    found.map_or(String::new(), |folder| format!("{before} --images {}", folder.display()))
}

/// Finds the folder of class folders with pictures that is the fewest levels below `images`. Among several on one
/// level `train` comes first, then any other, then those for validation and test.
fn below(images: &Path) -> Option<PathBuf> {
    let mut best: Option<((usize, usize, usize), PathBuf)> = None;
    let mut pending = VecDeque::from([(0, images.to_owned())]);
    let mut n_left = MAX_FOLDERS;
    while let Some((depth, folder)) = pending.pop_front() {
        if best.as_ref().is_some_and(|((found_at, ..), _)| *found_at < depth) {
            break;
        }
        let folders: Vec<PathBuf> = sorted_entries(&folder)
            .unwrap_or_default()
            .into_iter()
            .filter(|(name, kind)| kind.is_dir() && !is_hidden(name))
            .map(|(name, _)| folder.join(name))
            .take(n_left)
            .collect();
        n_left -= folders.len();
        let n_classes = if depth == 0 { 0 } else { folders.iter().filter(|f| holds_pictures(f)).count() };
        if n_classes > 0 {
            // A folder with several classes is more likely the right one than a folder with one.
            let rank = (depth, usize::from(n_classes == 1), rank(&folder));
            if best.as_ref().is_none_or(|(found, _)| rank < *found) {
                best = Some((rank, folder));
            }
        } else {
            pending.extend(folders.into_iter().map(|folder| (depth + 1, folder)));
        }
    }
    best.map(|(_, folder)| folder)
}

fn rank(folder: &Path) -> usize {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    match name.as_str() {
        "train" | "training" => 0,
        "valid" | "val" | "validation" => 2,
        "test" | "testing" => 3,
        _ => 1,
    }
}
