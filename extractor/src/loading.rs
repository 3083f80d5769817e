//! From a weights file to the layers of a network: a backend for [`candle_nn::VarBuilder`] that reports everything
//! that does not fit, at once.
//!
//! A network asks for its tensors by name and shape. Some of candle's leave out a layer without a word when a tensor is
//! missing (ConvNeXt its scale), so every request is recorded, and a weights file that holds a tensor that nobody asked
//! for is refused, too. They may do so only where the network has no such tensor: the norm of ConvNeXt's second version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use data::backbone::Backbone;
use data::weights::{TensorValues, Weights};

/// Lets `build` take the tensors of `weights`, as f32 on `device`.
///
/// # Errors
/// Lists every tensor that is missing, of another shape, not finite or not asked for; or what `build` fails with, as it
/// does if it needs a tensor that is not among [`Backbone::features`].
pub(crate) fn load<T>(
    weights: &Weights,
    device: &Device,
    build: impl FnOnce(VarBuilder<'static>) -> Result<T>,
) -> anyhow::Result<T> {
    let backend = Backend::new(weights, device)?;
    let requests = Arc::clone(&backend.requests);
    let built = build(VarBuilder::from_backend(Box::new(backend), DType::F32, device.clone()));
    let Requests { names, mut problems } =
        std::mem::take(&mut *requests.lock().unwrap_or_else(PoisonError::into_inner));
    let unused = weights.tensors.iter().filter(|tensor| !names.contains(tensor.name));
    problems.extend(unused.map(|tensor| format!("{} is not used by the network", tensor.name)));
    problems.extend(built.as_ref().err().map(|error| format!("{error:#}")));
    anyhow::ensure!(
        problems.is_empty(),
        "the weights do not fit the network {}:\n  {}",
        weights.info.backbone,
        problems.join("\n  ")
    );
    Ok(built?)
}

/// What a network has asked for.
#[derive(Debug, Default)]
struct Requests {
    names: BTreeSet<String>,
    problems: Vec<String>,
}

/// The tensors of a weights file. It owns them: some of candle's networks live no longer than the backend.
struct Backend {
    backbone: &'static Backbone,
    tensors: BTreeMap<&'static str, Tensor>,
    requests: Arc<Mutex<Requests>>,
}

impl Backend {
    /// Puts the tensors of `weights` onto `device`.
    fn new(weights: &Weights, device: &Device) -> anyhow::Result<Self> {
        let mut requests = Requests::default();
        let mut tensors = BTreeMap::new();
        for TensorValues { name, shape, values } in &weights.tensors {
            if let Some(i) = values.iter().position(|x| !x.is_finite()) {
                requests
                    .problems
                    .push(format!("{name}: value {i} is {}, expected a finite number", values[i]));
            }
            tensors.insert(*name, Tensor::from_slice(values, *shape, device)?);
        }
        let backbone = Backbone::find(&weights.info.backbone)?;
        Ok(Self { backbone, tensors, requests: Arc::new(Mutex::new(requests)) })
    }

    /// Records that `name` was asked for, and finds it.
    fn find(&self, name: &str) -> std::result::Result<&Tensor, String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).names.insert(name.to_owned());
        self.tensors.get(name).ok_or_else(|| format!("{name} is missing"))
    }

    fn report(&self, problem: String) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).problems.push(problem);
    }
}

impl SimpleBackend for Backend {
    /// A tensor that cannot be used becomes zeros, so that the network goes on to ask for the others; [`load`] refuses it
    /// in the end.
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        if self.backbone.features.iter().all(|tensor| tensor.name != name) {
            return Err(Error::msg(format!("{name} is not a tensor of {}", self.backbone.name)));
        }
        let found = self.find(name).and_then(|found| match found.dims() == shape.dims() {
            true => Ok(found),
            false => Err(format!("{name} has shape {:?}, expected {:?}", found.dims(), shape.dims())),
        });
        match found {
            Ok(found) => found.to_dtype(dtype),
            Err(problem) => {
                self.report(problem);
                Tensor::zeros(shape, dtype, device)
            }
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, _: &Device) -> Result<Tensor> {
        self.find(name).map_err(Error::msg)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

#[cfg(test)]
mod tests {
    use data::backbone::VGG16;

    use super::*;

    #[test]
    fn everything_that_does_not_fit_is_reported_at_once() {
        let mut weights = Weights::seeded(&VGG16, 1);
        weights.tensors.truncate(4); // features.0 and features.2
        weights.tensors[1].values[7] = f32::NAN;
        let error = load(&weights, &Device::Cpu, |tensors| {
            let features = tensors.pp("features");
            let weight = features.get((64, 3, 5, 5), "0.weight")?;
            assert_eq!(weight.dims(), [64, 3, 5, 5]);
            features.get(64, "0.bias")?;
            features.get(128, "5.bias")?;
            features.get(64, "2.bias")?;
            features.get(64, "1.bias")
        });
        let message = error.unwrap_err().to_string();
        for expected in [
            "the weights do not fit the network vgg16",
            "features.0.weight has shape [64, 3, 3, 3], expected [64, 3, 5, 5]",
            "features.0.bias: value 7 is NaN, expected a finite number",
            "features.5.bias is missing",
            "features.1.bias is not a tensor of vgg16",
            "features.2.weight is not used by the network",
        ] {
            assert!(message.contains(expected), "{message}");
        }
        assert!(!message.contains("features.2.bias"), "{message}");
    }
}
