//! The accuracy of ImageNet's classifier, restricted to the classes of the data.

use std::collections::BTreeSet;

use data::breeds;
use data::metrics::BaselineSplit;

use crate::loss::log_softmax;
use crate::metrics::accuracy;
use crate::prediction::Prediction;

/// The classes that ImageNet has as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    /// (class, index among ImageNet's 1000), in the order of the classes.
    known: Vec<(usize, usize)>,
    /// The names of the other classes.
    pub(crate) left_out: Vec<String>,
}

impl Mask {
    /// Finds the classes of a head that are breeds of Stanford Dogs; ImageNet has all 120 of them.
    pub(crate) fn of(classes: &[String]) -> Self {
        let mut mask = Self { known: Vec::new(), left_out: Vec::new() };
        for (class, name) in classes.iter().enumerate() {
            match breeds::find(name) {
                Some(breed) => mask.known.push((class, breed.imagenet_index)),
                None => mask.left_out.push(name.clone()),
            }
        }
        mask
    }

    /// The number of classes that ImageNet has.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The prediction from ImageNet's logits (1000) for a picture of class `actual`; `None` where ImageNet has no such
    /// class. Its classes are numbered within the mask.
    pub(crate) fn predict(&self, row: u32, actual: usize, logits: &[f32]) -> Option<Prediction> {
        let actual = self.known.iter().position(|&(class, _)| class == actual)?;
        let masked: Vec<f32> = self.known.iter().map(|&(_, index)| logits[index]).collect();
        Some(Prediction::new(row, actual, &log_softmax(&masked), &vec![None; masked.len()]))
    }
}

/// Computes the accuracy of ImageNet's classifier and of the trained head, which predicted every picture, on the same
/// pictures: those that ImageNet's classifier predicted. `None` if there is none.
pub(crate) fn baseline_split(imagenet: &[Prediction], head: &[Prediction]) -> Option<BaselineSplit> {
    let common: BTreeSet<u32> = imagenet.iter().map(|p| p.row).collect();
    let same: Vec<Prediction> = head.iter().filter(|p| common.contains(&p.row)).cloned().collect();
    (!imagenet.is_empty()).then(|| BaselineSplit {
        n: imagenet.len(),
        n_left_out: head.len() - imagenet.len(),
        imagenet: accuracy(imagenet),
        head: accuracy(&same),
    })
}
