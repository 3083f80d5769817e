//! The files around a pickle: the zip of today, and the older format.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, ensure};
use data::regular;
use zip::ZipArchive;

use super::pickle::{Node, Pickle};
use super::state_dict::{Storage, Tensor, tensors};

/// The first bytes of a zip.
pub(super) const ZIP_START: [u8; 4] = *b"PK\x03\x04";
/// The first bytes of the older format: the pickle of 0x1950a86a20f9469cfc6c (`torch/serialization.py`,
/// `MAGIC_NUMBER`).
pub(super) const LEGACY_START: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// A file of PyTorch that is no state dict, but that PyTorch can convert into one.
#[derive(Debug, thiserror::Error)]
#[error("{0:#}")]
pub(super) struct Foreign(anyhow::Error);

/// An opened file that holds storages.
pub(super) enum Container {
    /// The storage `key` is the entry `<folder>/data/<key>`.
    Zip { archive: ZipArchive<BufReader<File>>, folder: String },
    /// Where the data of each storage begins, by its key.
    Legacy { file: BufReader<File>, starts: BTreeMap<String, u64> },
}

impl Container {
    /// Opens `path` and reads the descriptions of its tensors; `first` lists the names that one of the wanted tensors may
    /// have.
    ///
    /// # Errors
    /// If it is damaged, or [`Foreign`].
    pub(super) fn open(path: &Path, first: &[&str]) -> anyhow::Result<(Self, BTreeMap<String, Tensor>)> {
        let mut file = regular::open(path)?;
        let mut start = [0; ZIP_START.len()];
        file.read_exact(&mut start).context("it is cut off")?;
        file.rewind()?;
        let file = BufReader::new(file);
        if start == ZIP_START { Self::open_zip(file, first) } else { Self::open_legacy(file, first) }
    }

    fn open_zip(file: BufReader<File>, first: &[&str]) -> anyhow::Result<(Self, BTreeMap<String, Tensor>)> {
        let mut archive = ZipArchive::new(file).context("it is a damaged zip")?;
        let names: Vec<String> =
            archive.file_names().filter_map(Result::ok).map(|name| name.into_owned()).collect();
        let mut pickles = names.iter().filter_map(|name| name.strip_suffix("/data.pkl"));
        let folder =
            pickles.next().context("it is a zip, but none of PyTorch's: there is no data.pkl")?.to_owned();
        ensure!(pickles.next().is_none(), "it has several data.pkl");
        if names.iter().any(|name| name.starts_with(&format!("{folder}/code/"))) {
            return Err(Foreign(anyhow::anyhow!("it is a module for TorchScript")).into());
        }
        if let Ok(mut entry) = archive.by_name(&format!("{folder}/byteorder")) {
            let mut order = Vec::new();
            entry.by_ref().take(8).read_to_end(&mut order)?;
            if order != b"little" {
                return Err(
                    Foreign(anyhow::anyhow!("it was written on a machine of another byte order")).into()
                );
            }
        }
        let pickle = Pickle::read(&mut BufReader::new(archive.by_name(&format!("{folder}/data.pkl"))?))?;
        let tensors = tensors(&pickle, first).map_err(Foreign)?;
        Ok((Self::Zip { archive, folder }, tensors))
    }

    /// Opens the older format: the magic number; the pickles of a version, of the machine, of the state dict and of the
    /// storages' keys; then, in the order of the keys, each storage's number of values (i64) and its data.
    fn open_legacy(
        mut file: BufReader<File>,
        first: &[&str],
    ) -> anyhow::Result<(Self, BTreeMap<String, Tensor>)> {
        let mut start = [0; LEGACY_START.len()];
        file.read_exact(&mut start).context("it is cut off")?;
        ensure!(start == LEGACY_START, "it is no file of PyTorch");
        let version = Pickle::read(&mut file)?;
        let version = version.int(version.root);
        ensure!(version == Some(1001), "its protocol is {version:?}, expected 1001");
        Pickle::read(&mut file).context("it says nothing of the machine that wrote it")?;
        let pickle = Pickle::read(&mut file)?;
        let storages = super::state_dict::storages(&pickle)?;
        let starts = storage_starts(&mut file, &storages)?;
        let tensors = tensors(&pickle, first).map_err(Foreign)?;
        Ok((Self::Legacy { file, starts }, tensors))
    }

    /// Reads the bytes in which the values of `tensor` lie.
    ///
    /// # Errors
    /// If its storage is missing or has another size than it says.
    pub(super) fn read(&mut self, tensor: &Tensor) -> anyhow::Result<Vec<u8>> {
        let (start, n_bytes) = tensor.span()?;
        let key = &tensor.storage.key;
        let mut bytes = Vec::new();
        match self {
            Container::Zip { archive, folder } => {
                let mut entry = archive.by_name(&format!("{folder}/data/{key}"))?;
                let expected = tensor.storage.n_bytes()?;
                let found = entry.size();
                ensure!(found == expected, "its storage has {found} bytes, expected {expected}");
                io::copy(&mut entry.by_ref().take(start), &mut io::sink())?;
                entry.take(n_bytes).read_to_end(&mut bytes)?;
            }
            Container::Legacy { file, starts } => {
                let at = starts.get(key).context("its storage is missing")?;
                file.seek(SeekFrom::Start(at + start))?;
                file.take(n_bytes).read_to_end(&mut bytes)?;
            }
        }
        ensure!(bytes.len() as u64 == n_bytes, "it is cut off");
        Ok(bytes)
    }
}

/// Finds where each storage's data begins in a file of the older format; `file` is positioned at the pickle of their
/// keys.
fn storage_starts(
    file: &mut BufReader<File>,
    storages: &BTreeMap<String, Storage>,
) -> anyhow::Result<BTreeMap<String, u64>> {
    let keys = Pickle::read(file)?;
    let Node::List(items) = keys.node(keys.root) else { anyhow::bail!("it holds no list of storages") };
    let end = file.get_ref().metadata()?.len();
    let mut position = file.stream_position()?;
    let mut starts = BTreeMap::new();
    for &item in items {
        let key = keys.text(item).context("the key of a storage is no text")?;
        let storage = storages.get(key).with_context(|| format!("no tensor has the storage {key}"))?;
        file.seek(SeekFrom::Start(position))?;
        let mut n = [0; 8];
        file.read_exact(&mut n).context("it is cut off")?;
        ensure!(
            u64::try_from(i64::from_le_bytes(n)).ok() == Some(storage.n),
            "the storage {key} has another size than its tensors say"
        );
        let after = storage.n_bytes()?.checked_add(position + 8).filter(|&after| after <= end);
        starts.insert(key.to_owned(), position + 8);
        position = after.with_context(|| format!("the storage {key} is cut off"))?;
    }
    ensure!(position == end, "it has {end} bytes, expected {position}");
    Ok(starts)
}
