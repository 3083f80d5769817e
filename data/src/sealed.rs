//! Files of this program that carry a digest of their own content.
//!
//! The digest is the sha256 of the whole file as it would be with zeros for the digest's 64 digits, so that no
//! bit is left out: neither of the header, nor of names, nor of numbers. It finds damage and what somebody
//! edited, not an attacker: whoever changes a file on purpose can compute it anew.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use safetensors::tensor::{Metadata, View};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::provenance::{canonical_json, check_version, to_hex};

/// The one metadata key of our safetensors files; several keys come out in random order.
const METADATA_KEY: &str = "tindogr";
/// The key of the digest in their metadata, and in other JSON.
const DIGEST_KEY: &str = "content_sha256";
const N_DIGITS: usize = 64;
const ZEROS: [u8; N_DIGITS] = [b'0'; N_DIGITS];
/// Far more than the names of 100,000 classes take. Keeps a hostile file from filling the memory.
const MAX_HEADER_BYTES: u64 = 64 << 20;
const LENGTH_BYTES: u64 = 8;

/// `value`, an object, as canonical JSON with a digest of itself.
///
/// # Errors
/// If it is no JSON object.
pub(crate) fn to_json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = (unsealed(value)? + "\n").into_bytes();
    seal(&mut bytes)?;
    Ok(bytes)
}

/// What [`to_json`] wrote into `path`.
///
/// # Errors
/// If it is damaged, changed, or of another format version.
pub(crate) fn from_json<T: for<'de> Deserialize<'de>>(path: &Path, bytes: &[u8]) -> anyhow::Result<T> {
    let mut value: Value = serde_json::from_slice(bytes).context("it is no JSON")?;
    check_version(path, value.get("format_version"))?;
    Check::begin(bytes)?.finish()?;
    value.as_object_mut().and_then(|object| object.remove(DIGEST_KEY));
    Ok(serde_json::from_value(value)?)
}

/// safetensors bytes of `tensors` with `metadata` and a digest of it all.
///
/// # Errors
/// If safetensors refuses the tensors.
pub fn serialize<'a>(
    tensors: impl IntoIterator<Item = (&'a str, impl View)>,
    metadata: &impl Serialize,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = lay_out(tensors, metadata)?;
    seal(&mut bytes)?;
    Ok(bytes)
}

/// [`serialize`] with zeros for the digest.
///
/// # Errors
/// As [`serialize`].
pub(crate) fn lay_out<'a>(
    tensors: impl IntoIterator<Item = (&'a str, impl View)>,
    metadata: &impl Serialize,
) -> anyhow::Result<Vec<u8>> {
    let metadata = [(METADATA_KEY.to_owned(), unsealed(metadata)?)].into();
    Ok(safetensors::serialize(tensors, Some(metadata))?)
}

fn unsealed(value: &impl Serialize) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(value)?;
    let object = value.as_object_mut().context("only an object can carry a digest")?;
    object.insert(DIGEST_KEY.to_owned(), String::from_utf8_lossy(&ZEROS).into());
    canonical_json(&value)
}

fn seal(bytes: &mut [u8]) -> anyhow::Result<()> {
    let at = digits(bytes).context("there is no place for the digest")?;
    let digest = to_hex(&Sha256::digest(&*bytes).into());
    bytes[at..at + N_DIGITS].copy_from_slice(digest.as_bytes());
    Ok(())
}

/// Where the digits of the digest begin. In a name the quotation marks would be escaped once more.
fn digits(start: &[u8]) -> Option<usize> {
    let in_json = format!("\"{DIGEST_KEY}\":\"");
    let in_header = format!("\\\"{DIGEST_KEY}\\\":\\\"");
    let at = [in_json, in_header].iter().find_map(|mark| {
        let at = memchr::memmem::find(start, mark.as_bytes())?;
        Some(at + mark.len())
    })?;
    (start.len() >= at + N_DIGITS).then_some(at)
}

/// The start of a safetensors file of this program.
#[derive(Debug)]
pub(crate) struct Header {
    /// Names, shapes, types and places of the tensors.
    pub(crate) tensors: Metadata,
    /// Where in the file the tensors' data begins.
    pub(crate) data_start: u64,
    /// The bytes up to there.
    bytes: Vec<u8>,
}

impl Header {
    /// Reads it from the start of `file`, whose size must be what the header says.
    ///
    /// # Errors
    /// If it is cut off or no header of safetensors.
    pub(crate) fn read(file: &mut File) -> anyhow::Result<Self> {
        let mut bytes = vec![0; LENGTH_BYTES as usize];
        file.read_exact(&mut bytes).context("it has fewer than 8 bytes")?;
        let n_header = u64::from_le_bytes(bytes[..].try_into()?);
        let n_file = file.metadata()?.len();
        anyhow::ensure!(
            n_header <= MAX_HEADER_BYTES && LENGTH_BYTES + n_header <= n_file,
            "it is no safetensors file, or cut off"
        );
        let data_start = LENGTH_BYTES + n_header;
        bytes.resize(data_start as usize, 0);
        file.read_exact(&mut bytes[LENGTH_BYTES as usize..])?;
        // Checks that the tensors lie side by side and fill exactly what their shapes ask for.
        let tensors: Metadata = serde_json::from_slice(&bytes[LENGTH_BYTES as usize..])
            .context("its header makes no sense; it is damaged or no safetensors file")?;
        let n_expected = data_start + tensors.data_len() as u64;
        anyhow::ensure!(n_file == n_expected, "it has {n_file} bytes, its header promises {n_expected}");
        Ok(Self { tensors, data_start, bytes })
    }

    /// The metadata, after a look at its format version; `path` is named where that is another.
    ///
    /// # Errors
    /// If the file is none of this program, or of another version.
    pub(crate) fn metadata<T: for<'de> Deserialize<'de>>(&self, path: &Path) -> anyhow::Result<T> {
        let foreign = "it is no file of this program";
        let text = self.tensors.metadata().as_ref().and_then(|m| m.get(METADATA_KEY)).context(foreign)?;
        let mut value: Value = serde_json::from_str(text).context(foreign)?;
        check_version(path, value.get("format_version"))?;
        value.as_object_mut().and_then(|object| object.remove(DIGEST_KEY));
        serde_json::from_value(value).context(foreign)
    }

    /// The digest that the file carries, which nobody has checked.
    ///
    /// # Errors
    /// If it carries none.
    pub(crate) fn stated_digest(&self) -> anyhow::Result<String> {
        Ok(Check::begin(&self.bytes)?.expected)
    }

    /// Reads all of `file` and gives the digest that it carries and has.
    ///
    /// # Errors
    /// If it has another, or cannot be read.
    pub(crate) fn verify(&self, file: &mut File) -> anyhow::Result<String> {
        let mut check = Check::begin(&self.bytes)?;
        file.seek(SeekFrom::Start(self.data_start))?;
        let mut buffer = vec![0; 1 << 18];
        loop {
            match file.read(&mut buffer)? {
                0 => return check.finish(),
                n => check.digest.update(&buffer[..n]),
            }
        }
    }
}

/// The content of a safetensors file of this program, all of it in memory and verified: the metadata and the
/// bytes.
///
/// # Errors
/// If it cannot be read, has more than `max_bytes`, is damaged, changed or of another format version.
pub fn read<T: for<'de> Deserialize<'de>>(path: &Path, max_bytes: u64) -> anyhow::Result<(T, Vec<u8>)> {
    let mut file = crate::regular::open(path)?;
    let header = Header::read(&mut file)?;
    let metadata = header.metadata(path)?;
    let n = file.metadata()?.len();
    anyhow::ensure!(n <= max_bytes, "it has {n} bytes, more than {max_bytes}");
    let mut bytes = header.bytes;
    file.take(max_bytes).read_to_end(&mut bytes)?;
    Check::begin(&bytes)?.finish()?;
    Ok((metadata, bytes))
}

/// The digest of a file, being computed.
struct Check {
    digest: Sha256,
    expected: String,
}

impl Check {
    /// Takes in the `start` of a file, in which its digest must stand.
    fn begin(start: &[u8]) -> anyhow::Result<Self> {
        let at = digits(start).context("it carries no digest of its content")?;
        let mut digest = Sha256::new();
        digest.update(&start[..at]);
        digest.update(ZEROS);
        digest.update(&start[at + N_DIGITS..]);
        Ok(Self { digest, expected: String::from_utf8_lossy(&start[at..at + N_DIGITS]).into_owned() })
    }

    fn finish(self) -> anyhow::Result<String> {
        let found = to_hex(&self.digest.finalize().into());
        anyhow::ensure!(
            found == self.expected,
            "it is damaged or was changed: its content does not have the sha256 that it was written with"
        );
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_bit_of_json_can_change() {
        // A name that looks like the key of the digest.
        let value = json!({"format_version": crate::provenance::FORMAT_VERSION, "a": "\"content_sha256\":\"", "z": [1.5, "é"]});
        let path = Path::new("x.json");
        let bytes = to_json(&value).unwrap();
        assert_eq!(from_json::<Value>(path, &bytes).unwrap(), value);
        for bit in 0..8 * bytes.len() {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(from_json::<Value>(path, &flipped).is_err(), "bit {bit}");
        }
    }
}
