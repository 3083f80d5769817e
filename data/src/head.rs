//! `head.safetensors`: the trained head with all that is needed to use it.
//!
//! Tensors `dense_1.weight` (out, in), `dense_1.bias` (out), `dense_2.weight`, ... in f32, in the order
//! of the forward pass; a ReLU between two of them and a softmax after the last. The metadata holds
//! the classes, the recipe, the shape of the features, how the head was trained ([`TrainingRecord`]) and a digest of
//! the whole file.

use std::path::Path;

use anyhow::Context;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::commit;
use crate::envelope;
use crate::features::n_values;
use crate::provenance::FORMAT_VERSION;
use crate::recipe::Recipe;

pub use training::{
    ClassWeights, Hidden, Hyperparameters, Init, Keep, Optimizer, StartRecord, TrainingRecord,
};

mod training;

/// Name of the head in a model directory.
pub const FILE_NAME: &str = "head.safetensors";
/// The largest head or checkpoint that is read, in bytes; the post's head has 212 MB.
pub const MAX_BYTES: u64 = 8 << 30;

/// One fully connected layer, `y = W x + b`.
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// Outputs.
    pub n_out: usize,
    /// Inputs.
    pub n_in: usize,
    /// W (out, in) row-major, PyTorch's layout.
    pub weight: Vec<f32>,
    /// b (out)
    pub bias: Vec<f32>,
}

impl Dense {
    /// The weights of output `row`, (in).
    pub fn row(&self, row: usize) -> &[f32] {
        &self.weight[row * self.n_in..(row + 1) * self.n_in]
    }

    /// The weights of output `row`, (in), to be changed.
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        &mut self.weight[row * self.n_in..(row + 1) * self.n_in]
    }

    /// Whether every weight and bias is finite.
    pub fn is_finite(&self) -> bool {
        self.weight.iter().chain(&self.bias).all(|w| w.is_finite())
    }
}

/// The metadata of a head.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadInfo {
    /// Version of this format.
    pub format_version: u32,
    /// The classes in the order of the outputs.
    pub classes: Vec<String>,
    /// The recipe of the features it was trained on.
    pub recipe: Recipe,
    /// Shape of one picture's features.
    pub feature_shape: Vec<usize>,
    /// How it was trained; `None` for the classifier that a network was published with.
    pub training: Option<TrainingRecord>,
    /// What the outputs are, where there are more of them than classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Outputs>,
}

/// The outputs of a head with more outputs than classes: the probability of a class is the sum of those of its outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outputs {
    /// The class of each output, an index of the classes.
    pub classes: Vec<usize>,
    /// The readable name of each output.
    pub names: Vec<String>,
}

impl HeadInfo {
    /// Information of [`FORMAT_VERSION`].
    pub fn new(
        classes: Vec<String>,
        recipe: Recipe,
        feature_shape: Vec<usize>,
        training: Option<TrainingRecord>,
    ) -> Self {
        Self { format_version: FORMAT_VERSION, classes, recipe, feature_shape, training, outputs: None }
    }

    /// The number of outputs of the last layer.
    pub fn n_outputs(&self) -> usize {
        self.outputs.as_ref().map_or(self.classes.len(), |outputs| outputs.classes.len())
    }
}

/// A head.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The layers in the order of the forward pass.
    pub layers: Vec<Dense>,
    /// What it is.
    pub info: HeadInfo,
}

impl Head {
    /// Writes the head as `path`.
    ///
    /// # Errors
    /// If a weight is not finite (nothing is written then), the layers do not fit each other, or the
    /// file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        self.check().with_context(|| format!("refusing to write {}", path.display()))?;
        let tensors = layer_views("", &self.layers)?;
        let tensors = tensors.iter().map(|(name, view)| (name.as_str(), view.clone()));
        commit::write_bytes(path, &envelope::serialize(tensors, &self.info)?)
    }

    /// Reads and checks the head at `path`.
    ///
    /// # Errors
    /// Names the file and what is wrong: missing, damaged, another format version, layers that do not
    /// fit each other, the features, or the classes.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Self> {
            let (info, bytes): (HeadInfo, _) = envelope::read(path, MAX_BYTES)?;
            let tensors = SafeTensors::deserialize(&bytes)?;
            let head = Self { layers: read_layers("", &tensors)?, info };
            head.check()?;
            Ok(head)
        };
        let is_there = path.symlink_metadata().is_ok();
        read().with_context(|| match is_there {
            true => format!("the head {} cannot be used; run trainer fit again", path.display()),
            false => format!("there is no head at {}; run trainer fit first", path.display()),
        })
    }

    fn check(&self) -> anyhow::Result<()> {
        let mut n_in = n_values(&self.info.feature_shape)?;
        for (i, layer) in self.layers.iter().enumerate() {
            anyhow::ensure!(
                layer.n_in == n_in
                    && Some(layer.weight.len()) == layer.n_out.checked_mul(layer.n_in)
                    && layer.bias.len() == layer.n_out,
                "layer {} takes {} inputs, expected {n_in}",
                i + 1,
                layer.n_in
            );
            anyhow::ensure!(layer.is_finite(), "layer {} holds a weight that is not finite", i + 1);
            n_in = layer.n_out;
        }
        anyhow::ensure!(
            !self.layers.is_empty() && n_in == self.info.n_outputs(),
            "the head has {n_in} outputs for {} {}{}",
            self.info.n_outputs(),
            if self.info.outputs.is_some() { "described ones" } else { "classes" },
            if self.layers.is_empty() { " and no layer" } else { "" }
        );
        if let Some(Outputs { classes, names }) = &self.info.outputs {
            anyhow::ensure!(
                classes.len() == names.len() && classes.iter().all(|&class| class < self.info.classes.len()),
                "an output of the head has no name, or is of a class that does not exist"
            );
        }
        Ok(())
    }
}

/// Names the tensors of `layers`: `<prefix>dense_1.weight` (out, in), `<prefix>dense_1.bias` (out), ...
///
/// # Errors
/// If a layer does not have as many values as its shape says.
pub fn layer_views<'a>(prefix: &str, layers: &'a [Dense]) -> anyhow::Result<Vec<(String, TensorView<'a>)>> {
    let float = safetensors::Dtype::F32;
    let mut views = Vec::new();
    for (i, layer) in layers.iter().enumerate() {
        let (weight, bias) = tensor_names(prefix, i + 1);
        let shape = vec![layer.n_out, layer.n_in];
        views.push((weight, TensorView::new(float, shape, bytemuck::cast_slice(&layer.weight))?));
        views.push((bias, TensorView::new(float, vec![layer.n_out], bytemuck::cast_slice(&layer.bias))?));
    }
    Ok(views)
}

/// Reads the layers that [`layer_views`] named with `prefix`, as many as there are.
///
/// # Errors
/// If a layer has no weight or no bias, or they are not f32 tensors of shapes that fit each other.
pub fn read_layers(prefix: &str, tensors: &SafeTensors) -> anyhow::Result<Vec<Dense>> {
    let n_tensors = tensors.names().into_iter().filter(|name| name.starts_with(prefix)).count();
    anyhow::ensure!(n_tensors % 2 == 0, "a layer has no weight or no bias");
    let mut layers = Vec::new();
    for number in 1..=n_tensors / 2 {
        let (weight_name, bias_name) = tensor_names(prefix, number);
        let (weight, bias) = (tensors.tensor(&weight_name)?, tensors.tensor(&bias_name)?);
        let all_f32 = [&weight, &bias].iter().all(|t| t.dtype() == safetensors::Dtype::F32);
        let fits = matches!(weight.shape(), &[n_out, _] if bias.shape() == [n_out]);
        anyhow::ensure!(all_f32 && fits, "{weight_name} and {bias_name} are no f32 layer");
        layers.push(Dense {
            n_out: weight.shape()[0],
            n_in: weight.shape()[1],
            weight: bytemuck::pod_collect_to_vec(weight.data()),
            bias: bytemuck::pod_collect_to_vec(bias.data()),
        });
    }
    Ok(layers)
}

fn tensor_names(prefix: &str, number: usize) -> (String, String) {
    (format!("{prefix}dense_{number}.weight"), format!("{prefix}dense_{number}.bias"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::recipe::Pool;

    fn head() -> Head {
        let recipe = Recipe {
            backbone: "vgg16".into(),
            weights: "seeded:1".into(),
            weights_sha256: "ab".repeat(32),
            weights_trained: false,
            image_size: 32,
            preset: "torchvision".into(),
            preprocessing_version: 1,
            pool: Pool::None,
        };
        let classes = vec!["a".to_owned(), "b".to_owned()];
        let info = HeadInfo::new(
            classes,
            recipe,
            vec![4, 1, 1],
            Some(TrainingRecord { epochs: 3, ..TrainingRecord::default() }),
        );
        let dense = |n_out: usize, n_in: usize| Dense {
            n_out,
            n_in,
            weight: (0..n_out * n_in).map(|i| i as f32).collect(),
            bias: vec![0.5; n_out],
        };
        Head { layers: vec![dense(3, 4), dense(2, 3)], info }
    }

    #[test]
    fn a_head_comes_back_unchanged_and_its_bytes_repeat() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        head().write(&a).unwrap();
        head().write(&b).unwrap();
        assert_eq!(Head::read(&a).unwrap(), head());
        assert_eq!(std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    }

    #[test]
    fn wrong_heads_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        let outputs = |classes: [usize; 2]| {
            Some(Outputs { classes: classes.into(), names: vec!["x".into(), "y".into()] })
        };
        let mut grouped = head();
        grouped.info.classes.pop();
        grouped.info.outputs = outputs([0, 0]);
        grouped.check().unwrap();
        grouped.info.outputs = outputs([0, 1]);
        assert!(grouped.check().unwrap_err().to_string().contains("a class that does not exist"));
        let wrong: [(&str, fn(&mut Head)); 4] = [
            ("not finite", |h| h.layers[0].weight[5] = f32::NAN),
            ("takes 4 inputs, expected 8", |h| h.info.feature_shape = vec![8]),
            ("2 outputs for 3 classes", |h| h.info.classes.push("c".into())),
            ("2 outputs for 2 classes and no layer", |h| {
                h.layers.clear();
                h.info.feature_shape = vec![2]
            }),
        ];
        for (expected, change) in wrong {
            let mut head = head();
            change(&mut head);
            let message = format!("{:#}", head.write(&path).unwrap_err());
            assert!(message.contains(expected), "{message}");
            assert!(!path.exists());
        }
    }

    #[test]
    fn a_truncated_head_is_refused_at_every_length() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        head().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for n in 0..whole.len() {
            commit::write_bytes(&path, &whole[..n]).unwrap();
            let message = format!("{:#}", Head::read(&path).unwrap_err());
            assert!(message.contains(FILE_NAME) && message.contains("run trainer fit"), "{message}");
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused_with_the_command() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        head().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all(&flipped).unwrap();
            let message = format!("{:#}", Head::read(&path).unwrap_err());
            assert!(
                message.contains(FILE_NAME) && message.contains("run trainer fit"),
                "bit {bit}: {message}"
            );
        }
    }

    #[test]
    fn reversed_classes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(FILE_NAME);
        head().write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let (was, is) = (br#"[\"a\",\"b\"]"#, br#"[\"b\",\"a\"]"#);
        let at = bytes.windows(was.len()).position(|w| w == was).unwrap();
        commit::write_bytes(&path, &[&bytes[..at], is, &bytes[at + is.len()..]].concat()).unwrap();
        let message = format!("{:#}", Head::read(&path).unwrap_err());
        assert!(
            message.contains("does not have the sha256") && message.contains("run trainer fit"),
            "{message}"
        );
    }

    #[test]
    fn shapes_that_overflow_are_refused() {
        for shape in [vec![1 << 32, 1 << 32], vec![usize::MAX, 2], vec![0, 4], vec![]] {
            let mut overflowing = head();
            overflowing.info.feature_shape = shape;
            let message = format!("{:#}", overflowing.check().unwrap_err());
            assert!(message.contains("features of shape"), "{message}");
        }
    }
}
