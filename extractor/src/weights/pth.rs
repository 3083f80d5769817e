//! State dicts of PyTorch (`.pth`, `.pt`), as torchvision offers them: a zip since PyTorch 1.6, pickles and
//! raw storages one after the other before that.
//!
//! A pickle is a program; candle's reader runs none of it, it only builds the objects that it names.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use anyhow::Context;
use candle_core::pickle::{Object, PthTensors, Stack, TensorInfo};
use candle_core::{DType, Device, Tensor};

use super::Weights;
use super::file::{Stated, check_tensors};
use super::slim::{self, Origin};
use crate::vgg16::Layer;

const ZIP_START: [u8; 4] = *b"PK\x03\x04";
/// The pickle of 0x1950a86a20f9469cfc6c, with which the older format begins (`torch/serialization.py`,
/// `MAGIC_NUMBER`).
const LEGACY_START: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The pickles of a VGG-16 have a few KB; no more is read of a hostile file.
const MAX_PICKLE_BYTES: u64 = 1 << 20;

/// Whether the file at `path` begins as one of PyTorch's.
pub(super) fn is_pth(path: &Path) -> bool {
    let mut start = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LEGACY_START.len() as u64).read_to_end(&mut start));
    read.is_ok() && (start.starts_with(&ZIP_START) || start == LEGACY_START)
}

/// Writes the convolutions of the state dict at `path` as a safetensors file into `weights_dir`, unless they
/// stand there already, and gives its path.
///
/// # Errors
/// If `path` is no state dict with the convolutions of `layers`.
pub(super) fn convert(path: &Path, weights_dir: &Path, layers: &[Layer]) -> anyhow::Result<PathBuf> {
    let weights = read(path, layers)?;
    let (stem, name) = (path.file_stem().unwrap_or_default(), path.file_name().unwrap_or_default());
    let slim = weights_dir.join(format!("{}-convolutions.safetensors", stem.to_string_lossy()));
    let stands =
        slim.exists() && Weights::read_layers(&slim, layers).is_ok_and(|w| w.sha256 == weights.sha256);
    if !stands {
        let name = name.to_string_lossy().into_owned();
        let origin = Origin { weights: name, revision: None, licence: None, weights_sha256: &weights.sha256 };
        slim::write(&slim, layers, &weights, &origin, None)?;
    }
    Ok(slim)
}

/// The convolutions of the state dict at `path`.
///
/// # Errors
/// Names the file and says how to convert it.
pub(super) fn read(path: &Path, layers: &[Layer]) -> anyhow::Result<Weights> {
    // candle's reader relies on the shapes of what it reads, and panics where they are others.
    catch_unwind(AssertUnwindSafe(|| read_unguarded(path, layers)))
        .unwrap_or_else(|_| Err(anyhow::anyhow!("its pickle makes no sense")))
        .with_context(|| {
            let path = path.display();
            format!(
                "cannot read {path} as a state dict of PyTorch; where PyTorch is, this makes a safetensors file \
                 of one: python -c \"import torch; from safetensors.torch import save_file; \
                 save_file(torch.load('{path}', map_location='cpu'), 'vgg16.safetensors')\""
            )
        })
}

fn read_unguarded(path: &Path, layers: &[Layer]) -> anyhow::Result<Weights> {
    let mut file = File::open(path)?;
    let mut start = [0; ZIP_START.len()];
    file.read_exact(&mut start)?;
    if start == ZIP_START {
        let tensors = PthTensors::new(path, None)?;
        check(layers, tensors.tensor_infos())?;
        return Weights::collect(layers, |name| {
            floats(&tensors.get(name)?.with_context(|| format!("{name} is missing"))?)
                .with_context(|| format!("cannot read {name}"))
        });
    }
    file.seek(SeekFrom::Start(LEGACY_START.len() as u64))?;
    let mut legacy = Legacy::open(BufReader::new(file))?;
    check(layers, &legacy.infos)?;
    Weights::collect(layers, |name| legacy.floats(name).with_context(|| format!("cannot read {name}")))
}

fn check(layers: &[Layer], infos: &HashMap<String, TensorInfo>) -> anyhow::Result<()> {
    let mut names: Vec<String> = infos.keys().cloned().collect();
    names.sort();
    check_tensors(&"it", layers, &names, |name| {
        let info = infos.get(name)?;
        let is_float = matches!(info.dtype, DType::F32 | DType::F16 | DType::BF16);
        Some(Stated { shape: info.layout.dims().to_vec(), dtype: format!("{:?}", info.dtype), is_float })
    })
}

fn floats(tensor: &Tensor) -> anyhow::Result<Vec<f32>> {
    Ok(tensor.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?)
}

/// A file of the older format: after its start the pickles of a version, of the machine, of the state dict
/// and of the storages' keys, then every storage, its number of elements (i64) before its data, in the
/// order of the keys.
struct Legacy {
    file: BufReader<File>,
    infos: HashMap<String, TensorInfo>,
    /// Where the data of a storage begins, and its number of bytes, by its key.
    storages: BTreeMap<String, (u64, u64)>,
}

impl Legacy {
    fn open(mut file: BufReader<File>) -> anyhow::Result<Self> {
        let version = unpickle(&mut file)?;
        anyhow::ensure!(version == Object::Int(1001), "its protocol is {version:?}, expected 1001");
        unpickle(&mut file).context("it says nothing of the machine that wrote it")?;
        let Object::Dict(entries) = unpickle(&mut file)? else {
            anyhow::bail!("it holds no dict of tensors")
        };
        let mut infos = HashMap::new();
        for (name, value) in entries {
            if let Some(info) = rebuilt_by_v2(value).into_tensor_info(name, Path::new(""))? {
                infos.insert(info.name.clone(), info);
            }
        }
        let Object::List(keys) = unpickle(&mut file)? else { anyhow::bail!("it holds no list of storages") };
        let mut storages = BTreeMap::new();
        let mut position = file.stream_position()?;
        let end = file.get_ref().metadata()?.len();
        for key in keys {
            let Object::Unicode(key) = key else {
                anyhow::bail!("the key of a storage is {key:?}, expected text")
            };
            let key = format!("/{key}");
            let info = infos.values().find(|info| info.path == key);
            let info =
                info.with_context(|| format!("no tensor has the storage {key}, so its size is unknown"))?;
            file.seek(SeekFrom::Start(position))?;
            let mut n = [0; 8];
            file.read_exact(&mut n).context("it is cut off")?;
            let n_bytes = u64::try_from(i64::from_le_bytes(n))
                .ok()
                .and_then(|n| n.checked_mul(info.dtype.size_in_bytes() as u64))
                .filter(|n| {
                    position + 8 + n <= end
                        && n / info.dtype.size_in_bytes() as u64 == info.storage_size as u64
                });
            let n_bytes =
                n_bytes.with_context(|| format!("the storage of {} is cut off or damaged", info.name))?;
            storages.insert(key, (position + 8, n_bytes));
            position += 8 + n_bytes;
        }
        anyhow::ensure!(position == end, "it has {end} bytes, expected {position}");
        Ok(Self { file, infos, storages })
    }

    fn floats(&mut self, name: &str) -> anyhow::Result<Vec<f32>> {
        let info = self.infos.get(name).context("it is missing")?;
        anyhow::ensure!(info.layout.is_contiguous(), "its values do not lie side by side");
        let (start, n_storage) = *self.storages.get(&info.path).context("its storage is missing")?;
        // candle's offset is one in bytes.
        let offset = info.layout.start_offset() as u64;
        let n_bytes = (info.layout.shape().elem_count() * info.dtype.size_in_bytes()) as u64;
        anyhow::ensure!(offset + n_bytes <= n_storage, "it lies outside its storage");
        self.file.seek(SeekFrom::Start(start + offset))?;
        let mut bytes = vec![0; n_bytes as usize];
        self.file.read_exact(&mut bytes)?;
        floats(&Tensor::from_raw_buffer(&bytes, info.dtype, info.layout.dims(), &Device::Cpu)?)
    }
}

/// One pickle, from where `file` stands.
fn unpickle(file: &mut impl BufRead) -> anyhow::Result<Object> {
    let mut stack = Stack::empty();
    stack.read_loop(&mut file.take(MAX_PICKLE_BYTES))?;
    Ok(stack.finalize()?)
}

/// Tensors of before PyTorch 0.4 are built by another function, from the same leading arguments.
fn rebuilt_by_v2(value: Object) -> Object {
    match value {
        Object::Reduce { callable, args } => match *callable {
            Object::Class { module_name, class_name } if class_name == "_rebuild_tensor" => {
                let callable = Object::Class { module_name, class_name: "_rebuild_tensor_v2".to_owned() };
                Object::Reduce { callable: Box::new(callable), args }
            }
            callable => Object::Reduce { callable: Box::new(callable), args },
        },
        other => other,
    }
}

#[cfg(test)]
mod tests;
