//! The page: its sections, from the headline down to the table of classes.

use std::collections::BTreeMap;

use data::breeds::readable;
use data::manifest::{Row, Split};
use data::rejects::RejectedPicture;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::Value;

use super::examples::{Examples, Pair};
use super::material::Material;
use super::pictures::Pictures;
use super::{baseline, calibration, confusion, curves, flaws, rejected};
use crate::fit::Keep;
use crate::metrics::{ClassMetrics, top5_tells};
use crate::predictions::PredictionRow;

/// The style of this page and of `trainer compare`.
pub(crate) const STYLE: &str = include_str!("style.css");
const SORT: &str = include_str!("sort.js");

/// The report as HTML.
pub(super) fn render(material: &Material, examples: &Examples, pictures: &Pictures) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "tindogr: how good is this head?" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (headline(material))
                    (baseline::section(material))
                    (flaws::section(material))
                    (made_of(material))
                    section #training {
                        h2 { "Training" }
                        div.columns {
                            (curves::loss(&material.history, material.kept_epoch()))
                            (curves::top1(&material.history, material.kept_epoch()))
                        }
                    }
                    section #confusion {
                        h2 { "What was called what" }
                        p.note {
                            "A row is a class, a column what its pictures were called. The stronger the colour, the "
                            "larger the share of the row; blue is right, orange is wrong. Point at a cell for figures."
                        }
                        (confusion::matrix(material))
                    }
                    (most_confused(&examples.pairs, pictures))
                    (gallery("worst", "Surest mistakes", &examples.worst, pictures))
                    (gallery("best", "Surest right answers, one for a class", &examples.best, pictures))
                    (calibrated(material))
                    (classes(&material.figures().per_class))
                    (rejected::section(material))
                }
                script { (PreEscaped(SORT)) }
            }
        }
    };
    page.into_string()
}

/// `duplicate 3, truncated 1`.
fn by_reason(rejected: &[RejectedPicture]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    rejected.iter().for_each(|reject| *counts.entry(&reject.reason).or_default() += 1);
    counts.iter().map(|(why, n)| format!("{why} {n}")).collect::<Vec<_>>().join(", ")
}

pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

fn headline(material: &Material) -> Markup {
    let m = material.figures();
    let [low, high] = m.top1_interval;
    let fact =
        |name: &str, value: String, title: &str| html! { div title=(title) { dt { (name) } dd { (value) } } };
    html! {
        header {
            p.kicker { "tindogr · report on a head of " (m.n_classes) " classes" }
            div.headline {
                p.figure { (percent(m.top1)) }
                div {
                    h1 { "of the " (material.split) " pictures are named right at the first guess" }
                    p {
                        "Between " (percent(low)) " and " (percent(high)) " with 95 % confidence, from " (m.n)
                        " pictures. Guessing at random is right for " (percent(1.0 / m.n_classes as f64))
                        ", always naming the most frequent class for " (percent(m.majority_top1)) "."
                    }
                }
            }
            @if material.split != Split::Test {
                p.warning {
                    "The test pictures were not measured. These figures are of " (material.split)
                    @if material.kept_epoch().1 == Keep::Best { ", which chose the epoch, so they are somewhat too good." }
                    @else { "." }
                }
            }
            (honesty(material))
            dl.facts {
                @if top5_tells(m.n_classes) {
                    (fact("among 5", percent(m.top5), "top-5: the class is among the five most probable"))
                }
                (fact("loss", format!("{:.3}", m.loss), "mean of -ln p(class)"))
                (fact("macro F1", format!("{:.3}", m.macro_f1), "mean F1 of the classes that have pictures"))
                @if let Some(share) = m.size_accuracy {
                    (fact("size of the breed right", percent(share), "pictures of known breeds whose predicted breed has the right size"))
                }
                @if let Some(share) = m.expected_size_accuracy {
                    (fact("expected size right", percent(share), "size from all probabilities together"))
                }
                (fact("calibration error", percent(m.calibration_error), "mean distance between confidence and accuracy (ECE)"))
                @for (split, other) in material.metrics.splits.iter().filter(|(split, _)| **split != material.split) {
                    (fact(&format!("top-1 on {split}"), percent(other.top1), "measured after every epoch"))
                }
            }
        }
    }
}

/// What the weights are, in words, where a reader could take the figures for more than they are.
fn honesty(material: &Material) -> Markup {
    match material.head.recipe.weights.strip_prefix("seeded:") {
        None => html! {},
        Some(seed) => html! {
            p.warning {
                strong { "The network under this head is not trained on anything. " }
                "Its weights were drawn at random from seed " (seed) ". The figures show what a head can read out of "
                "random features, and that every stage works; they say nothing about pretrained weights."
            }
        },
    }
}

fn made_of(material: &Material) -> Markup {
    let recipe = &material.head.recipe;
    let t = |flag: &str| material.training(flag);
    let is_copy = |row: &&Row| row.augmented.is_some() && !row.replaces_original();
    let n_copies = material.manifest.rows.iter().filter(is_copy).count();
    let pictures = |split: Split| {
        let n = material.n_rows(split) - if split == Split::Train { n_copies } else { 0 };
        let kind =
            if material.is_replaced(split) { " (augmented copies in place of the originals)" } else { "" };
        format!("{n} {split}{kind}")
    };
    let copies = if n_copies > 0 { format!(" and {n_copies} augmented copies") } else { String::new() };
    let (kept_epoch, keep) = material.kept_epoch();
    let sizes: Vec<String> = material.layer_sizes.iter().map(usize::to_string).collect();
    let row = |name: &str, value: Markup| html! { tr { th scope="row" { (name) } td { (value) } } };
    html! {
        section #made-of {
            h2 { "What it was made of" }
            table.plain {
                (row("data", html! {
                    (pictures(Split::Train)) (copies) ", " (pictures(Split::Valid)) ", " (pictures(Split::Test))
                    " pictures; " (material.head.classes.len()) " classes"
                }))
                (row("rejected", html! {
                    @if let Some(rejected) = &material.rejected_by_splitter {
                        (rejected.len()) " by the splitter"
                        @if !rejected.is_empty() {
                            " (" (by_reason(rejected)) "; shown at the end)"
                        }
                        ", "
                    }
                    (material.index.n_rejected) " by the extractor"
                }))
                @for (stage, parameters) in &material.made_with {
                    (row(stage, html! { (in_words(parameters)) }))
                }
                (row("network", html! { (recipe.backbone) ", up to the last pooling (" (recipe.pool) "): " (shape(material)) " features" }))
                (row("weights", html! { (recipe.weights) " " code { (recipe.weights_sha256) } }))
                (row("preprocessing", html! {
                    "preset " (recipe.preset) ", version " (recipe.preprocessing_version) ", " (recipe.image_size) " pixels a side"
                }))
                (row("head", html! {
                    (sizes.join(" → ")) ", ReLU between, dropout " (t("dropout")) " after the first hidden layer, softmax"
                }))
                (row("training", html! {
                    (t("optimizer")) ", learning rate " (t("learning-rate")) ", momentum " (t("momentum")) ", weight decay "
                    (t("weight-decay")) ", label smoothing " (t("label-smoothing")) ", class weights " (t("class-weights"))
                    ", batches of " (t("batch-size")) ", standardised features: " (t("standardize")) ", seed " (t("seed"))
                }))
                (row("epochs", html! {
                    (material.history.len()) " of at most " (t("epochs")) ", patience " (t("patience")) "; the head is that of epoch "
                    (kept_epoch) @if keep == Keep::Best { ", which has the highest top-1 on valid" } @else { ", the last" }
                }))
            }
        }
    }
}

fn shape(material: &Material) -> String {
    let sides: Vec<String> = material.head.feature_shape.iter().map(usize::to_string).collect();
    sides.join(" × ")
}

/// A parameter's value as a person reads it.
pub(crate) fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(Value::to_string).collect::<Vec<_>>().join(" : "),
        other => other.to_string(),
    }
}

fn in_words(parameters: &Value) -> String {
    match parameters {
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| format!("{} {}", name.replace(['_', '-'], " "), word(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => word(other),
    }
}

fn most_confused(pairs: &[Pair], pictures: &Pictures) -> Markup {
    html! {
        section #pairs {
            h2 { "Most confused" }
            @if pairs.is_empty() { p.note { "No picture was called by a wrong name." } }
            div.pairs {
                @for pair in pairs {
                    article {
                        h3 {
                            (readable(pair.actual)) " called " em { (readable(pair.predicted)) }
                            small { (pair.n) " of " (pair.n_actual) }
                        }
                        div.strip {
                            @for p in &pair.wrong { (card(p, pictures, &percent(p.probability()), "wrong")) }
                            @if let Some(p) = pair.right {
                                (card(p, pictures, &format!("a real {}", readable(pair.predicted)), "right"))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn gallery(id: &str, title: &str, shown: &[&PredictionRow], pictures: &Pictures) -> Markup {
    html! {
        section id=(id) {
            h2 { (title) }
            @if shown.is_empty() { p.note { "There are none." } }
            div.strip {
                @for p in shown {
                    @let kind = if p.is_right() { "right" } else { "wrong" };
                    @let caption = if p.is_right() {
                        format!("{}, {}", readable(&p.actual), percent(p.probability()))
                    } else {
                        format!("{} called {}, {}", readable(&p.actual), readable(p.predicted()), percent(p.probability()))
                    };
                    (card(p, pictures, &caption, kind))
                }
            }
        }
    }
}

fn card(p: &PredictionRow, pictures: &Pictures, caption: &str, kind: &str) -> Markup {
    html! {
        figure class=(format!("card {kind}")) {
            (pictures.show(&p.path))
            figcaption { (caption) }
        }
    }
}

fn calibrated(material: &Material) -> Markup {
    let m = material.figures();
    let mean = m.calibration.iter().map(|bin| bin.n as f64 * bin.confidence).sum::<f64>() / m.n as f64;
    let verdict = match mean - m.top1 {
        gap if gap > 0.02 => "it is surer than it should be",
        gap if gap < -0.02 => "it is less sure than it could be",
        _ => "on the whole that is honest",
    };
    html! {
        section #calibration {
            h2 { "Does it know when it is right?" }
            div.columns {
                (calibration::diagram(&m.calibration))
                div {
                    p {
                        "On average the head is " (percent(mean)) " sure of its first guess, and right in "
                        (percent(m.top1)) " of the cases: " (verdict) ". The mean distance between the two over the "
                        "tenths of confidence is " (percent(m.calibration_error)) "."
                    }
                    table.plain {
                        thead { tr { th { "confidence" } th.number { "pictures" } th.number { "sure" } th.number { "right" } } }
                        tbody {
                            @for (i, bin) in m.calibration.iter().enumerate().filter(|(_, bin)| bin.n > 0) {
                                tr {
                                    td { (10 * i) " to " (10 * i + 10) " %" }
                                    td.number { (bin.n) }
                                    td.number { (percent(bin.confidence)) }
                                    td.number { (percent(bin.accuracy)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn classes(per_class: &[ClassMetrics]) -> Markup {
    let cell = |value: f64| {
        html! {
            td.number data-value=(value) { span.meter style=(format!("--share:{value}")) {} (format!("{value:.3}")) }
        }
    };
    html! {
        section #classes {
            h2 { "Every class" }
            p.note { "Press a heading to sort by it." }
            div.scroll {
                table.sortable {
                    thead { tr {
                        th scope="col" { "class" }
                        @for name in ["pictures", "precision", "recall", "F1"] { th.number scope="col" { (name) } }
                    } }
                    tbody {
                        @for c in per_class {
                            tr {
                                th scope="row" title=(c.class) { (readable(&c.class)) }
                                td.number data-value=(c.support) { (c.support) }
                                (cell(c.precision)) (cell(c.recall)) (cell(c.f1))
                            }
                        }
                    }
                }
            }
        }
    }
}
