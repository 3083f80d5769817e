//! From a weights file to the layers of a network: a backend for [`candle_nn::VarBuilder`] that reports everything
//! that does not fit, at once.
//!
//! A network asks for its tensors by name and shape. Some of candle's leave out a layer without a word when a tensor is
//! missing, so every request is recorded, and a weights file that holds a tensor that nobody asked for is refused, too.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{DType, Device, Error, Result, Shape, Tensor};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder};
use data::weights::{TensorValues, Weights};

/// Lets `build` take the tensors of `weights`, as f32 on `device`.
///
/// # Errors
/// Lists every tensor that is missing, of another shape, not finite or not asked for; or what `build` fails with.
pub(crate) fn load<T>(
    weights: &Weights,
    device: &Device,
    build: impl FnOnce(VarBuilder<'_>) -> Result<T>,
) -> anyhow::Result<T> {
    let requests = Arc::new(Mutex::new(Requests::default()));
    let backend = Backend { weights, requests: Arc::clone(&requests) };
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

struct Backend<'a> {
    weights: &'a Weights,
    requests: Arc<Mutex<Requests>>,
}

impl Backend<'_> {
    /// Records that `name` was asked for; finds it, if its values are finite.
    fn find(&self, name: &str) -> std::result::Result<&TensorValues, String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).names.insert(name.to_owned());
        let found = self.weights.get(name).ok_or_else(|| format!("{name} is missing"))?;
        match found.values.iter().position(|x| !x.is_finite()) {
            Some(i) => Err(format!("{name}: value {i} is {}, expected a finite number", found.values[i])),
            None => Ok(found),
        }
    }

    fn report(&self, problem: String) {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).problems.push(problem);
    }
}

impl SimpleBackend for Backend<'_> {
    /// A tensor that cannot be used becomes zeros, so that the network goes on to ask for the others; [`load`] refuses it
    /// in the end.
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        let found = self.find(name).and_then(|found| match found.shape == shape.dims() {
            true => Ok(found),
            false => Err(format!("{name} has shape {:?}, expected {:?}", found.shape, shape.dims())),
        });
        match found {
            Ok(found) => Tensor::from_slice(&found.values, shape, device)?.to_dtype(dtype),
            Err(problem) => {
                self.report(problem);
                Tensor::zeros(shape, dtype, device)
            }
        }
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        let found = self.find(name).map_err(Error::msg)?;
        Tensor::from_slice(&found.values, found.shape, device)?.to_dtype(dtype)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.weights.get(name).is_some()
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
            features.get(64, "1.bias")?;
            features.get(64, "2.bias")
        });
        let message = error.unwrap_err().to_string();
        for expected in [
            "the weights do not fit the network vgg16",
            "features.0.weight has shape [64, 3, 3, 3], expected [64, 3, 5, 5]",
            "features.0.bias: value 7 is NaN, expected a finite number",
            "features.1.bias is missing",
            "features.2.weight is not used by the network",
        ] {
            assert!(message.contains(expected), "{message}");
        }
        assert!(!message.contains("features.2.bias"), "{message}");
    }
}
