//! The table of metrics by class.

use data::breeds::readable;
use data::metrics::ClassMetrics;
use maud::{Markup, html};

/// The section of the page.
pub(super) fn section(per_class: &[ClassMetrics]) -> Markup {
    let cell = |value: f64| {
        html! {
            td.number data-value=(value) { span.meter style=(format!("--share:{value}")) {} (format!("{value:.3}")) }
        }
    };
    html! {
        section #classes {
            h2 { "Metrics by class" }
            p.note { "Click a heading to sort by it." }
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
