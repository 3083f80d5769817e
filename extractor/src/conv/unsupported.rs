//! The error of weights or pictures that these kernels cannot compute.

/// Why a network or a batch cannot be computed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsupported(String);

impl Unsupported {
    /// Makes an error of a message that says what was given and what was expected.
    pub(super) fn new(message: String) -> Self {
        Self(message)
    }
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}
