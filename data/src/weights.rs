//! Weights files: the safetensors that a network's weights come in, whoever made them.
//!
//! Everything here distrusts the file: its header may be of any length, its tensors of any type.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};
use sha2::{Digest as _, Sha256};

use crate::provenance::to_hex;

/// No header of a VGG-16 is longer; timm's has 4 KB. Keeps a hostile file from filling the memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Bytes before the header, which hold its length.
pub const LENGTH_BYTES: u64 = 8;

/// A weights file, opened. Its tensors are read as they are asked for.
#[derive(Debug)]
pub struct File {
    path: PathBuf,
    file: std::fs::File,
    /// What it holds.
    pub header: Header,
}

impl File {
    /// Opens `path`; its header is read, and its size must be what the header says.
    ///
    /// # Errors
    /// Names the file: it is missing, damaged, or no safetensors file.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let mut file = crate::regular::open(path).with_context(|| {
            format!("cannot read the weights {}; give --weights hub or a safetensors file", path.display())
        })?;
        let header = Header::read(&mut file)
            .and_then(|header| header.check_size(file.metadata()?.len()).map(|()| header))
            .with_context(|| format!("{} is damaged or no safetensors file", path.display()))?;
        Ok(Self { path: path.to_owned(), file, header })
    }

    /// The values of a tensor; f16 and bf16 are widened, f64 is rounded.
    ///
    /// # Errors
    /// Names the file and the tensor, if it is missing, holds no floats or cannot be read.
    pub fn floats(&mut self, name: &str) -> anyhow::Result<Vec<f32>> {
        let mut read = || -> anyhow::Result<Vec<f32>> {
            let range = self.header.range(name)?;
            let mut bytes = vec![0; (range.end - range.start) as usize];
            self.file.seek(SeekFrom::Start(range.start))?;
            self.file.read_exact(&mut bytes)?;
            self.header.floats(name, &bytes)
        };
        read().with_context(|| format!("cannot read {name} of {}", self.path.display()))
    }

    /// The digest of its convolutions, as [`crate::recipe::Recipe::weights_sha256`] has it: of all tensors
    /// `features.<position>.weight` and `.bias`, as torchvision and timm call them, by position.
    ///
    /// # Errors
    /// As [`File::floats`].
    pub fn digest_of_convolutions(&mut self) -> anyhow::Result<String> {
        let position = |name: &str| name.strip_prefix("features.")?.split('.').next()?.parse::<u32>().ok();
        let names = self.header.tensors.offset_keys();
        let mut names: Vec<_> = names.into_iter().filter_map(|name| Some((position(&name)?, name))).collect();
        // The weight before the bias.
        names.sort_by_key(|(position, name)| (*position, name.ends_with(".bias")));
        let mut digest = Digest::default();
        for (_, name) in names {
            let shape = self.header.tensors.info(&name).map(|info| info.shape.clone());
            digest.add(&name, &shape.unwrap_or_default(), &self.floats(&name)?);
        }
        Ok(digest.finish())
    }
}

/// The digest of [`crate::recipe::Recipe::weights_sha256`], tensor after tensor.
#[derive(Debug, Default)]
pub struct Digest(Sha256);

impl Digest {
    /// The next tensor.
    pub fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        self.0.update(format!("{name} {shape:?}\n"));
        for chunk in values.chunks(1 << 14) {
            self.0.update(chunk.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
    }

    /// In hexadecimal.
    pub fn finish(self) -> String {
        to_hex(&self.0.finalize().into())
    }
}

/// What stands before the tensors of a safetensors file.
#[derive(Debug)]
pub struct Header {
    /// Names, shapes, types and places.
    pub tensors: Metadata,
    /// Where in the file the tensors' data begins.
    data_start: u64,
}

impl Header {
    /// Reads it from the start of a file.
    ///
    /// # Errors
    /// If it is cut off, too long, or no header of safetensors.
    pub fn read(file: &mut impl Read) -> anyhow::Result<Self> {
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).context("it has fewer than 8 bytes")?;
        let n_header = Self::length(length)?;
        let mut json = vec![0; n_header as usize];
        file.read_exact(&mut json).with_context(|| format!("its header of {n_header} bytes is cut off"))?;
        // Checks that the tensors lie side by side and fill exactly what their shapes ask for.
        let tensors: Metadata = serde_json::from_slice(&json).context("its header makes no sense")?;
        Ok(Self { tensors, data_start: LENGTH_BYTES + n_header })
    }

    /// Bytes of the header, by the first [`LENGTH_BYTES`] of the file.
    ///
    /// # Errors
    /// If it is more than any header of VGG-16 has.
    pub fn length(bytes: [u8; LENGTH_BYTES as usize]) -> anyhow::Result<u64> {
        let n_header = u64::from_le_bytes(bytes);
        anyhow::ensure!(
            n_header <= MAX_HEADER_BYTES,
            "its header claims {n_header} bytes, more than {MAX_HEADER_BYTES}"
        );
        Ok(n_header)
    }

    /// # Errors
    /// If a file of `n_file` bytes is longer or shorter than the header says.
    pub fn check_size(&self, n_file: u64) -> anyhow::Result<()> {
        let n_expected = self.data_start + self.tensors.data_len() as u64;
        anyhow::ensure!(n_file == n_expected, "it has {n_file} bytes, its header promises {n_expected}");
        Ok(())
    }

    /// Where in the file a tensor lies.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn range(&self, name: &str) -> anyhow::Result<Range<u64>> {
        let (start, end) =
            self.tensors.info(name).with_context(|| format!("{name} is missing"))?.data_offsets;
        Ok(self.data_start + start as u64..self.data_start + end as u64)
    }

    /// The values of the tensor `name` with the data `bytes`.
    ///
    /// # Errors
    /// If it holds no floats.
    pub fn floats(&self, name: &str, bytes: &[u8]) -> anyhow::Result<Vec<f32>> {
        let info = self.tensors.info(name).with_context(|| format!("{name} is missing"))?;
        Ok(match info.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
            other => anyhow::bail!("{other:?} is no type of weights"),
        })
    }
}
