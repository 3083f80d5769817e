//! The page: figures, what they mean beside each other, and what differs.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Run, RunSummary, Summary};
use crate::metrics::top5_tells;
use crate::report::flaws;
use crate::report::page::{STYLE, percent};

/// The comparison as HTML.
pub(super) fn render(summary: &Summary, runs: &[Run]) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "tindogr: runs side by side" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    header {
                        p.kicker { "tindogr · " (runs.len()) " runs side by side" }
                        h1 { "Which recipe is better, and can one tell?" }
                        @for verdict in &summary.verdicts {
                            p class=[(!verdict.comparable).then_some("warning")] { (verdict.text) }
                        }
                        (honesty(runs))
                    }
                    section #figures {
                        h2 { "On the test pictures" }
                        (figures(&summary.runs))
                    }
                    section #differences {
                        h2 { "What differs" }
                        (differences(summary))
                    }
                    @for run in runs {
                        @let found = flaws::flaws(&run.material);
                        section {
                            h2 { "What is wrong with " (run.name) }
                            @if found.is_empty() { p.note { "Nothing that its files show." } } @else { (flaws::table(&found)) }
                        }
                    }
                }
            }
        }
    };
    page.into_string()
}

/// What the weights are, where a reader could take the figures for more than they are.
fn honesty(runs: &[Run]) -> Markup {
    let random: Vec<&str> = runs
        .iter()
        .filter(|run| run.material.head.recipe.weights.starts_with("seeded:"))
        .map(|run| run.name.as_str())
        .collect();
    html! {
        @if !random.is_empty() {
            p.warning {
                strong { "Random weights: " } (random.join(", ")) ". Under these the network is not trained on anything, so the figures do not "
                "show what a preprocessing that suits trained weights is worth: that takes WEIGHTS=vgg16.safetensors."
            }
        }
    }
}

fn figures(runs: &[RunSummary]) -> Markup {
    let share = |share: f64, [low, high]: [f64; 2]| {
        html! { td.number { strong { (percent(share)) } br; small { (percent(low)) " to " (percent(high)) } } }
    };
    html! {
        table.plain {
            thead { tr {
                th { "run" }
                @for name in ["top-1", "top-5", "train", "valid", "test", "flaws"] { th.number { (name) } }
            } }
            tbody {
                @for run in runs {
                    tr {
                        th scope="row" { (run.name) }
                        (share(run.top1, run.top1_interval))
                        @if top5_tells(run.n_classes) { (share(run.top5, run.top5_interval)) } @else { td.number { "-" } }
                        @for n in [run.n_train, run.n_valid, run.n_test, run.flaws.len()] { td.number { (n) } }
                    }
                }
            }
        }
        p.note { "The second line is the interval at 95 % confidence; train counts pictures and their copies." }
    }
}

fn differences(summary: &Summary) -> Markup {
    html! {
        table.plain {
            thead { tr { th { "parameter" } @for run in &summary.runs { th { (run.name) } } } }
            tbody {
                @for (name, values) in &summary.differences {
                    tr { th scope="row" { (name) } @for value in values { td { (value) } } }
                }
            }
        }
    }
}
