//! The example pictures: the most confused classes, the most confident errors and correct predictions.

use data::breeds::readable;
use maud::{Markup, html};

use super::examples::Pair;
use super::format::percent;
use super::pictures::Pictures;
use crate::predictions::PredictionRow;

/// The section with the pairs of classes that are confused most often.
pub(super) fn most_confused(pairs: &[Pair], pictures: &Pictures) -> Markup {
    html! {
        section #pairs {
            h2 { "Most confused" }
            @if pairs.is_empty() { p.note { "All predictions are correct." } }
            div.pairs {
                @for pair in pairs {
                    article {
                        h3 {
                            (readable(pair.actual)) " predicted as " em { (readable(pair.predicted)) }
                            small { (pair.n) " of " (pair.n_actual) }
                        }
                        div.strip {
                            @for p in &pair.wrong { (card(p, pictures, &percent(p.probability()), "wrong")) }
                            @if let Some(p) = pair.right {
                                (card(p, pictures, &format!("actual {}", readable(pair.predicted)), "right"))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A section with single pictures.
pub(super) fn gallery(id: &str, title: &str, shown: &[&PredictionRow], pictures: &Pictures) -> Markup {
    html! {
        section id=(id) {
            h2 { (title) }
            @if shown.is_empty() { p.note { "There are none." } }
            div.strip {
                @for p in shown {
                    @let kind = if p.is_correct() { "right" } else { "wrong" };
                    @let caption = if p.is_correct() {
                        format!("{}, {}", readable(&p.actual), percent(p.probability()))
                    } else {
                        format!("{} predicted as {}, {}", readable(&p.actual), readable(p.predicted()), percent(p.probability()))
                    };
                    (card(p, pictures, &caption, kind))
                }
            }
        }
    }
}

/// A picture with its caption; `kind` is its CSS class.
fn card(p: &PredictionRow, pictures: &Pictures, caption: &str, kind: &str) -> Markup {
    html! {
        figure class=(format!("card {kind}")) {
            (pictures.show(&p.path))
            figcaption { (caption) }
        }
    }
}
