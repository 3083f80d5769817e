//! A reader of bytes that may end early.

use super::{Reason, Reject};

/// A position in a file.
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns the position, in bytes from the start of the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Reads the next `n` bytes.
    ///
    /// # Errors
    /// [`Reason::Truncated`] if the file has fewer.
    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Reject> {
        let taken = self.rest().get(..n).ok_or_else(|| self.ended())?;
        self.at += n;
        Ok(taken)
    }

    /// Skips `n` bytes; the caller has checked that they exist.
    pub(super) fn skip(&mut self, n: usize) {
        self.at += n;
    }

    pub(super) fn byte(&mut self) -> Result<u8, Reject> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16_be(&mut self) -> Result<u16, Reject> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u16_le(&mut self) -> Result<u16, Reject> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32_be(&mut self) -> Result<u32, Reject> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u32_le(&mut self) -> Result<u32, Reject> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Reject> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// Returns the reject of a file that ends before its picture.
    pub(super) fn ended(&self) -> Reject {
        Reject::new(Reason::Truncated, format!("the file ends after {} bytes", self.bytes.len()))
    }
}
