//! The result of `trainer evaluate`, as text and as JSON.

use std::fmt;

use data::metrics::{Metrics, is_top5_informative};
use serde::Serialize;

/// The metrics that were computed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Summary {
    /// The content of `metrics.json`.
    pub metrics: Metrics,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (split, m) in &self.metrics.splits {
            let [low, high] = m.top1_interval.map(|x| 100.0 * x);
            let top5 = |top5: f64| {
                if is_top5_informative(m.n_classes) {
                    format!(", top-5 {:.1} %", 100.0 * top5)
                } else {
                    String::new()
                }
            };
            writeln!(
                f,
                "{split}: top-1 {:.1} % ({low:.1} to {high:.1}){}, loss {:.4} on {} pictures of {} classes; always \
                 predicting the most frequent class: {:.1} %",
                100.0 * m.top1,
                top5(m.top5),
                m.loss,
                m.n,
                m.n_classes,
                100.0 * m.majority_top1
            )?;
            if let Some(baseline) = self.metrics.imagenet.as_ref().and_then(|i| i.splits.get(split)) {
                let [low, high] = baseline.imagenet.top1_interval.map(|x| 100.0 * x);
                writeln!(
                    f,
                    "{split}: ImageNet's own classifier, not trained on this data, top-1 {:.1} % ({low:.1} to \
                     {high:.1}){}; the trained head on the same {} pictures {:.1} %",
                    100.0 * baseline.imagenet.top1,
                    top5(baseline.imagenet.top5),
                    baseline.n,
                    100.0 * baseline.head.top1
                )?;
            }
        }
        Ok(())
    }
}
