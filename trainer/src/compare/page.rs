//! The page: test metrics, their comparison, and the parameters that differ.

use data::metrics::is_top5_informative;
use maud::{Markup, html};

use super::finished_run::FinishedRun;
use super::summary::{RunSummary, Summary};
use crate::report::document::document;
use crate::report::flaws;
use crate::report::format::percent;

/// The comparison as HTML.
pub(super) fn render(summary: &Summary, runs: &[FinishedRun]) -> String {
    let content = html! {
        header {
            p.kicker { "tindogr · " (runs.len()) " runs compared" }
            h1 { "Comparison on the test pictures" }
            @for verdict in &summary.verdicts {
                p class=[(!verdict.comparable).then_some("warning")] { (verdict.text) }
            }
            (random_weights(runs))
        }
        section #metrics {
            h2 { "Test metrics" }
            (metrics(&summary.runs))
        }
        section #differences {
            h2 { "Parameters that differ" }
            (differences(summary))
        }
        @for run in runs {
            @let found = flaws::flaws(&run.results);
            section {
                h2 { "Flaws of " (run.name) }
                @if found.is_empty() { p.note { "None found." } } @else { (flaws::table(&found)) }
            }
        }
    };
    document("tindogr: comparison of runs", &content, None)
}

/// A warning where the network of a run has random weights.
fn random_weights(runs: &[FinishedRun]) -> Markup {
    let random: Vec<&str> = runs
        .iter()
        .filter(|run| !run.results.head_info.recipe.weights_trained)
        .map(|run| run.name.as_str())
        .collect();
    html! {
        @if !random.is_empty() {
            p.warning {
                strong { "Random weights: " } (random.join(", ")) ". The network is not trained on anything, so the metrics do not show the effect of "
                "preprocessing on trained weights; for that, run make with WEIGHTS=vgg16.safetensors."
            }
        }
    }
}

fn metrics(runs: &[RunSummary]) -> Markup {
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
                        @if is_top5_informative(run.n_classes) { (share(run.top5, run.top5_interval)) } @else { td.number { "-" } }
                        @for n in [run.n_train, run.n_valid, run.n_test, run.flaws.len()] { td.number { (n) } }
                    }
                }
            }
        }
        p.note { "The second line is the 95 % confidence interval; train includes augmented copies." }
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
