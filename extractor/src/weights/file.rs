//! Reading a weights file that anybody may have made.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::Context;
use data::provenance::sha256_file;
use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::{ConvWeights, Weights};
use crate::vgg16::{LAYERS, Layer};

/// No header of a VGG-16 is longer; timm's has 4 KB. Keeps a hostile file from filling the memory.
const MAX_HEADER_BYTES: u64 = 1 << 20;

impl Weights {
    /// Reads and checks the weights file `path`: its header, every tensor's presence, shape and type, and
    /// that every weight is finite. f16 and bf16 are widened.
    ///
    /// Only the convolutions are read into memory, whatever else the file holds.
    ///
    /// # Errors
    /// Names the file, and lists everything that is wrong with its tensors at once.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let mut file = File::open(path).with_context(|| {
            format!("cannot read the weights {}; give --weights a safetensors file", path.display())
        })?;
        Self::parse(&mut file, sha256_file(path)?).with_context(|| path.display().to_string())
    }

    /// [`Weights::read`] from `file`, whose digest is `sha256`.
    pub(super) fn parse(file: &mut (impl Read + Seek), sha256: String) -> anyhow::Result<Self> {
        let (header, data_start) = read_header(file).context("it is damaged or no safetensors file")?;
        check_tensors(&header).map_err(|problems| {
            anyhow::anyhow!("it does not hold the convolutions of VGG-16:\n  {}", problems.join("\n  "))
        })?;

        let mut convolutions = Vec::with_capacity(LAYERS.len());
        let mut problems = Vec::new();
        for layer in &LAYERS {
            let (weight_name, bias_name) = layer.tensor_names();
            let mut floats = |name: &str| -> anyhow::Result<Vec<f32>> {
                let info = header.info(name).with_context(|| format!("{name} is missing"))?;
                let values =
                    read_floats(file, data_start, info).with_context(|| format!("cannot read {name}"))?;
                if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                    problems.push(format!("{name}: value {i} is {}, expected a finite number", values[i]));
                }
                Ok(values)
            };
            let (weight, bias) = (floats(&weight_name)?, floats(&bias_name)?);
            convolutions.push(ConvWeights { n_out: layer.n_out, n_in: layer.n_in, weight, bias });
        }
        anyhow::ensure!(
            problems.is_empty(),
            "it holds weights that are no numbers:\n  {}",
            problems.join("\n  ")
        );
        Ok(Self { convolutions, sha256 })
    }
}

/// The header, and where in the file the tensors' data begins.
fn read_header(file: &mut (impl Read + Seek)) -> anyhow::Result<(Metadata, u64)> {
    let n_file = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut length = [0; 8];
    file.read_exact(&mut length).context("it has fewer than 8 bytes")?;
    let n_header = u64::from_le_bytes(length);
    anyhow::ensure!(
        n_header <= MAX_HEADER_BYTES,
        "its header claims {n_header} bytes, more than {MAX_HEADER_BYTES}"
    );
    let mut json = vec![0; n_header as usize];
    file.read_exact(&mut json).with_context(|| format!("its header of {n_header} bytes is cut off"))?;
    // Checks that the tensors lie side by side and fill exactly what their shapes ask for.
    let header: Metadata = serde_json::from_slice(&json).context("its header makes no sense")?;
    let data_start = 8 + n_header;
    let n_expected = data_start + header.data_len() as u64;
    anyhow::ensure!(n_file == n_expected, "it has {n_file} bytes, its header promises {n_expected}");
    Ok((header, data_start))
}

/// Everything that is wrong with the tensors, by their header.
fn check_tensors(header: &Metadata) -> Result<(), Vec<String>> {
    let mut problems = Vec::new();
    for Layer { position, n_in, n_out, .. } in LAYERS {
        for (kind, shape) in [("weight", vec![n_out, n_in, 3, 3]), ("bias", vec![n_out])] {
            let name = format!("features.{position}.{kind}");
            let Some(info) = header.info(&name) else {
                problems.push(format!("{name} is missing"));
                continue;
            };
            if info.shape != shape {
                problems.push(format!("{name} has shape {:?}, expected {shape:?}", info.shape));
            }
            if !matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16) {
                problems.push(format!("{name} is {:?}, expected F32, F16 or BF16", info.dtype));
            }
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    if problems.len() == 2 * LAYERS.len() && problems.iter().all(|p| p.ends_with("is missing")) {
        let names = header.offset_keys();
        let shown: Vec<&str> = names.iter().take(5).map(String::as_str).collect();
        problems = vec![format!(
            "none of its 26 tensors is there, from features.0.weight to features.28.bias; it has {} tensors: {}{}",
            names.len(),
            shown.join(", "),
            if names.len() > shown.len() { ", ..." } else { "" }
        )];
    }
    Err(problems)
}

fn read_floats(
    file: &mut (impl Read + Seek),
    data_start: u64,
    info: &TensorInfo,
) -> anyhow::Result<Vec<f32>> {
    let (start, end) = info.data_offsets;
    let mut bytes = vec![0; end - start];
    file.seek(SeekFrom::Start(data_start + start as u64))?;
    file.read_exact(&mut bytes)?;
    Ok(match info.dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_le_bytes(b).to_f32()).collect(),
        other => anyhow::bail!("{other:?} is no type of weights"),
    })
}
