"""How a table lies on a page, whichever kind of page that is."""

from typing import Any


def grid(table: dict[str, Any]) -> tuple[list, list]:
    """Heads, and (label, cells with the role of who is in them) of every line."""
    heads, labels = table["columns"], table["rows"]
    if not heads or not labels:
        return heads, []
    if table["down"]:
        return _by_channel(heads, labels)
    return heads, [(row, [(c, row["role"]) for c in row["cells"]]) for row in labels]


def _by_channel(columns, rows):
    """A line for each channel; in it every row's measures, side by side."""
    at: dict[str, dict[str, int]] = {}
    measures = {}
    for i, column in enumerate(columns):
        measure, _, channel = column["measure"].partition(":")
        at.setdefault(channel, {})[measure] = i
        measures[measure] = column
    heads = [
        dict(column, title=f"{row['name']}: {column['name']}")
        for row in rows
        for column in measures.values()
    ]
    body = []
    for channel, places in at.items():
        cells = [
            (row["cells"][places[m]], row["role"]) for row in rows for m in measures
        ]
        body.append((dict(name=channel, role="run"), cells))
    return heads, body


def ratios(table: dict[str, Any]) -> list[tuple[str, dict]]:
    """(what they are, the ratios): the paper's own first."""
    found = []
    if paper := table["paper"]:
        words = (
            f"The paper's own numbers, as ratios to {paper['base']} "
            f"({paper['source']}; other data and judges)"
        )
        found += [(words, paper)]
    if ours := table["ours"]:
        words = f"Ours, measured above, as ratios to the run {ours['base']}"
        found += [(words, ours)]
    return found


def leans(table: dict[str, Any]) -> str:
    """Which of its measures are what a network says."""
    leaning: dict[str, list[str]] = {}
    for column in table["columns"]:
        if column["leans_on"]:
            name = column["name"]
            titles = leaning.setdefault(column["leans_on"], [])
            titles += [name] * (name not in titles)
    parts = [f"{', '.join(titles)} ({net})" for net, titles in leaning.items()]
    return "These lean on a network: " + "; ".join(parts) + "." if parts else ""
