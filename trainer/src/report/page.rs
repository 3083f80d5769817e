//! The page: its sections, from the top-1 accuracy to the metrics by class.

use maud::html;

use super::document::document;
use super::examples::Examples;
use super::pictures::Pictures;
use super::results::Results;
use super::{
    baseline, calibration, confusion, curves, flaws, gallery, headline, per_class, rejected, settings,
};

const SORT: &str = include_str!("sort.js");

/// The report as HTML.
pub(super) fn render(results: &Results, examples: &Examples, pictures: &Pictures) -> String {
    let content = html! {
        (headline::header(results))
        (baseline::section(results))
        (flaws::section(results))
        (settings::section(results))
        @if let Some(training) = results.head_info.training.as_ref().filter(|_| !results.history.is_empty()) {
            @let kept = (training.kept_epoch, training.hyperparameters.keep);
            section #training {
                h2 { "Training" }
                div.columns {
                    (curves::loss(&results.history, kept))
                    (curves::top1(&results.history, kept))
                }
            }
        }
        section #confusion {
            h2 { "Confusion matrix" }
            p.note {
                "A row is an actual class, a column a predicted one. A stronger colour is a larger share of the "
                "row; blue is correct, orange is wrong. Hover over a cell for the numbers."
            }
            (confusion::matrix(results))
        }
        (gallery::most_confused(&examples.pairs, pictures))
        (gallery::gallery("worst", "Most confident errors", &examples.worst, pictures))
        (gallery::gallery("best", "Most confident correct predictions, one per class", &examples.best, pictures))
        (calibration::section(results))
        (per_class::section(&results.metrics_of_split().per_class))
        (rejected::section(results))
    };
    document("tindogr: report on a head", &content, Some(SORT))
}
