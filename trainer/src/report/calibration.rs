//! Calibration: the reliability diagram, accuracy by confidence.

use data::metrics::{Bin, N_BINS};
use maud::{Markup, html};

use super::format::percent;
use super::results::Results;

const SIDE: f64 = 220.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;

/// The section of the page.
pub(super) fn section(results: &Results) -> Markup {
    let m = results.metrics_of_split();
    let mean = m.calibration.iter().map(|bin| bin.n as f64 * bin.confidence).sum::<f64>() / m.n as f64;
    let verdict = match mean - m.top1 {
        gap if gap > 0.02 => "it is overconfident",
        gap if gap < -0.02 => "it is underconfident",
        _ => "on average it is well calibrated",
    };
    html! {
        section #calibration {
            h2 { "Calibration" }
            div.columns {
                (diagram(&m.calibration))
                div {
                    p {
                        "The mean confidence of the head is " (percent(mean)) " and its top-1 accuracy "
                        (percent(m.top1)) ": " (verdict) ". The expected calibration error (ECE), the mean distance "
                        "between the two over ten bins of confidence, is " (percent(m.calibration_error)) "."
                    }
                    table.plain {
                        thead { tr { th { "confidence" } th.number { "pictures" } th.number { "mean confidence" } th.number { "accuracy" } } }
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

/// Accuracy by confidence as bars, with the diagonal of perfect calibration.
fn diagram(bins: &[Bin]) -> Markup {
    let width = SIDE / N_BINS as f64;
    let y = |share: f64| TOP + SIDE * (1.0 - share);
    html! {
        figure {
            figcaption { "accuracy by confidence" }
            svg.chart.small viewBox=(format!("0 0 {} {}", LEFT + SIDE + 28.0, TOP + SIDE + 40.0)) role="img"
                aria-label="accuracy by confidence" {
                @for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
                    line.grid x1=(LEFT) x2=(LEFT + SIDE) y1=(y(tick)) y2=(y(tick)) {}
                    text.tick x=(LEFT - 6.0) y=(y(tick) + 3.5) text-anchor="end" { (100.0 * tick) " %" }
                    text.tick x=(LEFT + SIDE * tick) y=(TOP + SIDE + 16.0) text-anchor="middle" { (100.0 * tick) " %" }
                }
                @for (i, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.n > 0) {
                    rect.bar x=(format!("{:.1}", LEFT + i as f64 * width + 1.0)) width=(width - 2.0)
                        y=(format!("{:.1}", y(bin.accuracy))) height=(format!("{:.1}", SIDE * bin.accuracy)) {
                        title {
                            (bin.n) " pictures, confidence " (format!("{:.1}", 100.0 * bin.confidence)) " %, accuracy "
                            (format!("{:.1}", 100.0 * bin.accuracy)) " %"
                        }
                    }
                    circle.dot cx=(format!("{:.1}", LEFT + SIDE * bin.confidence))
                        cy=(format!("{:.1}", y(bin.accuracy))) r="3" {}
                }
                line.diagonal x1=(LEFT) y1=(y(0.0)) x2=(LEFT + SIDE) y2=(y(1.0)) {}
                text.tick x=(LEFT + SIDE / 2.0) y=(TOP + SIDE + 34.0) text-anchor="middle" { "confidence" }
            }
        }
    }
}
