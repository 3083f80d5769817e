//! How well ImageNet's head names the pictures when it may choose among their classes only.

use std::collections::{BTreeMap, BTreeSet};

use data::breeds;
use data::manifest::Split;
use serde::{Deserialize, Serialize};

use crate::loss::log_softmax;
use crate::metrics::{Hits, Prediction};

/// The classes that ImageNet has as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mask {
    /// (class, index among ImageNet's 1000), in the order of the classes.
    known: Vec<(usize, usize)>,
    /// The other classes' names.
    pub(crate) left_out: Vec<String>,
}

impl Mask {
    /// Of the classes of a head: those that are breeds of Stanford Dogs, whose 120 classes all are ImageNet's.
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

    /// Classes that ImageNet has.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// What ImageNet's logits (1000) say of a picture of class `actual`; `None` where ImageNet has no such
    /// class. The prediction counts in the mask's own classes.
    pub(crate) fn predict(&self, row: u32, actual: usize, logits: &[f32]) -> Option<Prediction> {
        let actual = self.known.iter().position(|&(class, _)| class == actual)?;
        let masked: Vec<f32> = self.known.iter().map(|&(_, index)| logits[index]).collect();
        Some(Prediction::new(row, actual, &log_softmax(&masked), &vec![None; masked.len()]))
    }
}

/// The baseline as `metrics.json` has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Name of the file with the dense layers.
    pub weights: String,
    /// Classes among which it chose.
    pub n_classes: usize,
    /// Classes that ImageNet does not have; their pictures are left out.
    pub left_out: Vec<String>,
    /// Figures by split, without splits of which nothing could be judged.
    pub splits: BTreeMap<Split, BaselineSplit>,
}

/// Figures of one split, all of the same pictures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaselineSplit {
    /// Pictures of classes that ImageNet has.
    pub n: usize,
    /// Pictures of other classes.
    pub n_left_out: usize,
    /// ImageNet's head, restricted to the classes that both know.
    pub imagenet: Hits,
    /// The trained head, which may also answer with a class that ImageNet does not have.
    pub head: Hits,
}

impl BaselineSplit {
    /// The figures of ImageNet's predictions beside those of the `head`, which made one for every picture;
    /// `None` if there is no picture to judge.
    pub(crate) fn of(imagenet: &[Prediction], head: &[Prediction]) -> Option<Self> {
        let judged: BTreeSet<u32> = imagenet.iter().map(|p| p.row).collect();
        let same: Vec<Prediction> = head.iter().filter(|p| judged.contains(&p.row)).cloned().collect();
        (!imagenet.is_empty()).then(|| Self {
            n: imagenet.len(),
            n_left_out: head.len() - imagenet.len(),
            imagenet: Hits::of(imagenet),
            head: Hits::of(&same),
        })
    }
}
