//! The confusion matrix as a heat map: a row is an actual class, a column a predicted one.

use std::collections::BTreeMap;

use data::breeds::readable;
use maud::{Markup, html};

use super::results::Results;

/// The matrix, in the order of the head's outputs. The colour is the share of the row; the numbers, where there
/// is room, are counts.
pub(super) fn matrix(results: &Results) -> Markup {
    let classes = &results.head_info.classes;
    let n = classes.len();
    let position: BTreeMap<&str, usize> = classes.iter().map(String::as_str).zip(0..).collect();
    let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    let mut of_row = vec![0usize; n];
    for p in &results.predictions {
        let (row, column) = (position[p.actual.as_str()], position[p.predicted()]);
        *counts.entry((row, column)).or_default() += 1;
        of_row[row] += 1;
    }
    let cell = (680 / n.max(1)).clamp(12, 44);
    let font = if cell >= 20 { 12 } else { 10 };
    let longest = classes.iter().map(|c| readable(c).chars().count()).max().unwrap_or(0);
    let margin = (longest * font * 6 / 10 + 12).min(190);
    let side = margin + n * cell;
    html! {
        div.scroll {
            svg.matrix width=(side + 90) height=(side + 8) viewBox=(format!("0 0 {} {}", side + 90, side + 8))
                role="img" aria-label="confusion matrix" style=(format!("font-size:{font}px")) {
                @for (i, class) in classes.iter().enumerate() {
                    @let centre = margin + i * cell + cell / 2;
                    text x=(margin - 6) y=(centre) dy="0.35em" text-anchor="end" { (readable(class)) }
                    text transform=(format!("translate({centre} {}) rotate(-60)", margin - 6)) dy="0.35em" {
                        (readable(class))
                    }
                    rect.row x=(margin) y=(margin + i * cell) width=(n * cell) height=(cell - 1) {}
                }
                @for ((row, column), count) in &counts {
                    @let share = *count as f64 / of_row[*row] as f64;
                    @let (x, y) = (margin + column * cell, margin + row * cell);
                    g {
                        title {
                            (readable(&classes[*row])) " predicted as " (readable(&classes[*column])) ": " (count) " of "
                            (of_row[*row]) " (" (format!("{:.0} %", 100.0 * share)) ")"
                        }
                        rect.right[row == column].wrong[row != column] x=(x) y=(y) width=(cell - 1)
                            height=(cell - 1) fill-opacity=(format!("{:.2}", 0.3 + 0.7 * share)) {}
                        @if cell >= 20 {
                            text.count.strong[share > 0.5] x=(x + cell / 2) y=(y + cell / 2) dy="0.35em"
                                text-anchor="middle" { (count) }
                        }
                    }
                }
            }
        }
    }
}
