//! How far a model can be trusted: whether its network is trained, and how good it was on its own test pictures.

use std::path::Path;

use data::head::HeadInfo;
use data::manifest::Split;
use data::metrics::{self, Metrics};
use serde::Serialize;

/// How far a model can be trusted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Whether the weights of the network were trained; if not, breeds and sizes mean nothing.
    pub weights_trained: bool,
    /// The accuracy on the test pictures; `None` if the head was not evaluated on any.
    pub test: Option<TestAccuracy>,
}

/// The accuracy on the test pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TestAccuracy {
    /// Number of pictures.
    pub n: usize,
    /// Top-1 accuracy, 0 to 1.
    pub top1: f64,
    /// Its 95 % confidence interval.
    pub interval: [f64; 2],
}

impl Quality {
    /// Reads the metrics in the model directory `dir`, if they are those of its head, whose sha256 is `head_sha256`.
    pub(super) fn read(dir: &Path, head_sha256: &str, info: &HeadInfo) -> Self {
        // A head may be used without metrics, whatever is wrong with them.
        let metrics = Metrics::read(&dir.join(metrics::FILE_NAME)).ok();
        let metrics = metrics.filter(|metrics| metrics.head_sha256 == head_sha256);
        let test = metrics.and_then(|metrics| {
            let split = metrics.splits.get(&Split::Test)?;
            Some(TestAccuracy { n: split.n, top1: split.top1, interval: split.top1_interval })
        });
        Self { weights_trained: info.recipe.weights_trained, test }
    }

    /// Describes it in one line.
    pub fn in_words(&self) -> String {
        let mut words = match &self.test {
            Some(TestAccuracy { n, top1, interval: [low, high] }) => format!(
                "test top-1 {:.0} % ({:.0} to {:.0}) on {n} pictures",
                100.0 * top1,
                100.0 * low,
                100.0 * high
            ),
            None => "not evaluated on test pictures".to_owned(),
        };
        if !self.weights_trained {
            words += "; THE NETWORK IS NOT TRAINED: breeds and sizes mean nothing for real photos";
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_how_good_it_was_and_whether_it_is_trained() {
        let test = TestAccuracy { n: 38, top1: 0.5, interval: [0.344, 0.656] };
        let evaluated = Quality { weights_trained: true, test: Some(test) };
        assert_eq!(evaluated.in_words(), "test top-1 50 % (34 to 66) on 38 pictures");
        let untrained = Quality { weights_trained: false, test: None };
        assert!(
            untrained.in_words().starts_with("not evaluated on test pictures; THE NETWORK IS NOT TRAINED")
        );
    }
}
