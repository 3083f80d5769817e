//! The reliability diagram: how often the head is right when it is that sure.

use maud::{Markup, html};

use crate::metrics::{Bin, N_BINS};

const SIDE: f64 = 220.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 8.0;

/// Accuracy by confidence as bars, beside the diagonal on which a calibrated head would lie.
pub(super) fn diagram(bins: &[Bin]) -> Markup {
    let width = SIDE / N_BINS as f64;
    let y = |share: f64| TOP + SIDE * (1.0 - share);
    html! {
        figure {
            figcaption { "right answers by confidence" }
            svg.chart.small viewBox=(format!("0 0 {} {}", LEFT + SIDE + 28.0, TOP + SIDE + 40.0)) role="img"
                aria-label="right answers by confidence" {
                @for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
                    line.grid x1=(LEFT) x2=(LEFT + SIDE) y1=(y(tick)) y2=(y(tick)) {}
                    text.tick x=(LEFT - 6.0) y=(y(tick) + 3.5) text-anchor="end" { (100.0 * tick) " %" }
                    text.tick x=(LEFT + SIDE * tick) y=(TOP + SIDE + 16.0) text-anchor="middle" { (100.0 * tick) " %" }
                }
                @for (i, bin) in bins.iter().enumerate().filter(|(_, bin)| bin.n > 0) {
                    rect.bar x=(format!("{:.1}", LEFT + i as f64 * width + 1.0)) width=(width - 2.0)
                        y=(format!("{:.1}", y(bin.accuracy))) height=(format!("{:.1}", SIDE * bin.accuracy)) {
                        title {
                            (bin.n) " pictures, confidence " (format!("{:.1}", 100.0 * bin.confidence)) " %, right "
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
