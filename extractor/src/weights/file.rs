//! Reading a weights file that anybody may have made.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};

use super::{Weights, pth, slim};
use crate::vgg16::{LAYERS, Layer};

/// No header of a VGG-16 is longer; timm's has 4 KB. Keeps a hostile file from filling the memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// Bytes before the header, which hold its length.
pub(super) const LENGTH_BYTES: u64 = 8;

impl Weights {
    /// Reads and checks the weights file `path`: its header, every tensor's presence, shape and type, and
    /// that every weight is finite. f16 and bf16 are widened. A file that the extractor fetched or
    /// converted also records the digest of its weights, and they must have it.
    ///
    /// Only the convolutions are read into memory, whatever else the file holds.
    ///
    /// # Errors
    /// Names the file, and lists everything that is wrong with its tensors at once.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::read_layers(path, &LAYERS)
    }

    /// [`Weights::read`] for a network of other layers.
    pub(super) fn read_layers(path: &Path, layers: &[Layer]) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| {
            format!("cannot read the weights {}; give --weights hub or a safetensors file", path.display())
        })?;
        anyhow::ensure!(
            !pth::is_pth(path),
            "{} is a file of PyTorch; the extractor converted its convolutions into a safetensors file in \
             --weights-dir: give that",
            path.display()
        );
        let header = Header::read(&mut file)
            .and_then(|header| header.check_size(file.metadata()?.len()).map(|()| header))
            .with_context(|| format!("{} is damaged or no safetensors file", path.display()))?;
        header.check_tensors(&path.display(), layers)?;
        let weights = Self::collect(layers, |name| {
            let mut read = || -> anyhow::Result<Vec<f32>> {
                let range = header.range(name)?;
                let mut bytes = vec![0; (range.end - range.start) as usize];
                file.seek(SeekFrom::Start(range.start))?;
                file.read_exact(&mut bytes)?;
                header.floats(name, &bytes)
            };
            read().with_context(|| format!("cannot read {name} of {}", path.display()))
        })
        .with_context(|| format!("{} cannot be used", path.display()))?;
        if let Some(recorded) = slim::recorded_sha256(&header.tensors) {
            anyhow::ensure!(
                weights.sha256 == recorded,
                "{} is damaged: its weights have the sha256 {}, it records {recorded}; remove it and run the \
                 extractor again",
                path.display(),
                weights.sha256
            );
        }
        Ok(weights)
    }
}

/// What stands before the tensors of a safetensors file.
#[derive(Debug)]
pub(super) struct Header {
    /// Names, shapes, types and places.
    pub(super) tensors: Metadata,
    /// Where in the file the tensors' data begins.
    data_start: u64,
}

impl Header {
    /// Reads it from the start of a file.
    ///
    /// # Errors
    /// If it is cut off, too long, or no header of safetensors.
    pub(super) fn read(file: &mut impl Read) -> anyhow::Result<Self> {
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
    pub(super) fn length(bytes: [u8; LENGTH_BYTES as usize]) -> anyhow::Result<u64> {
        let n_header = u64::from_le_bytes(bytes);
        anyhow::ensure!(
            n_header <= MAX_HEADER_BYTES,
            "its header claims {n_header} bytes, more than {MAX_HEADER_BYTES}"
        );
        Ok(n_header)
    }

    /// # Errors
    /// If a file of `n_file` bytes is longer or shorter than the header says.
    pub(super) fn check_size(&self, n_file: u64) -> anyhow::Result<()> {
        let n_expected = self.data_start + self.tensors.data_len() as u64;
        anyhow::ensure!(n_file == n_expected, "it has {n_file} bytes, its header promises {n_expected}");
        Ok(())
    }

    /// # Errors
    /// Names `file`, and everything that is wrong with its tensors.
    pub(super) fn check_tensors(&self, file: &dyn fmt::Display, layers: &[Layer]) -> anyhow::Result<()> {
        check_tensors(file, layers, &self.tensors.offset_keys(), |name| {
            let info = self.tensors.info(name)?;
            let is_float = matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16);
            Some(Stated { shape: info.shape.clone(), dtype: format!("{:?}", info.dtype), is_float })
        })
    }

    /// Where in the file a tensor lies.
    ///
    /// # Errors
    /// If there is none of that name.
    pub(super) fn range(&self, name: &str) -> anyhow::Result<Range<u64>> {
        let (start, end) =
            self.tensors.info(name).with_context(|| format!("{name} is missing"))?.data_offsets;
        Ok(self.data_start + start as u64..self.data_start + end as u64)
    }

    /// The values of the tensor `name` with the data `bytes`.
    ///
    /// # Errors
    /// If it holds no floats.
    pub(super) fn floats(&self, name: &str, bytes: &[u8]) -> anyhow::Result<Vec<f32>> {
        let info = self.tensors.info(name).with_context(|| format!("{name} is missing"))?;
        Ok(match info.dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
            Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
            Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
            other => anyhow::bail!("{other:?} is no type of weights"),
        })
    }
}

/// What a file says of one of its tensors.
pub(super) struct Stated {
    pub(super) shape: Vec<usize>,
    /// As an error names it.
    pub(super) dtype: String,
    /// f32, f16 or bf16.
    pub(super) is_float: bool,
}

/// Checks that `file`, with tensors called `names`, holds the convolutions of `layers`.
///
/// # Errors
/// Everything that is wrong with them.
pub(super) fn check_tensors(
    file: &dyn fmt::Display,
    layers: &[Layer],
    names: &[String],
    stated: impl Fn(&str) -> Option<Stated>,
) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for (name, shape) in layers.iter().flat_map(Layer::tensors) {
        let Some(stated) = stated(&name) else {
            problems.push(format!("{name} is missing"));
            continue;
        };
        if stated.shape != shape {
            problems.push(format!("{name} has shape {:?}, expected {shape:?}", stated.shape));
        }
        if !stated.is_float {
            problems.push(format!("{name} is {}, expected F32, F16 or BF16", stated.dtype));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    if problems.len() == 2 * layers.len() && problems.iter().all(|p| p.ends_with("is missing")) {
        let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
        problems = vec![format!(
            "none of its {} tensors is there, such as features.0.weight; it has {} tensors: {}{}",
            2 * layers.len(),
            names.len(),
            shown.join(", "),
            if names.len() > shown.len() { ", ..." } else { "" }
        )];
    }
    anyhow::bail!("{file} does not hold the convolutions of VGG-16:\n  {}", problems.join("\n  "))
}
