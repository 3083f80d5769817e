//! The safetensors files of this program: their header, their one metadata key, and the digest of their content.
//!
//! Shards, heads, checkpoints and weights are such files; each of their modules gives its tensors and its metadata,
//! an object, to `serialize`. The index of the features carries the same digest as plain JSON.
//!
//! The digest is the sha256 of the whole file with zeros in place of the digest's 64 digits, so that it covers every
//! byte. It finds damage and careless edits, not an attacker: whoever changes a file on purpose can compute it anew.
//!
//! [`Header`] also reads files that other programs wrote. It trusts nothing in them.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, View};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::provenance::{canonical_json, check_version, to_hex};

/// The one metadata key of our safetensors files; several keys would be written in random order.
const METADATA_KEY: &str = "tindogr";
/// The key of the digest in their metadata, and in other JSON.
const DIGEST_KEY: &str = "content_sha256";
const N_DIGITS: usize = 64;
const ZEROS: [u8; N_DIGITS] = [b'0'; N_DIGITS];
/// The names of 100,000 classes take far less. Keeps a hostile file from filling the memory.
const MAX_HEADER_BYTES: u64 = 64 << 20;
/// Bytes before the header of a safetensors file, which hold its length as a little-endian u64.
pub const LENGTH_BYTES: u64 = 8;

/// Gives `value`, an object, as canonical JSON with a digest of itself.
///
/// # Errors
/// If it is no JSON object.
pub(crate) fn to_json(value: &impl Serialize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = (with_zero_digest(value)? + "\n").into_bytes();
    fill_in_digest(&mut bytes)?;
    Ok(bytes)
}

/// Decodes what [`to_json`] wrote into `path`.
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

/// Encodes `tensors` with `metadata`, an object, and a digest of everything as a safetensors file.
///
/// # Errors
/// If safetensors refuses the tensors.
pub fn serialize<'a>(
    tensors: impl IntoIterator<Item = (&'a str, impl View)>,
    metadata: &impl Serialize,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = lay_out(tensors, metadata)?;
    fill_in_digest(&mut bytes)?;
    Ok(bytes)
}

/// Does the same as [`serialize`], with zeros for the digest.
///
/// # Errors
/// As [`serialize`].
pub(crate) fn lay_out<'a>(
    tensors: impl IntoIterator<Item = (&'a str, impl View)>,
    metadata: &impl Serialize,
) -> anyhow::Result<Vec<u8>> {
    let metadata = [(METADATA_KEY.to_owned(), with_zero_digest(metadata)?)].into();
    Ok(safetensors::serialize(tensors, Some(metadata))?)
}

fn with_zero_digest(value: &impl Serialize) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(value)?;
    let object = value.as_object_mut().context("only an object can carry a digest")?;
    object.insert(DIGEST_KEY.to_owned(), String::from_utf8_lossy(&ZEROS).into());
    canonical_json(&value)
}

fn fill_in_digest(bytes: &mut [u8]) -> anyhow::Result<()> {
    let at = digits(header_of(bytes)).context("there is no place for the digest")?;
    let digest = to_hex(&Sha256::digest(&*bytes).into());
    bytes[at..at + N_DIGITS].copy_from_slice(digest.as_bytes());
    Ok(())
}

/// Returns the part of a file's `bytes` in which its digest must be: the header of a safetensors file, or all of a JSON
/// file, which starts with a brace where a header has its length. Values of tensors may look like a digest.
fn header_of(bytes: &[u8]) -> &[u8] {
    let Some((length, rest)) = bytes.split_first_chunk().filter(|_| !bytes.starts_with(b"{\"")) else {
        return bytes;
    };
    let n = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX).min(rest.len());
    &bytes[..LENGTH_BYTES as usize + n]
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

/// The start of a safetensors file: what its tensors are called and where they lie.
#[derive(Debug)]
pub struct Header {
    /// Names, shapes, types and positions of the tensors.
    pub tensors: Metadata,
    /// Where in the file the tensors' data begins.
    pub(crate) data_start: u64,
    /// The bytes up to there.
    bytes: Vec<u8>,
}

impl Header {
    /// Reads the header of `file`, whose size must be what the header says.
    ///
    /// # Errors
    /// If the file is cut off, too long or no safetensors file.
    pub fn read(file: &mut File) -> anyhow::Result<Self> {
        let header = Self::parse(file)?;
        header.check_size(file.metadata()?.len())?;
        Ok(header)
    }

    /// Reads the header from the start of a file of unknown size.
    ///
    /// # Errors
    /// If it is cut off, too long, or no header of safetensors.
    pub fn parse(start: &mut impl Read) -> anyhow::Result<Self> {
        let mut length = [0; LENGTH_BYTES as usize];
        start.read_exact(&mut length).context("it has fewer than 8 bytes")?;
        let n_header = Self::length(length)?;
        let mut bytes = length.to_vec();
        // `take` instead of a buffer of the claimed size: the claim may be false.
        start.by_ref().take(n_header).read_to_end(&mut bytes)?;
        let data_start = LENGTH_BYTES + n_header;
        anyhow::ensure!(bytes.len() as u64 == data_start, "its header of {n_header} bytes is cut off");
        // Checks that the tensors lie side by side and fill exactly what their shapes ask for.
        let tensors: Metadata = serde_json::from_slice(&bytes[LENGTH_BYTES as usize..])
            .context("its header makes no sense; it is damaged or no safetensors file")?;
        Ok(Self { tensors, data_start, bytes })
    }

    /// Decodes the number of bytes of the header from the first [`LENGTH_BYTES`] of the file.
    ///
    /// # Errors
    /// If it is more than 64 MiB, which no header has.
    pub fn length(bytes: [u8; LENGTH_BYTES as usize]) -> anyhow::Result<u64> {
        let n_header = u64::from_le_bytes(bytes);
        anyhow::ensure!(
            n_header <= MAX_HEADER_BYTES,
            "its header claims {n_header} bytes, more than {MAX_HEADER_BYTES}; it is no safetensors file"
        );
        Ok(n_header)
    }

    /// Checks the size of the whole file.
    ///
    /// # Errors
    /// If a file of `n_file` bytes is longer or shorter than the header says.
    pub fn check_size(&self, n_file: u64) -> anyhow::Result<()> {
        let n_expected = self.data_start + self.tensors.data_len() as u64;
        anyhow::ensure!(n_file == n_expected, "it has {n_file} bytes, its header promises {n_expected}");
        Ok(())
    }

    /// Gives the bytes of the file in which the tensor `name` lies.
    ///
    /// # Errors
    /// If there is no tensor of that name.
    pub fn range(&self, name: &str) -> anyhow::Result<Range<u64>> {
        let (start, end) =
            self.tensors.info(name).with_context(|| format!("{name} is missing"))?.data_offsets;
        Ok(self.data_start + start as u64..self.data_start + end as u64)
    }

    /// Decodes `bytes`, the data of the tensor `name`; f16 and bf16 are widened, f64 is rounded.
    ///
    /// # Errors
    /// If there is no tensor of that name, or its values are no floats.
    pub fn floats(&self, name: &str, bytes: &[u8]) -> anyhow::Result<Vec<f32>> {
        let info = self.tensors.info(name).with_context(|| format!("{name} is missing"))?;
        Ok(match info.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
            other => anyhow::bail!("{name} is {other:?}, expected F32, F16, BF16 or F64"),
        })
    }

    /// Whether the file says that this program wrote it, in whatever format version.
    pub(crate) fn is_ours(&self) -> bool {
        self.tensors.metadata().as_ref().is_some_and(|metadata| metadata.contains_key(METADATA_KEY))
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

    /// Gives the digest that the file carries, unchecked.
    ///
    /// # Errors
    /// If it carries none.
    pub(crate) fn stated_digest(&self) -> anyhow::Result<String> {
        Ok(Check::begin(&self.bytes)?.expected)
    }

    /// Reads the rest of `file` into memory and verifies the digest; gives all bytes of the file.
    ///
    /// # Errors
    /// If the file has more than `max_bytes` or another digest than it carries, or cannot be read.
    pub(crate) fn read_verified(&self, file: File, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
        let n = file.metadata()?.len();
        anyhow::ensure!(n <= max_bytes, "it has {n} bytes, more than {max_bytes}");
        let mut bytes = self.bytes.clone();
        bytes.reserve_exact(usize::try_from(n)?.saturating_sub(bytes.len()));
        file.take(max_bytes).read_to_end(&mut bytes)?;
        Check::begin(&bytes)?.finish()?;
        Ok(bytes)
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

/// Reads a safetensors file of this program into memory and verifies its digest; gives its metadata and its bytes.
///
/// # Errors
/// If it cannot be read, has more than `max_bytes`, is damaged, changed or of another format version.
pub fn read<T: for<'de> Deserialize<'de>>(path: &Path, max_bytes: u64) -> anyhow::Result<(T, Vec<u8>)> {
    let mut file = crate::regular::open(path)?;
    let header = Header::read(&mut file)?;
    let metadata = header.metadata(path)?;
    Ok((metadata, header.read_verified(file, max_bytes)?))
}

/// The digest of a file, being computed.
struct Check {
    digest: Sha256,
    expected: String,
}

impl Check {
    /// Takes in the `start` of a file, in which its digest must stand.
    fn begin(start: &[u8]) -> anyhow::Result<Self> {
        let at = digits(header_of(start)).context("it carries no digest of its content")?;
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
    use safetensors::tensor::TensorView;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_a_tensor_that_look_like_a_digest_are_not_taken_for_it() {
        let values = format!("\"{DIGEST_KEY}\":\"{}\"   ", "0".repeat(N_DIGITS));
        let view = TensorView::new(Dtype::U8, vec![values.len()], values.as_bytes()).unwrap();
        let version = crate::provenance::FORMAT_VERSION;
        let bytes = serialize([("x", view)], &json!({ "format_version": version })).unwrap();
        assert!(bytes.ends_with(values.as_bytes()), "the values are unchanged");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors");
        crate::commit::write_bytes(&path, &bytes).unwrap();
        let mut file = File::open(&path).unwrap();
        let header = Header::read(&mut file).unwrap();
        let digest = header.verify(&mut file).unwrap();
        assert_eq!(read::<Value>(&path, 1 << 20).unwrap().1, bytes);
        assert_eq!(header.stated_digest().unwrap(), digest);
    }

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
