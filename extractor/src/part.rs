//! Which part of the shards a run does, so that several machines can share the work.

use std::str::FromStr;

use anyhow::Context;

/// Which shards to do: those whose number, counted over all splits, leaves the remainder `index` when divided by
/// `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    index: usize,
    of: usize,
}

impl Part {
    /// The number of parts.
    pub fn count(self) -> usize {
        self.of
    }

    /// Whether the shard `number` is in this part.
    pub fn contains(self, number: usize) -> bool {
        number % self.of == self.index
    }
}

impl FromStr for Part {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let expected = || format!("{text:?} is no part, expected i/n with i below n, as in 0/2");
        let (index, of) = text.split_once('/').with_context(expected)?;
        let (index, of) = (index.parse().with_context(expected)?, of.parse().with_context(expected)?);
        anyhow::ensure!(index < of, "{}", expected());
        Ok(Self { index, of })
    }
}
