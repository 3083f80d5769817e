"""Ratios of times that were taken in turns, and how they are printed."""

import statistics

import numpy as np

N_RESAMPLES = 10_000


class Ratio:
    """The median of the rounds' ratios theirs / ours, and its 95 % interval by the bootstrap over the rounds."""

    def __init__(self, ours, theirs):
        ratios = np.array(theirs) / np.array(ours)
        drawn = np.random.default_rng(0).choice(ratios, (N_RESAMPLES, len(ratios)))
        self.median = float(np.median(ratios))
        self.low, self.high = (float(q) for q in np.percentile(np.median(drawn, axis=1), (2.5, 97.5)))

    def __str__(self):
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def markdown(head, rows):
    """A table, padded so that it can also be read as it is."""
    rows = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)


def gate(what, value, bar, must=None, unit=""):
    """One line: what was asked for, what was measured, whether it is met; `must` is the bar that no excuse lowers."""
    asked = f"at least {bar:g}{unit}" + (f", must {must:g}{unit}" if must else "")
    if value is None:
        return f"* {what}: not measured ({asked})"
    met = "met" if value >= bar else "not met" if must is None or value < must else "the must is met, the bar is not"
    return f"* {what}: {value:.2f}{unit} ({asked}): {met}"


def median(times):
    return statistics.median(times)
