//! The trained head compared with the classifier that the network was published with.

use data::metrics::{Accuracy, is_top5_informative};
use maud::{Markup, html};

use super::format::percent;
use super::results::Results;

/// The section of the page; empty where ImageNet's classifier was not evaluated.
pub(super) fn section(results: &Results) -> Markup {
    let Some(baseline) = &results.metrics.imagenet else { return html! {} };
    let Some(metrics) = baseline.splits.get(&results.split) else { return html! {} };
    let top5 = is_top5_informative(baseline.n_classes);
    let backbone = &results.head_info.recipe.backbone;
    html! {
        section #baseline {
            h2 { "ImageNet's own classifier as a baseline" }
            p {
                (backbone) " was published with a classifier for the 1000 classes of ImageNet; " (baseline.n_classes) " of them are "
                "classes of this data. Here it is restricted to these classes, without any further training. On the same " (metrics.n) " " (results.split) " pictures "
                (verdict(&metrics.head, &metrics.imagenet))
            }
            table.plain {
                thead { tr { th { "head" } th.number { "top-1" } th.number { "95 %" } @if top5 { th.number { "top-5" } } } }
                tbody {
                    (row("trained here", &metrics.head, top5))
                    (row("ImageNet's, restricted", &metrics.imagenet, top5))
                }
            }
            @if metrics.n_left_out > 0 {
                p.note {
                    "Left out: " (metrics.n_left_out) " pictures of classes that ImageNet does not have ("
                    (baseline.left_out.join(", ")) "). The trained head may predict these classes too."
                }
            }
            p.note {
                "Stanford Dogs was put together from ImageNet, so that " (backbone) " has seen part of its test pictures, with their "
                "names, in its own training. On that data both metrics are higher than new photos would give."
            }
        }
    }
}

fn row(name: &str, accuracy: &Accuracy, top5: bool) -> Markup {
    let [low, high] = accuracy.top1_interval;
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (percent(accuracy.top1)) }
            td.number { (percent(low)) " to " (percent(high)) }
            @if top5 { td.number { (percent(accuracy.top5)) } }
        }
    }
}

fn verdict(head: &Accuracy, imagenet: &Accuracy) -> &'static str {
    if head.top1_interval[0] > imagenet.top1_interval[1] {
        "the trained head is better."
    } else if head.top1_interval[1] < imagenet.top1_interval[0] {
        "the trained head is worse: look for a mistake in its data or hyperparameters."
    } else {
        "the difference is within the confidence intervals."
    }
}
