"""Plots are where their numbers are, and whatever names say is no markup."""

import json
import re
import xml.etree.ElementTree as xml

import numpy as np
import pytest

from slider_jax.evaluate import plots
from slider_jax.evaluate.contenders import FLOOR

SVG = "{http://www.w3.org/2000/svg}"


def cell(mean, low, high):
    return dict(mean=mean, low=low, high=high, over="people", factor=1e3)


def test_dots_and_lines_lie_at_the_printed_numbers():
    rows = [
        ("a <run> & more", "run", cell(0.002, 0.001, 0.004)),
        ("seeds", "run", dict(mean=0.003, std=0.001, over="seeds", factor=1e3)),
    ]
    tree = xml.fromstring(plots.intervals("IED ↓", rows))
    grid = [e for e in tree.iter(f"{SVG}line") if e.get("stroke") == plots.LINE]
    texts = [e.text for e in tree.iter(f"{SVG}text")]
    assert "a <run> & more" in texts
    marks = [float(t) for t in texts if re.fullmatch(r"-?[\d.]+", t)]
    places = [float(e.get("x1")) for e in grid]
    at = lambda place: np.interp(place, places, marks)
    means = [at(float(e.get("cx"))) for e in tree.iter(f"{SVG}circle")]
    np.testing.assert_allclose(means, [2, 3], atol=0.01)
    bars = [e for e in tree.iter(f"{SVG}line") if e.get("stroke") != plots.LINE]
    ends = [[at(float(e.get(x))) for x in ("x1", "x2")] for e in bars]
    np.testing.assert_allclose(ends, [[1, 4], [2, 4]], atol=0.01)


@pytest.mark.parametrize("low, high", [(0, 5), (-0.21, 0.77), (0, 0), (0, 1234.5)])
def test_ticks_are_round_few_and_around_all(low, high):
    ticks = plots._ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 9
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


def log(path, rows, rest=""):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + rest)
    return path


def test_every_loss_has_a_panel_and_every_run_a_line_where_it_has_it(tmp_path):
    both = [dict(step=s, total=1 / s) for s in range(1, 400)]
    one = [dict(step=s, total=s, gap=float("nan") if s == 2 else s) for s in (1, 2, 3)]
    logs = [log(tmp_path / "a", both, '{"step": 4'), log(tmp_path / "b", one)]
    curves = {path.name: plots.read_log(path) for path in logs}
    assert len(curves["a"]) == 399
    tree = xml.fromstring(plots.losses(curves))
    panels = {
        g.find(f"{SVG}text").text: g.findall(f"{SVG}polyline")
        for g in tree.iter(f"{SVG}g")
    }
    assert {name: len(lines) for name, lines in panels.items()} == dict(gap=1, total=2)
    (line,) = panels["gap"]
    assert line.get("stroke") == plots.COLOURS[1]
    assert len(line.get("points").split()) == 2
    assert len(panels["total"][0].get("points").split()) == plots.POINTS


def test_tables_and_runs_without_numbers_have_no_plot():
    row = dict(name="x", role="run", cells=[None])
    column = dict(measure="ied", title="IED", arrow="↓", unit="")
    table = dict(id="transfer", columns=[column], rows=[row])
    assert plots.draw([FLOOR], [table, dict(table, id="slides")]) == []
    row["cells"] = [cell(1.0, 0.5, 2.0)]
    (picture,) = plots.draw([FLOOR], [table])
    assert picture.table == "transfer" and picture.file == "transfer.svg"
