//! A read-only memory map of a file: the one `unsafe` of this crate.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;

use anyhow::Context;

/// The bytes of a file, paged in as they are touched.
#[derive(Debug)]
pub(crate) struct Mapped(memmap2::Mmap);

impl Mapped {
    /// Maps the whole of `path`.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let named = || format!("cannot read {}", path.display());
        let file = File::open(path).with_context(named)?;
        #[expect(unsafe_code, reason = "the one memory map; features do not fit into memory")]
        // SAFETY: a map is unsound if the file's content changes under it. Every file that is mapped
        // here was written by `commit`, which never writes into a file that has a final name: a new
        // version replaces the name, and this map keeps the old file alive.
        let map = unsafe { memmap2::Mmap::map(&file) }.with_context(named)?;
        Ok(Self(map))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
