"""Runs the Python lines of GUIDE.md in the folder of a run, and compares what they print with metrics.json.

    python tests/peers/guide.py data/runs/sample
"""

import contextlib
import io
import json
import os
import pathlib
import re
import sys


def main():
    guide = pathlib.Path(__file__).parents[2] / "GUIDE.md"
    blocks = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    assert len(blocks) == 3, f"the guide has {len(blocks)} blocks of Python, expected 3"
    os.chdir(sys.argv[1])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec("\n".join(blocks), {})
    print(printed.getvalue(), end="")
    figures = [float(figure) for figure in re.findall(r"top-1 (\d\.\d+)", printed.getvalue())]
    by_predictions, by_linear_classifier, by_head = figures
    test = json.loads(pathlib.Path("model/metrics.json").read_text())["test"]
    expected, chance = test["top1"], 1 / test["n_classes"]
    for name, figure in [("predictions.csv", by_predictions), ("the head in numpy", by_head)]:
        assert abs(figure - expected) < 0.0006, f"{name}: top-1 {figure}, metrics.json has {expected}"
    assert by_linear_classifier > 2 * chance, f"the linear classifier has top-1 {by_linear_classifier}"


main()
