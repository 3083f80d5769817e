//! Weights files: the tensors of one network, as the program `weights` makes them of what anybody has published.
//!
//! `<backbone>.safetensors` holds the layers that make features, `<backbone>-classifier.safetensors` the dense layers
//! that the network was published with. All values are f32, all names torchvision's, and the metadata says where the
//! weights come from and whether they were trained at all. A file that `weights` did not make is refused.

mod seeded;
#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::Context;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backbone::{Backbone, Tensor};
use crate::envelope::{self, Header};
use crate::provenance::{FORMAT_VERSION, to_hex};
use crate::{commit, regular};

/// Which layers of a network a weights file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// The layers that make features: [`Backbone::features`].
    Features,
    /// The dense layers that the network was published with: [`Backbone::classifier`].
    Classifier,
}

impl Part {
    /// The tensors of this part of `backbone`, in the order of the forward pass.
    pub fn tensors(self, backbone: &Backbone) -> &[Tensor] {
        match self {
            Part::Features => &backbone.features,
            Part::Classifier => &backbone.classifier,
        }
    }

    /// The name of the file with this part of `backbone`.
    pub fn file_name(self, backbone: &Backbone) -> String {
        match self {
            Part::Features => format!("{}.safetensors", backbone.name),
            Part::Classifier => format!("{}-classifier.safetensors", backbone.name),
        }
    }
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// `hub:timm/vgg16.tv_in1k`, `seeded:42`, or the name of a file.
    pub origin: String,
    /// The commit of the hub's repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// SPDX identifier of the licence, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Whether they were trained; weights drawn from a seed were not.
    pub trained: bool,
}

/// What a weights file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsInfo {
    /// [`FORMAT_VERSION`] of the program that wrote it.
    pub format_version: u32,
    /// [`Backbone::name`].
    pub backbone: String,
    /// The layers that the file holds.
    pub part: Part,
    /// Where the weights come from.
    #[serde(flatten)]
    pub origin: Origin,
    /// [`crate::recipe::Recipe::weights_sha256`] of the layers that make features; in the file of a classifier, of
    /// those whose features it takes.
    pub weights_sha256: String,
}

/// A tensor with its values.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorValues {
    /// [`Tensor::name`].
    pub name: &'static str,
    /// [`Tensor::shape`].
    pub shape: &'static [usize],
    /// All values, the last dimension varying fastest.
    pub values: Vec<f32>,
}

/// The weights of one part of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// What they are.
    pub info: WeightsInfo,
    /// In the order of the forward pass.
    pub tensors: Vec<TensorValues>,
}

/// Collects the values of `tensors`, which `values_of` gives one by one.
///
/// # Errors
/// Those of `values_of`; or the list of all tensors with another number of values than their shape has, or with values
/// that are not finite.
pub fn collect(
    tensors: &[Tensor],
    mut values_of: impl FnMut(&Tensor) -> anyhow::Result<Vec<f32>>,
) -> anyhow::Result<Vec<TensorValues>> {
    let mut problems = Vec::new();
    let mut collected = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let values = values_of(tensor)?;
        let &Tensor { name, shape, .. } = tensor;
        if values.len() != tensor.len() {
            problems.push(format!("{name} has {} values, expected {}", values.len(), tensor.len()));
        }
        if let Some(i) = values.iter().position(|x| !x.is_finite()) {
            problems.push(format!("{name}: value {i} is {}, expected a finite number", values[i]));
        }
        collected.push(TensorValues { name, shape, values });
    }
    anyhow::ensure!(
        problems.is_empty(),
        "there are weights that are not usable:\n  {}",
        problems.join("\n  ")
    );
    Ok(collected)
}

/// Digests the tensors of the layers that make features, as [`crate::recipe::Recipe::weights_sha256`] says.
pub fn digest(tensors: &[TensorValues]) -> String {
    let mut digest = Sha256::new();
    for TensorValues { name, shape, values } in tensors {
        digest.update(format!("{name} {shape:?}\n"));
        for chunk in values.chunks(1 << 14) {
            digest.update(chunk.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
    }
    to_hex(&digest.finalize().into())
}

impl Weights {
    /// The layers of `backbone` that make features, in the order of [`Backbone::features`].
    pub fn of_features(backbone: &Backbone, origin: Origin, tensors: Vec<TensorValues>) -> Self {
        let weights_sha256 = digest(&tensors);
        Self { info: WeightsInfo::new(backbone, Part::Features, origin, weights_sha256), tensors }
    }

    /// The dense layers that belong to these layers, in the order of [`Backbone::classifier`].
    pub fn with_classifier(&self, classifier: Vec<TensorValues>) -> Self {
        Self { info: WeightsInfo { part: Part::Classifier, ..self.info.clone() }, tensors: classifier }
    }

    /// Writes them as `path`.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let views = self.tensors.iter().map(|TensorValues { name, shape, values }| {
            Ok((*name, TensorView::new(Dtype::F32, shape.to_vec(), bytemuck::cast_slice(values))?))
        });
        let views = views.collect::<anyhow::Result<Vec<_>>>()?;
        commit::write_bytes(path, &envelope::serialize(views, &self.info)?)
    }

    /// Reads and verifies what [`Weights::write`] wrote.
    ///
    /// # Errors
    /// Names the file: it is missing, damaged, of another part or network than is known, or `weights` did not make it;
    /// then with the command that converts it.
    pub fn read(path: &Path, part: Part) -> anyhow::Result<Self> {
        Self::read_of(path, part, Backbone::find)
    }

    /// Does the same as [`Weights::read`] for networks that `find` knows by name.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn read_of<'a>(
        path: &Path,
        part: Part,
        find: impl Fn(&str) -> anyhow::Result<&'a Backbone>,
    ) -> anyhow::Result<Self> {
        let mut file = regular::open(path).with_context(|| {
            format!(
                "cannot read the weights {}; make such a file with `weights --from hub --out DIRECTORY`",
                path.display()
            )
        })?;
        let header = Header::parse(&mut file).with_context(|| foreign(path))?;
        anyhow::ensure!(header.is_ours(), "{}", foreign(path));
        let damaged =
            || format!("{} is damaged; make it again with `weights`, from its original", path.display());
        header.check_size(file.metadata()?.len()).with_context(damaged)?;
        let info: WeightsInfo = header.metadata(path).with_context(|| foreign(path))?;
        let backbone = find(&info.backbone).with_context(|| format!("cannot use {}", path.display()))?;
        anyhow::ensure!(
            info.part == part,
            "{} holds the {} of {}, expected the file {}, which `weights` writes beside it{}",
            path.display(),
            info.part.layers(),
            backbone.name,
            part.file_name(backbone),
            if part == Part::Classifier { " with --full" } else { "" }
        );
        check_tensors(&header, part.tensors(backbone)).with_context(damaged)?;
        let n_bytes = file.metadata()?.len();
        let bytes = header.read_verified(file, n_bytes).with_context(damaged)?;
        let read = |tensor: &Tensor| {
            let range = header.range(tensor.name)?;
            header.floats(tensor.name, &bytes[range.start as usize..range.end as usize])
        };
        let tensors = collect(part.tensors(backbone), read).with_context(|| path.display().to_string())?;
        Ok(Self { info, tensors })
    }

    /// Whether [`Weights::write`] wrote the file `path`, which may be damaged meanwhile.
    pub fn wrote(path: &Path) -> bool {
        let metadata = || -> anyhow::Result<WeightsInfo> {
            let header = Header::parse(&mut regular::open(path)?)?;
            header.metadata(path)
        };
        metadata().is_ok()
    }

    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Option<&TensorValues> {
        self.tensors.iter().find(|tensor| tensor.name == name)
    }
}

impl WeightsInfo {
    fn new(backbone: &Backbone, part: Part, origin: Origin, weights_sha256: String) -> Self {
        let (format_version, backbone) = (FORMAT_VERSION, backbone.name.to_owned());
        Self { format_version, backbone, part, origin, weights_sha256 }
    }
}

impl Part {
    fn layers(self) -> &'static str {
        match self {
            Part::Features => "layers that make features",
            Part::Classifier => "classifier",
        }
    }
}

/// Refuses a header of other tensors than `expected`: all that is wrong at once.
fn check_tensors(header: &Header, expected: &[Tensor]) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for Tensor { name, shape, .. } in expected {
        match header.tensors.info(name) {
            None => problems.push(format!("{name} is missing")),
            Some(found) if found.shape != *shape || found.dtype != Dtype::F32 => problems.push(format!(
                "{name} is {:?} {:?}, expected {:?} {shape:?}",
                found.dtype,
                found.shape,
                Dtype::F32
            )),
            Some(_) => {}
        }
    }
    let unknown =
        header.tensors.offset_keys().into_iter().filter(|name| expected.iter().all(|t| t.name != name));
    problems.extend(unknown.map(|name| format!("{name} is not expected")));
    anyhow::ensure!(problems.is_empty(), "its tensors are others:\n  {}", problems.join("\n  "));
    Ok(())
}

/// What to do with a file that `weights` did not make.
fn foreign(path: &Path) -> String {
    let quoted = path.display().to_string().replace('\'', r"'\''");
    format!(
        "{} is no weights file of this program, or damaged; `weights --from '{quoted}' --out DIRECTORY` converts a \
         safetensors file or a state dict of PyTorch, and DIRECTORY then holds the file to give",
        path.display()
    )
}
