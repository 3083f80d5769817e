//! Features in memory: one buffer for many pictures.

/// The features of n pictures, (n, D) row-major in one buffer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FeatureMatrix {
    values: Vec<f32>,
    n: usize,
    d: usize,
}

impl FeatureMatrix {
    /// Wraps `values`, D of them a picture.
    ///
    /// # Errors
    /// If they are not a whole number of pictures.
    pub fn new(values: Vec<f32>, d: usize) -> anyhow::Result<Self> {
        anyhow::ensure!(
            d > 0 && values.len().is_multiple_of(d),
            "{} values are no whole number of pictures with {d} features each",
            values.len()
        );
        Ok(Self { n: values.len() / d, d, values })
    }

    /// n, the number of pictures.
    pub fn n(&self) -> usize {
        self.n
    }

    /// D, the number of features of one picture.
    pub fn d(&self) -> usize {
        self.d
    }

    /// The pictures, (D) each.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.d.max(1))
    }

    /// The pictures, (D) each, to be changed in place.
    pub fn rows_mut(&mut self) -> impl ExactSizeIterator<Item = &mut [f32]> {
        self.values.chunks_exact_mut(self.d.max(1))
    }

    /// All values, (n, D).
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All values, (n, D), without a copy.
    pub fn into_values(self) -> Vec<f32> {
        self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_pictures_and_parts_of_pictures_are_refused() {
        let matrix = FeatureMatrix::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2).unwrap();
        assert_eq!((matrix.n(), matrix.d()), (3, 2));
        assert_eq!(matrix.rows().nth(1).unwrap(), [3.0, 4.0]);
        assert_eq!(matrix.into_values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(FeatureMatrix::default().rows().count(), 0);
        assert!(FeatureMatrix::new(vec![1.0; 5], 2).is_err());
        assert!(FeatureMatrix::new(Vec::new(), 0).is_err());
    }
}
