//! Reads the lists of Stanford Dogs: a cell array of strings in a MATLAB file, level 5.
//!
//! Layout, from "MAT-File Format" (The MathWorks): a header of 128 bytes, then elements. An element is
//! a tag (type u32, size u32), then its bytes, padded to 8; a small one has type u16, size u16 and up to 4
//! bytes in 8. Type 15 is a zlib stream of one element. Type 14 is an array: elements for flags,
//! dimensions and name, then its content; the content of a cell array is arrays again.
//! Level 7.3 is another format (HDF5) and is refused, as are files of big-endian machines.

use std::io::Read;

use anyhow::{Context, bail, ensure};
use flate2::read::ZlibDecoder;

const HEADER_LEN: usize = 128;
/// Position of version and byte order in the header.
const VERSION_AT: usize = 124;
const LEVEL_5_LITTLE_ENDIAN: [u8; 4] = [0x00, 0x01, b'I', b'M'];
/// Maximum decompressed size of a file; the list of all of Stanford Dogs has 6 MB.
const MAX_INFLATED: u64 = 64 << 20;
/// Maximum number of strings; an empty one takes 8 bytes of the file, and 24 bytes of memory.
const MAX_STRINGS: usize = 1 << 20;
/// Maximum length of a name; MATLAB allows 63 characters.
const MAX_NAME: usize = 255;
/// Maximum number of names of other variables in a message.
const N_SHOWN: usize = 20;

const UINT8: u32 = 2;
const UINT16: u32 = 4;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const UTF8: u32 = 16;
const UTF16: u32 = 17;

const CELL_CLASS: u8 = 1;
const CHAR_CLASS: u8 = 4;

/// Reads the strings of the cell array `variable`.
///
/// # Errors
/// If `bytes` are not a level-5 file, or have no cell array of strings with this name.
pub(crate) fn cell_strings(bytes: &[u8], variable: &str) -> anyhow::Result<Vec<String>> {
    ensure!(
        !bytes.starts_with(b"MATLAB 7.3") && !bytes.starts_with(b"\x89HDF"),
        "a MATLAB 7.3 (HDF5) file; save it again with `save -v7`, or as text, one class/picture a line"
    );
    ensure!(bytes.len() >= HEADER_LEN, "{} bytes are too few for a MATLAB file", bytes.len());
    let (header, mut body) = bytes.split_at(HEADER_LEN);
    match header[VERSION_AT..] {
        ref version if *version == LEVEL_5_LITTLE_ENDIAN => {}
        [_, _, b'M', b'I'] => {
            bail!("a MATLAB file of a big-endian machine; save it again on a little-endian one")
        }
        _ => bail!("not a MATLAB file of level 5"),
    }
    let mut names = Vec::new();
    let mut allowance = MAX_INFLATED;
    while !body.is_empty() {
        let element = next(&mut body)?;
        let inflated;
        let array = match element.kind {
            COMPRESSED => {
                inflated = inflate(element.bytes, allowance)?;
                allowance -= inflated.len() as u64;
                let inner = next(&mut inflated.as_slice())?;
                Array::parse(&inner).context("in a compressed element")?
            }
            _ => Array::parse(&element)?,
        };
        if array.name == variable {
            return array.strings().with_context(|| format!("in the variable {variable}"));
        }
        if names.len() < N_SHOWN {
            names.push(array.name.clone());
        }
    }
    bail!("no variable {variable}; there are: {}", names.join(", "))
}

struct Element<'a> {
    kind: u32,
    bytes: &'a [u8],
}

/// Removes the next element from the front of `rest`.
fn next<'a>(rest: &mut &'a [u8]) -> anyhow::Result<Element<'a>> {
    let truncated = || "the file ends within an element";
    let (tag, after) = rest.split_at_checked(8).with_context(truncated)?;
    let first = u32_at(tag, 0);
    let (kind, small_len) = (first & 0xffff, (first >> 16) as usize);
    if small_len > 0 {
        ensure!(small_len <= 4, "a small element of {small_len} bytes");
        *rest = after;
        return Ok(Element { kind, bytes: &tag[4..4 + small_len] });
    }
    let len = u32_at(tag, 4) as usize;
    let (bytes, _) = after.split_at_checked(len).with_context(truncated)?;
    let padded = if kind == COMPRESSED { len } else { len.next_multiple_of(8) };
    // The last element of a file may have no padding.
    *rest = after.get(padded..).unwrap_or_default();
    Ok(Element { kind, bytes })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Decompresses to at most `allowance` bytes.
fn inflate(bytes: &[u8], allowance: u64) -> anyhow::Result<Vec<u8>> {
    let mut inflated = Vec::new();
    let n = ZlibDecoder::new(bytes)
        .take(allowance + 1)
        .read_to_end(&mut inflated)
        .context("a compressed element does not inflate")?;
    ensure!(n as u64 <= allowance, "its compressed elements inflate to more than {MAX_INFLATED} bytes");
    Ok(inflated)
}

struct Array<'a> {
    class: u8,
    /// Product of the dimensions.
    len: usize,
    n_rows: usize,
    name: String,
    content: &'a [u8],
}

impl<'a> Array<'a> {
    fn parse(element: &Element<'a>) -> anyhow::Result<Self> {
        ensure!(element.kind == MATRIX, "an element of type {}, expected an array", element.kind);
        let mut rest = element.bytes;
        if rest.is_empty() {
            // An empty cell is an array without elements.
            return Ok(Self { class: CHAR_CLASS, len: 0, n_rows: 0, name: String::new(), content: rest });
        }
        let flags = next(&mut rest)?;
        let class = *flags.bytes.first().context("an array without flags")?;
        let dimensions: Vec<usize> =
            next(&mut rest)?.bytes.chunks_exact(4).map(|d| u32_at(d, 0) as usize).collect();
        let n_rows = *dimensions.first().context("an array without dimensions")?;
        let len = dimensions.iter().try_fold(1usize, |len, &d| len.checked_mul(d));
        let len = len.with_context(|| format!("an array of {dimensions:?}"))?;
        let name = next(&mut rest)?.bytes;
        ensure!(name.len() <= MAX_NAME, "a variable's name of {} bytes", name.len());
        let name = String::from_utf8_lossy(name).into_owned();
        Ok(Self { class, len, n_rows, name, content: rest })
    }

    fn strings(&self) -> anyhow::Result<Vec<String>> {
        ensure!(
            self.class == CELL_CLASS,
            "an array of class {}, expected a cell array of strings",
            self.class
        );
        ensure!(self.len <= MAX_STRINGS, "a list of {} strings, expected at most {MAX_STRINGS}", self.len);
        let mut rest = self.content;
        // Not with_capacity(len): the length in the file may be wrong; each cell takes at least 8 bytes of the file.
        let mut strings = Vec::new();
        for i in 0..self.len {
            let cell = next(&mut rest).and_then(|element| Array::parse(&element));
            strings.push(
                cell.and_then(|c| c.string()).with_context(|| format!("cell {} of {}", i + 1, self.len))?,
            );
        }
        Ok(strings)
    }

    fn string(&self) -> anyhow::Result<String> {
        ensure!(self.class == CHAR_CLASS, "an array of class {}, expected a string", self.class);
        if self.len == 0 {
            return Ok(String::new());
        }
        ensure!(self.n_rows == 1, "a string of {} rows, expected one", self.n_rows);
        let mut rest = self.content;
        let characters = next(&mut rest)?;
        match characters.kind {
            UTF8 | UINT8 => {
                Ok(str::from_utf8(characters.bytes).context("a string that is not UTF-8")?.to_owned())
            }
            UINT16 | UTF16 => {
                let units = characters.bytes.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]]));
                let text: Result<String, _> = char::decode_utf16(units).collect();
                text.context("a string that is not UTF-16")
            }
            kind => bail!("characters of type {kind}"),
        }
    }
}

#[cfg(test)]
pub(crate) mod files;
#[cfg(test)]
mod tests;
