//! A row of the manifest.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::crop::Crop;

/// Which part of the data a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Pictures for training.
    Train,
    /// Pictures for choosing the best epoch during training.
    Valid,
    /// Pictures for `trainer evaluate` only.
    Test,
}

impl Split {
    /// All splits, in the order train, valid, test.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// Returns `train`, `valid` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Split::Train => "train",
            Split::Valid => "valid",
            Split::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> anyhow::Result<Self> {
        Split::ALL
            .into_iter()
            .find(|s| s.name() == name)
            .with_context(|| format!("{name:?} is not a split, expected train, valid or test"))
    }
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Path relative to the manifest's directory.
    pub path: String,
    /// The class folder's name.
    pub class: String,
    /// The split.
    pub split: Split,
    /// Digest of the file's bytes.
    pub sha256: [u8; 32],
    /// Width of the upright picture (after EXIF orientation).
    pub width: u32,
    /// Height of the upright picture.
    pub height: u32,
    /// The box to which the picture is cropped, if any.
    pub crop: Option<Crop>,
    /// For an augmented copy: its source picture and copy number.
    pub augmented: Option<Augmented>,
}

/// The source picture and number of an augmented copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Augmented {
    /// `path` of the original's row in the same manifest.
    pub source: String,
    /// Copy number from 1; [`IN_PLACE`] if the copy replaces its original, which is then not a row.
    pub copy: u32,
}

/// Number of a copy that replaces its original.
pub const IN_PLACE: u32 = 0;

impl Row {
    /// Returns whether this is an augmented copy that replaces its original.
    pub fn replaces_original(&self) -> bool {
        self.augmented.as_ref().is_some_and(|a| a.copy == IN_PLACE)
    }
}
