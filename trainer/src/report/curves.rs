//! Loss and top-1 by epoch, drawn as SVG.

use data::head::Keep;
use maud::{Markup, html};

use crate::history::{Epoch, Valid};

const WIDTH: f64 = 520.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 34.0;

/// Loss of train and, where it has pictures, valid by epoch; `kept` is the epoch whose weights became the head.
pub(super) fn loss(history: &[Epoch], kept: (usize, Keep)) -> Markup {
    let valid = |valid: &Valid| valid.loss;
    let points: Vec<_> = history.iter().map(|e| (e.train_loss, e.valid.as_ref().map(valid))).collect();
    let highest = points.iter().flat_map(|(train, valid)| [*train, valid.unwrap_or(0.0)]).fold(0.0, f64::max);
    chart("loss", &Axis::up_to(highest), "", &points, kept)
}

/// Top-1 accuracy of train and valid by epoch, in percent.
pub(super) fn top1(history: &[Epoch], kept: (usize, Keep)) -> Markup {
    let valid = |valid: &Valid| 100.0 * valid.top1;
    let points: Vec<_> =
        history.iter().map(|e| (100.0 * e.train_top1, e.valid.as_ref().map(valid))).collect();
    chart("top-1 accuracy", &Axis { end: 100.0, step: 20.0, digits: 0 }, " %", &points, kept)
}

/// Train and, where it has pictures, valid of one epoch.
type Point = (f64, Option<f64>);

/// An axis from 0 to `end`.
struct Axis {
    end: f64,
    step: f64,
    digits: usize,
}

impl Axis {
    /// Four to eight steps of 1, 2 or 5 times a power of ten.
    fn up_to(highest: f64) -> Self {
        let highest = if highest > 0.0 { highest } else { 1.0 };
        let power = 10f64.powf((highest / 5.0).log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| highest / step <= 6.0);
        let step = step.unwrap_or(10.0 * power);
        let digits = (-step.log10().floor()).max(0.0) as usize;
        Self { end: step * (highest / step).ceil(), step, digits }
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        (0..=(self.end / self.step).round() as usize).map(|i| i as f64 * self.step)
    }
}

fn chart(name: &str, axis: &Axis, unit: &str, points: &[Point], kept: (usize, Keep)) -> Markup {
    let n = points.len();
    let valid: Vec<f64> = points.iter().filter_map(|(_, valid)| *valid).collect();
    let has_valid = !valid.is_empty();
    let (kept_epoch, keep) = kept;
    let x = |epoch: usize| LEFT + (WIDTH - LEFT - RIGHT) * (epoch as f64 - 1.0) / (n.max(2) as f64 - 1.0);
    let y = |value: f64| TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - value / axis.end);
    let line = |values: Vec<f64>| -> String {
        (1..).zip(values).map(|(epoch, v)| format!("{:.1},{:.1} ", x(epoch), y(v))).collect()
    };
    let every = n.div_ceil(10).max(1);
    let labelled = (1..=n).filter(|epoch| epoch % every == 0 || *epoch == 1);
    html! {
        figure {
            figcaption { (name) " by epoch" }
            svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("{name} by epoch")) {
                @for tick in axis.ticks() {
                    line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y(tick)) y2=(y(tick)) {}
                    text.tick x=(LEFT - 6.0) y=(y(tick) + 3.5) text-anchor="end" {
                        (format!("{tick:.*}", axis.digits)) (unit)
                    }
                }
                @for epoch in labelled {
                    text.tick x=(x(epoch)) y=(HEIGHT - BOTTOM + 16.0) text-anchor="middle" { (epoch) }
                }
                @if kept_epoch > 0 {
                    line.best x1=(x(kept_epoch)) x2=(x(kept_epoch)) y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
                polyline.train points=(line(points.iter().map(|p| p.0).collect())) {}
                @if has_valid { polyline.valid points=(line(valid)) {} }
                @for (epoch, (train, valid)) in (1..).zip(points) {
                    circle.train cx=(format!("{:.1}", x(epoch))) cy=(format!("{:.1}", y(*train))) r="2.2" {
                        title { "epoch " (epoch) ", train: " (format!("{train:.3}")) (unit) }
                    }
                    @if let Some(valid) = valid {
                        circle.valid cx=(format!("{:.1}", x(epoch))) cy=(format!("{:.1}", y(*valid))) r="2.2" {
                            title { "epoch " (epoch) ", valid: " (format!("{valid:.3}")) (unit) }
                        }
                    }
                }
            }
            p.legend {
                span.key.train {} "train, during the epoch, with dropout  "
                @if has_valid { span.key.valid {} "valid, after the epoch  " }
                @if kept_epoch > 0 {
                    span.key.best {} @if keep == Keep::Best { "best" } @else { "last" } " epoch (" (kept_epoch) ")"
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_has_round_steps_and_holds_its_highest_value() {
        for highest in [0.0, 1e-9, 0.013, 0.99, 1.0, 2.4, 4.787, 99.0, 12_345.0] {
            let axis = Axis::up_to(highest);
            let n = axis.ticks().count();
            assert!(axis.end >= highest && (4..=8).contains(&n), "{highest}: {n} ticks to {}", axis.end);
        }
    }
}
