"""Plots of a report, as SVG: measures with their intervals, and losses of runs."""

import html
import json
import math
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from slider_jax.evaluate.contenders import Contender
from slider_jax.evaluate.pictures import Picture, short

# Table: its column that is drawn.
DRAWN = {
    "transfer": "ied",
    "expressions": "recognised:average",
    "speech": "ied",
    "units": "unit_pcc:average",
}
INK, FAINT, LINE = "#1f242d", "#69717f", "#e1e4ea"
COLOURS = "#2f669e #be4831 #4f8a4b #8a5a9e #b8862b #3f8f96 #8d6e63 #7a7f87".split()
LABELS, WIDTH, ROW = 170, 620, 26  # pixels
PANEL, HIGH, ACROSS = 200, 110, 3  # of curves
POINTS = 150  # of a curve: means of as many parts of it


def draw(contenders: Sequence[Contender], tables: Sequence[dict]) -> list[Picture]:
    found = [_of_table(t, DRAWN[t["id"]]) for t in tables if t["id"] in DRAWN]
    logs = {c.name: c.log for c in contenders if c.log and c.log.is_file()}
    curves = {name: rows for name, log in logs.items() if (rows := read_log(log))}
    if curves:
        found.append(
            Picture(
                "Losses while training",
                "Of every run that has a metrics.jsonl, by step. Ranges leave out the "
                "highest and the lowest fiftieth.",
                "losses.svg",
                losses(curves).encode(),
            )
        )
    return [picture for picture in found if picture]


def _of_table(table, column):
    at = [c["measure"] for c in table["columns"]]
    if column not in at:
        return None
    head = table["columns"][at.index(column)]
    rows = [(row, row["cells"][at.index(column)]) for row in table["rows"]]
    rows = [(row["name"], row["role"], cell) for row, cell in rows if cell]
    if not rows:
        return None
    unit = f" ({head['unit']})" if head["unit"] else ""
    title = f"{head['title']} {head['arrow']}{unit}"
    return Picture(
        title,
        "Means; lines are what the table has in brackets or after ±.",
        f"{table['id']}.svg",
        intervals(title, rows).encode(),
        table=table["id"],
    )


def intervals(title: str, rows: Sequence[tuple[str, str, dict]]) -> str:
    """A dot and a line for each (name, role, cell of a table)."""
    ends = [_ends(cell) for *_, cell in rows]
    ticks = _ticks(min(0, *(e[0] for e in ends)), max(e[2] for e in ends))
    scale = (WIDTH - LABELS - 20) / (ticks[-1] - ticks[0])
    x = lambda value: LABELS + 8 + (value - ticks[0]) * scale
    bottom = ROW * len(rows) + 8
    parts = [
        f'<line x1="{x(t):.1f}" x2="{x(t):.1f}" y1="0" y2="{bottom}" stroke="{LINE}"/>'
        + _text(x(t), bottom + 15, f"{t:g}", "middle", FAINT)
        for t in ticks
    ]
    for i, ((name, role, _), (low, mean, high)) in enumerate(
        zip(rows, ends, strict=True)
    ):
        y = ROW * (i + 0.5) + 4
        colour, ink = (COLOURS[0], INK) if role == "run" else (FAINT, FAINT)
        parts += [
            _text(LABELS - 4, y + 4, short(name, 22), "end", ink),
            f'<line x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{colour}" stroke-width="3" stroke-linecap="round"/>',
            f'<circle cx="{x(mean):.1f}" cy="{y}" r="5" fill="{colour}"/>',
        ]
    return _svg(WIDTH, bottom + 22, title, parts)


def _ends(cell):
    """Low, mean and high, in the units that the table prints."""
    factor, mean = cell["factor"], cell["mean"]
    spread = cell.get("std") or 0.0
    low, high = cell.get("low", mean - spread), cell.get("high", mean + spread)
    return factor * low, factor * mean, factor * high


def read_log(path: pathlib.Path) -> list[dict[str, Any]]:
    """Rows of a metrics.jsonl; a line that was cut off ends it."""
    rows = []
    for line in path.read_text().splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def losses(curves: dict[str, list[dict[str, Any]]]) -> str:
    """A panel for every loss that some run has, a colour for every run."""
    names = sorted({key for rows in curves.values() for row in rows for key in row})
    names.remove("step")
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(curves)}
    across = min(ACROSS, len(names))
    down = math.ceil(len(names) / across)
    parts = []
    for i, (name, ink) in enumerate(colour.items()):
        parts += [
            f'<rect x="4" y="{18 * i + 4}" width="14" height="8" fill="{ink}"/>',
            _text(24, 18 * i + 13, name, "start", INK),
        ]
    top = 18 * len(colour) + 12
    for i, name in enumerate(names):
        left, up = 4 + (PANEL + 16) * (i % across), top + (HIGH + 40) * (i // across)
        parts += [
            f'<g transform="translate({left} {up})">',
            *_panel(name, curves, colour),
        ]
        parts += ["</g>"]
    return _svg((PANEL + 16) * across, top + (HIGH + 40) * down, "losses", parts)


def _panel(name, curves, colour) -> Iterator[str]:
    lines = {run: _curve(rows, name) for run, rows in curves.items()}
    lines = {run: line for run, line in lines.items() if len(line)}
    values = np.concatenate([line[:, 1] for line in lines.values()])
    low, high = np.quantile(values, [0.02, 0.98])
    high = high if high > low else low + 1
    last = max(line[-1, 0] for line in lines.values()) or 1
    yield _text(0, 10, name, "start", INK)
    yield f'<rect y="16" width="{PANEL}" height="{HIGH}" fill="none" stroke="{LINE}"/>'
    for run, line in lines.items():
        x = PANEL * line[:, 0] / last
        y = 16 + HIGH * (1 - (line[:, 1].clip(low, high) - low) / (high - low))
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
        yield (
            f'<polyline points="{path}" fill="none" stroke="{colour[run]}" '
            'stroke-width="1.4"/>'
        )
    yield _text(0, 29 + HIGH, f"{low:.3g} to {high:.3g}", "start", FAINT)
    yield _text(PANEL, 29 + HIGH, f"step {last:g}", "end", FAINT)


def _curve(rows, name):
    """Steps and values [n 2], n at most POINTS."""
    found = [(row["step"], row[name]) for row in rows if name in row]
    line = np.array([pair for pair in found if np.isfinite(pair[1])]).reshape(-1, 2)
    few = np.array_split(line, min(POINTS, len(line)) or 1)
    return np.array([part.mean(axis=0) for part in few if len(part)]).reshape(-1, 2)


def _ticks(low, high):
    """Round numbers from below the one to above the other, seven at most."""
    span = (high - low) or 1.0
    size = 10.0 ** math.floor(math.log10(span / 6))
    step = next(size * n for n in (1, 2, 5, 10) if span / (size * n) <= 6)
    first, last = math.floor(low / step), math.ceil((low + span) / step)
    return [round(k * step, 12) for k in range(first, last + 1)]


def _text(x, y, words, anchor, colour):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{html.escape(words)}</text>"
    )


def _svg(width, height, title, parts):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-size="12" '
        f'font-family="system-ui, sans-serif"><title>{html.escape(title)}</title>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
        + "\n".join([*parts, "</svg>\n"])
    )
