//! Recorded references: their files, and the inputs that are formulas.

use image::RgbImage;
use safetensors::SafeTensors;

/// A safetensors file of what others computed.
pub(crate) struct Reference(pub(crate) Vec<u8>);

impl Reference {
    pub(crate) fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    pub(crate) fn floats(&self, name: &str) -> (Vec<f32>, Vec<usize>) {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).unwrap();
        let floats = tensor.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
        (floats, tensor.shape().to_vec())
    }

    /// A picture of shape (height, width, 3).
    pub(crate) fn picture(&self, name: &str) -> RgbImage {
        let tensors = self.tensors();
        let tensor = tensors.tensor(name).unwrap();
        let &[height, width, 3] = tensor.shape() else { panic!("{name} is no picture") };
        RgbImage::from_raw(width as u32, height as u32, tensor.data().to_vec()).unwrap()
    }
}

/// Relative L2 distance of `got` from `expected`.
pub(crate) fn apart(got: &[f32], expected: &[f32]) -> f64 {
    assert_eq!(got.len(), expected.len());
    let square = |x: f64| x * x;
    let difference: f64 = got.iter().zip(expected).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    let norm: f64 = expected.iter().map(|&b| square(f64::from(b))).sum();
    (difference / norm).sqrt()
}

/// The scripts' `formula_input`, (1, 3, S, S), values in [-2, 2).
pub(crate) fn formula_input(size: usize) -> Vec<f32> {
    let mut values = Vec::new();
    for c in 0..3 {
        for (y, x) in (0..size * size).map(|i| (i / size, i % size)) {
            let level = (131 * c + 17 * y + 29 * x + 7 * x * y) % 251;
            values.push((level as f64 / 62.75 - 2.0) as f32);
        }
    }
    values
}
