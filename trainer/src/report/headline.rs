//! The top of the page: top-1 accuracy, the other metrics, and warnings.

use data::head::Keep;
use data::manifest::Split;
use data::metrics::is_top5_informative;
use maud::{Markup, html};

use super::format::percent;
use super::results::Results;

/// The header of the page.
pub(super) fn header(results: &Results) -> Markup {
    let m = results.metrics_of_split();
    let [low, high] = m.top1_interval;
    let fact =
        |name: &str, value: String, title: &str| html! { div title=(title) { dt { (name) } dd { (value) } } };
    html! {
        header {
            p.kicker { "tindogr · report on a head of " (m.n_classes) " classes" }
            div.headline {
                p.figure { (percent(m.top1)) }
                div {
                    h1 { "top-1 accuracy on the " (results.split) " pictures" }
                    p {
                        "95 % confidence interval: " (percent(low)) " to " (percent(high)) ", from " (m.n)
                        " pictures. Guessing at random has " (percent(1.0 / m.n_classes as f64))
                        ", always predicting the most frequent class " (percent(m.majority_top1)) "."
                    }
                }
            }
            @if results.split != Split::Test {
                p.warning {
                    "The head was not evaluated on the test pictures. These metrics are of " (results.split)
                    @if results.keep() == Some(Keep::Best) { ", which also chose the epoch, so they are somewhat too high." }
                    @else { "." }
                }
            }
            @if results.head_info.training.is_none() {
                p.note {
                    "This is the classifier that the network was published with: nothing was trained on these pictures. "
                    "The photos of Stanford Dogs are a part of ImageNet, on which the network was trained; on them the "
                    "metrics are higher than on new photos."
                }
            }
            (random_weights(results))
            dl.facts {
                @if is_top5_informative(m.n_classes) {
                    (fact("top-5", percent(m.top5), "top-5 accuracy: the class is among the five most probable"))
                }
                (fact("loss", format!("{:.3}", m.loss), "mean cross-entropy, -ln p(class)"))
                (fact("macro F1", format!("{:.3}", m.macro_f1), "mean F1 of the classes that have pictures"))
                @if let Some(share) = m.size_accuracy {
                    (fact("size of the breed correct", percent(share), "pictures of known breeds whose predicted breed has the correct size"))
                }
                @if let Some(share) = m.probable_size_accuracy {
                    (fact("size correct", percent(share), "pictures of known breeds whose size has the largest summed probability"))
                }
                (fact("calibration error", percent(m.calibration_error), "expected calibration error (ECE): mean distance between confidence and accuracy"))
                @for (split, other) in results.metrics.splits.iter().filter(|(split, _)| **split != results.split) {
                    (fact(&format!("top-1 on {split}"), percent(other.top1), "top-1 accuracy on the other split"))
                }
            }
        }
    }
}

/// A warning where the network under the head has random weights.
fn random_weights(results: &Results) -> Markup {
    let recipe = &results.head_info.recipe;
    html! {
        @if !recipe.weights_trained {
            p.warning {
                strong { "The network under this head is not trained on anything. " }
                "Its weights (" (recipe.weights) ") were drawn at random. The metrics show what a head can learn from "
                "random features, and that every stage works; they say nothing about pretrained weights."
            }
        }
    }
}
