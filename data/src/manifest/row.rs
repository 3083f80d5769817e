//! What a row of the manifest holds.

use std::fmt;
use std::str::FromStr;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::crop::Crop;

/// Which part of the data a picture belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Trained on.
    Train,
    /// Looked at during training, to choose the best epoch.
    Valid,
    /// Looked at once, by `trainer evaluate`.
    Test,
}

impl Split {
    /// In the order train, valid, test.
    pub const ALL: [Split; 3] = [Split::Train, Split::Valid, Split::Test];

    /// `train`, `valid` or `test`.
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
            .with_context(|| format!("{name:?} is no split, expected train, valid or test"))
    }
}

/// One picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Relative to the manifest's directory.
    pub path: String,
    /// The class folder's name.
    pub class: String,
    /// The part of the data.
    pub split: Split,
    /// Digest of the file's bytes.
    pub sha256: [u8; 32],
    /// Pixels across, upright (after EXIF orientation).
    pub width: u32,
    /// Pixels down, upright.
    pub height: u32,
    /// The part of it that counts; all of it, where there is none.
    pub crop: Option<Crop>,
    /// For an augmented copy: which picture it was made from, and the how-manieth copy it is.
    pub augmented: Option<Augmented>,
}

/// What an augmented copy descends from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Augmented {
    /// `path` of the original's row in the same manifest.
    pub source: String,
    /// From 1; [`IN_PLACE`] where it stands in the place of its original, which is no row.
    pub copy: u32,
}

/// Number of a copy in the place of its original.
pub const IN_PLACE: u32 = 0;

impl Row {
    /// Whether this is an augmented copy in the place of its original.
    pub fn replaces_original(&self) -> bool {
        self.augmented.as_ref().is_some_and(|a| a.copy == IN_PLACE)
    }
}
