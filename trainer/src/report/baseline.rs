//! The trained head beside the one that VGG-16 was published with.

use maud::{Markup, html};

use super::material::Material;
use super::page::percent;
use crate::metrics::{Hits, top5_tells};

/// The section of the page; nothing where ImageNet's head was not measured.
pub(super) fn section(material: &Material) -> Markup {
    let Some(baseline) = &material.metrics.imagenet else { return html! {} };
    let Some(figures) = baseline.splits.get(&material.split) else { return html! {} };
    let top5 = top5_tells(baseline.n_classes);
    html! {
        section #baseline {
            h2 { "Beside ImageNet's own head" }
            p {
                "VGG-16 was published with a head for the 1000 classes of ImageNet; " (baseline.n_classes) " of them are "
                "classes of this data. Here it stands beside the trained head, restricted to those and with no training at "
                "all. On the same " (figures.n) " " (material.split) " pictures "
                (verdict(&figures.head, &figures.imagenet))
            }
            table.plain {
                thead { tr { th { "head" } th.number { "top-1" } th.number { "95 %" } @if top5 { th.number { "top-5" } } } }
                tbody {
                    (row("trained here", &figures.head, top5))
                    (row("ImageNet's, restricted", &figures.imagenet, top5))
                }
            }
            @if figures.n_left_out > 0 {
                p.note {
                    "Left out: " (figures.n_left_out) " pictures of classes that ImageNet does not have ("
                    (baseline.left_out.join(", ")) "). The trained head may answer with these classes too."
                }
            }
            p.note {
                "Stanford Dogs was put together from ImageNet, so that VGG-16 has seen part of its test pictures, with their "
                "names, in its own training. On that data both figures are higher than new photos would give."
            }
        }
    }
}

fn row(name: &str, hits: &Hits, top5: bool) -> Markup {
    let [low, high] = hits.top1_interval;
    html! {
        tr {
            th scope="row" { (name) }
            td.number { (percent(hits.top1)) }
            td.number { (percent(low)) " to " (percent(high)) }
            @if top5 { td.number { (percent(hits.top5)) } }
        }
    }
}

fn verdict(head: &Hits, imagenet: &Hits) -> &'static str {
    if head.top1_interval[0] > imagenet.top1_interval[1] {
        "the trained head is better: the training was worth it."
    } else if head.top1_interval[1] < imagenet.top1_interval[0] {
        "the trained head is behind: something in its making wants mending."
    } else {
        "the two are too close for so few pictures to tell them apart."
    }
}
