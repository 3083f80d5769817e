//! The tensors that a pickle describes.

use std::collections::{BTreeMap, HashSet, VecDeque};

use anyhow::{Context, bail, ensure};
use half::{bf16, f16};

use super::pickle::{Id, Node, Pickle};

/// How deep dicts are searched for a network: that of a checkpoint is `{"state_dict": {...}}`.
const MAX_DEPTH: usize = 3;
/// No tensor of a network has more dimensions.
const MAX_DIMENSIONS: usize = 8;
/// The most values of a storage for each value of a tensor; a channels_last tensor has 1.
const MAX_SPREAD: u64 = 64;

/// How values are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    F16,
    Bf16,
    F32,
    F64,
    /// Not floats; the bytes of one value.
    Other(u64),
}

impl Kind {
    pub(super) fn size(self) -> u64 {
        match self {
            Kind::F16 | Kind::Bf16 => 2,
            Kind::F32 => 4,
            Kind::F64 => 8,
            Kind::Other(size) => size,
        }
    }

    pub(super) fn is_float(self) -> bool {
        !matches!(self, Kind::Other(_))
    }

    fn of_storage(class: &str) -> Option<Self> {
        Some(match class {
            "HalfStorage" => Kind::F16,
            "BFloat16Storage" => Kind::Bf16,
            "FloatStorage" => Kind::F32,
            "DoubleStorage" => Kind::F64,
            "BoolStorage" | "ByteStorage" | "CharStorage" | "QUInt8Storage" | "QInt8Storage"
            | "UntypedStorage" => Kind::Other(1),
            "ShortStorage" => Kind::Other(2),
            "IntStorage" | "QInt32Storage" => Kind::Other(4),
            "LongStorage" | "ComplexFloatStorage" => Kind::Other(8),
            "ComplexDoubleStorage" => Kind::Other(16),
            _ => return None,
        })
    }

    fn float(self, bytes: &[u8]) -> Option<f32> {
        Some(match self {
            Kind::F16 => f16::from_le_bytes(bytes.try_into().ok()?).to_f32(),
            Kind::Bf16 => bf16::from_le_bytes(bytes.try_into().ok()?).to_f32(),
            Kind::F32 => f32::from_le_bytes(bytes.try_into().ok()?),
            Kind::F64 => f64::from_le_bytes(bytes.try_into().ok()?) as f32,
            Kind::Other(_) => return None,
        })
    }
}

/// Values that are stored together in the file; tensors are views of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) kind: Kind,
    /// Number of values.
    pub(super) n: u64,
}

impl Storage {
    pub(super) fn n_bytes(&self) -> anyhow::Result<u64> {
        self.n.checked_mul(self.kind.size()).context("a storage has an impossible size")
    }
}

/// A view of a storage.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    pub(super) shape: Vec<usize>,
    /// The first value.
    offset: u64,
    /// The distance from one value to the next in each dimension.
    strides: Vec<u64>,
}

impl Tensor {
    /// Gives the position of its values in its storage: first byte, number of bytes.
    ///
    /// # Errors
    /// If they do not lie in it, or so far apart that reading them makes no sense.
    pub(super) fn span(&self) -> anyhow::Result<(u64, u64)> {
        let (mut last, mut n) = (Some(self.offset), Some(1u64));
        for (&side, &stride) in self.shape.iter().zip(&self.strides) {
            let side = side as u64;
            n = n.and_then(|n| n.checked_mul(side));
            let step = side.saturating_sub(1).checked_mul(stride);
            last = last.zip(step).and_then(|(last, step)| last.checked_add(step));
        }
        let (Some(last), Some(n)) = (last, n) else { bail!("it has an impossible shape") };
        ensure!(n > 0, "it has no values");
        ensure!(last < self.storage.n, "it lies outside its storage");
        let span = last - self.offset + 1;
        ensure!(span / n <= MAX_SPREAD, "its values lie too far apart");
        let size = self.storage.kind.size();
        self.storage.n_bytes()?;
        Ok((self.offset * size, span * size))
    }

    /// Decodes its values in the order of the dimensions, from the bytes of [`Tensor::span`].
    ///
    /// # Errors
    /// If they are no floats.
    pub(super) fn floats(&self, bytes: &[u8]) -> anyhow::Result<Vec<f32>> {
        let size = self.storage.kind.size();
        let n: usize = self.shape.iter().product();
        let mut values = Vec::with_capacity(n);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..n {
            let at: u64 = index.iter().zip(&self.strides).map(|(&i, stride)| i as u64 * stride).sum();
            let value = bytes.get((at * size) as usize..((at + 1) * size) as usize);
            values.push(value.and_then(|b| self.storage.kind.float(b)).context("it holds no floats")?);
            for (i, &side) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < side {
                    break;
                }
                *i = 0;
            }
        }
        Ok(values)
    }
}

/// Collects the tensors of the network that has a tensor with one of the names `first`, by name. Its dict may lie in that of a
/// checkpoint, and its names may have a prefix, if there is only one such network.
///
/// # Errors
/// If there is no dict, more than one network, or a tensor makes no sense.
pub(super) fn tensors(pickle: &Pickle, first: &[&str]) -> anyhow::Result<BTreeMap<String, Tensor>> {
    let dicts = dicts(pickle)?;
    let mut found = Vec::new();
    for (path, entries) in &dicts {
        for (name, _) in *entries {
            let Some(name) = pickle.text(*name) else { continue };
            let prefixes = first.iter().filter_map(|first| name.strip_suffix(first));
            let mut prefixes = prefixes.filter(|prefix| prefix.is_empty() || prefix.ends_with('.'));
            found.extend(prefixes.next().map(|prefix| (path, *entries, prefix, name)));
        }
    }
    let places: Vec<String> = found.iter().map(|(path, _, _, name)| format!("{path}{name}")).collect();
    ensure!(
        found.len() <= 1,
        "it holds several networks ({}); save the dict of one of them alone",
        places.join(", ")
    );
    let (entries, prefix) = match found.first() {
        Some((path, entries, prefix, _)) => {
            if !path.is_empty() || !prefix.is_empty() {
                tracing::info!("the weights are called {}", places[0]);
            }
            (*entries, *prefix)
        }
        // The error message lists the names of the dict with the most entries.
        None => (dicts.iter().map(|(_, entries)| *entries).max_by_key(|e| e.len()).unwrap_or_default(), ""),
    };
    let mut tensors = BTreeMap::new();
    for (name, value) in entries {
        let Some(name) = pickle.text(*name).and_then(|name| name.strip_prefix(prefix)) else { continue };
        if let Some(tensor) = tensor(pickle, *value).with_context(|| format!("cannot understand {name}"))? {
            tensors.insert(name.to_owned(), tensor);
        }
    }
    Ok(tensors)
}

/// Collects all storages by their keys, whatever they are a part of.
///
/// # Errors
/// If one makes no sense, or two have one key.
pub(super) fn storages(pickle: &Pickle) -> anyhow::Result<BTreeMap<String, Storage>> {
    let mut storages = BTreeMap::new();
    for node in pickle.nodes() {
        let Node::Persistent(id) = node else { continue };
        let storage = storage_named(pickle, *id)?;
        let key = storage.key.clone();
        let before = storages.insert(key.clone(), storage.clone());
        ensure!(before.is_none_or(|before| before == storage), "the storage {key} has two sizes");
    }
    Ok(storages)
}

type Entries<'a> = &'a [(Id, Id)];

/// Lists the dict that was pickled and the dicts in it, each with the path of keys to it.
fn dicts(pickle: &Pickle) -> anyhow::Result<Vec<(String, Entries<'_>)>> {
    ensure!(
        matches!(pickle.node(pickle.root), Node::Dict(_)),
        "it holds no dict of tensors but something else, such as a whole model"
    );
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut queue = VecDeque::from([(String::new(), pickle.root, 0)]);
    while let Some((path, id, depth)) = queue.pop_front() {
        let Node::Dict(entries) = pickle.node(id) else { continue };
        if !seen.insert(id) {
            continue;
        }
        found.push((path.clone(), entries.as_slice()));
        if depth < MAX_DEPTH {
            let inner = entries.iter().filter_map(|&(key, value)| Some((pickle.text(key)?, value)));
            queue.extend(inner.map(|(key, value)| (format!("{path}{key}/"), value, depth + 1)));
        }
    }
    Ok(found)
}

/// Decodes the tensor `id`; `None` if it is something else.
fn tensor(pickle: &Pickle, mut id: Id) -> anyhow::Result<Option<Tensor>> {
    // A parameter wraps a tensor; nothing wraps a parameter.
    for _ in 0..2 {
        let Node::Call(function, arguments) = pickle.node(id) else { return Ok(None) };
        let (Node::Global(module, name), Some(arguments)) =
            (pickle.node(*function), pickle.tuple(*arguments))
        else {
            return Ok(None);
        };
        if module != "torch._utils" {
            return Ok(None);
        }
        match (name.as_str(), arguments) {
            ("_rebuild_parameter" | "_rebuild_parameter_with_state", [data, ..]) => id = *data,
            ("_rebuild_tensor" | "_rebuild_tensor_v2", [storage, offset, shape, strides, rest @ ..]) => {
                // The seventh argument marks a view that is negated or conjugated.
                let is_plain = rest.get(2).is_none_or(|&extra| {
                    *pickle.node(extra) == Node::Other || {
                        matches!(pickle.node(extra), Node::Dict(entries) if entries.is_empty())
                    }
                });
                ensure!(is_plain, "it is a tensor of a special kind");
                return view(pickle, [*storage, *offset, *shape, *strides]).map(Some);
            }
            (other, _) => {
                tracing::debug!("passing over what torch._utils.{other} makes");
                return Ok(None);
            }
        }
    }
    Ok(None)
}

fn view(pickle: &Pickle, [storage, offset, shape, strides]: [Id; 4]) -> anyhow::Result<Tensor> {
    let whole = |id: Id| pickle.int(id).and_then(|n| u64::try_from(n).ok());
    let numbers = |id: Id| -> Option<Vec<u64>> { pickle.tuple(id)?.iter().map(|&n| whole(n)).collect() };
    let shape = numbers(shape).context("its shape makes no sense")?;
    let strides = numbers(strides).context("its strides make no sense")?;
    ensure!(shape.len() == strides.len() && shape.len() <= MAX_DIMENSIONS, "its dimensions make no sense");
    let shape = shape.into_iter().map(usize::try_from).collect::<Result<_, _>>()?;
    let offset = whole(offset).context("its offset makes no sense")?;
    Ok(Tensor { storage: storage_of(pickle, storage)?, shape, offset, strides })
}

/// `('storage', torch.FloatStorage, key, location, n)`; the older format adds what part of another storage it is.
fn storage_of(pickle: &Pickle, id: Id) -> anyhow::Result<Storage> {
    let Node::Persistent(id) = pickle.node(id) else { bail!("it has no storage") };
    storage_named(pickle, *id)
}

fn storage_named(pickle: &Pickle, id: Id) -> anyhow::Result<Storage> {
    let Some([kind, class, key, _, n, rest @ ..]) = pickle.tuple(id) else { bail!("it has no storage") };
    ensure!(pickle.text(*kind) == Some("storage"), "it has no storage");
    ensure!(
        rest.iter().all(|&view| *pickle.node(view) == Node::Other),
        "its storage is a part of another one, as PyTorch wrote them before 0.4"
    );
    let Node::Global(_, class) = pickle.node(*class) else { bail!("its storage is of no class") };
    let kind = Kind::of_storage(class).with_context(|| format!("its storage is a {class}"))?;
    let key = pickle.text(*key).context("its storage has no key")?.to_owned();
    let n = pickle.int(*n).and_then(|n| u64::try_from(n).ok()).context("its storage has no size")?;
    Ok(Storage { key, kind, n })
}
