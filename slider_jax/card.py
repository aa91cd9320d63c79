"""The data card: what is in an open_faces set, counted and drawn from its files."""

import collections
import dataclasses
import functools
import itertools
import json
import os
import pathlib
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from slider_jax import data, files, open_faces
from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import SLIDERS

PICTURES = (".png", ".jpg", ".jpeg")
BINS = 25  # odd, so that zero has a bar of its own
REST = 0.02  # nearer to zero than this, a face does not move
# Of each vector: a title, what its numbers are called, and the ends of their axis.
PANELS = {
    "expression": ("Expression components", range(1, EXPRESSION + 1), -1.0, 1.0),
    "speech": ("Speech components", range(1, SPEECH + 1), -1.0, 1.0),
    "sliders": ("Named sliders", SLIDERS, -0.5, 1.5),
    "pose": ("Pose, degrees", ("yaw", "pitch", "roll"), -60.0, 60.0),
}

PAPER, INK, FAINT, BAR, ALARM = "#ffffff", "#20242c", "#8a919e", "#5b8dbd", "#c8553d"
PANEL, COLUMNS, MARGIN = (189, 92), 8, 24  # 7 pixels a bar
PEOPLE, FACES, STRANGERS = 8, 10, 20  # of a contact sheet


def write(folder: str | os.PathLike) -> None:
    """Writes card.json, card.md and their pictures into a finished set."""
    folder = pathlib.Path(folder)
    card = count(folder)
    with files.whole(folder / "card.json") as scratch:
        scratch.write_text(json.dumps(card) + "\n")
    pictures = "\n![Faces](contact_sheet.jpg)\n\n![Histograms](histograms.png)\n"
    (folder / "card.md").write_text(text(card) + pictures)
    _save(contact_sheet(folder), folder / "contact_sheet.jpg")
    _save(histograms(card), folder / "histograms.png")


def show(
    folder: str | os.PathLike, out: str | os.PathLike, *, force: bool = False
) -> str:
    """Draws faces into `out` and histograms beside it; returns the card's text."""
    out = pathlib.Path(out)
    if out.suffix.lower() not in PICTURES:
        raise ValueError(f"{out} ends in none of {', '.join(PICTURES)}: name it so.")
    beside = out.with_stem(out.stem + "_histograms")
    for path in (out, beside):
        files.check_free(path, force)
    files.make_folder(out)
    card = count(folder)
    _save(contact_sheet(folder), out)
    _save(histograms(card), beside)
    return text(card) + f"\nFaces: {out}. Histograms: {beside}.\n"


def _save(picture, path):
    kind = Image.registered_extensions()[path.suffix.lower()]
    with files.whole(path) as scratch:
        picture.save(scratch, kind, quality=90)  # which PNG ignores


def count(folder: str | os.PathLike) -> dict[str, Any]:
    """The numbers of the card; JSON can hold them.

    Parameters are counted without the neutrals of pairs, which are zero by design.
    Histograms leave out what is at rest, as most sliders of a face are; `rest` and
    `ends` are the fractions within REST of zero, and at the axis' upper end, up to
    sign, or beyond.
    """
    splits, total = {}, 0
    counts = {name: np.zeros((len(p[1]), BINS), int) for name, p in PANELS.items()}
    rest, ends = collections.Counter(), collections.Counter()
    for split in _splits(folder):
        faces = data.open_split(folder, split)
        table = faces.columns(("identity", "session", "take", "kind", *PANELS))
        sessions = np.stack([table["identity"], table["session"]], axis=1)
        kinds = np.bincount(table["kind"], minlength=len(KINDS))
        splits[split] = dict(
            rows=len(faces),
            people=len(np.unique(table["identity"])),
            sessions=len(np.unique(sessions, axis=0)),
            kinds=dict(zip(KINDS, kinds.tolist(), strict=True)),
        )
        moved = table["take"] > 0
        total += int(moved.sum())
        table["pose"] = np.degrees(table["pose"])
        for name, (_, _, low, high) in PANELS.items():
            values = table[name][moved]
            rest[name] += (np.abs(values) < REST).sum(axis=0)
            ends[name] += (np.abs(values) >= high).sum(axis=0)
            for bars, column in zip(counts[name], values.T, strict=True):
                moving = column[np.abs(column) >= REST].clip(low, high)
                bars += np.histogram(moving, BINS, (low, high))[0]
    parameters = {
        name: dict(
            rest=(rest[name] / total).tolist(),
            ends=(ends[name] / total).tolist(),
            counts=counts[name].tolist(),
        )
        for name in PANELS
    }
    recipe = dataclasses.asdict(open_faces.recipe_of(folder))
    return dict(recipe=recipe, splits=splits, parameters=parameters)


def text(card: dict[str, Any]) -> str:
    """The card as Markdown."""
    recipe = dict(card["recipe"])
    renderer = recipe.pop("renderer")
    lines = [f"# {open_faces.NAME}: faces with exact parameters", ""]
    lines += ["| split | rows | people | sessions |", "|---|---|---|---|"]
    for split, s in card["splits"].items():
        lines += [f"| {split} | {s['rows']:,} | {s['people']:,} | {s['sessions']:,} |"]
    lines += [
        "",
        f"Every {open_faces.TEST_EVERY}th person is for testing, so nobody is in both.",
        "A session is one person under one camera, light, hair and background: in the "
        "paired splits a neutral face and its other expressions, in the unpaired ones "
        "a single face.",
        "",
        f"| kind | {' | '.join(card['splits'])} |",
        "|---" * (1 + len(card["splits"])) + "|",
    ]
    for kind in KINDS:
        numbers = (f"{s['kinds'][kind]:,}" for s in card["splits"].values())
        lines += [f"| {kind} | {' | '.join(numbers)} |"]
    lines += ["", "Clipped, at the ends of [-1, 1] (neutrals of pairs left out):"]
    for name in ("expression", "speech"):
        clipped = card["parameters"][name]["ends"]
        worst = int(np.argmax(clipped))
        lines += [
            f"- {name}: {np.mean(clipped):.2%} of all values; "
            f"most in component {worst + 1}, {clipped[worst]:.2%}."
        ]
    lines += ["", "## Recipe", "", *_list(recipe), "", "## Renderer", ""]
    return "\n".join(lines + (_list(renderer) or ["Nothing was written down."])) + "\n"


def _list(values: dict[str, Any], indent: str = "") -> list[str]:
    lines = []
    for name, value in values.items():
        if isinstance(value, dict):
            lines += [f"{indent}- {name}:", *_list(value, indent + "  ")]
        else:
            lines += [f"{indent}- {name}: {value}"]
    return lines


def histograms(card: dict[str, Any]) -> Image.Image:
    """A panel for every parameter; its own scale, since shapes are what matters."""
    width, height = PANEL
    rows = {name: -(-len(p[1]) // COLUMNS) for name, p in PANELS.items()}
    tall = sum(rows.values()) * height + len(rows) * 48 + 2 * MARGIN
    canvas = Image.new("RGB", (COLUMNS * width + 2 * MARGIN, tall), PAPER)
    draw = ImageDraw.Draw(canvas)
    top = MARGIN
    for name, (title, labels, low, high) in PANELS.items():
        draw.text((MARGIN, top), title, INK, _font(17))
        found = card["parameters"][name]
        panels = zip(labels, found["counts"], found["rest"], found["ends"], strict=True)
        for i, (label, counts, rest, ends) in enumerate(panels):
            row, column = divmod(i, COLUMNS)
            at = MARGIN + column * width, top + 34 + row * height
            _panel(draw, at, str(label), counts, (low, high))
            note = f"{ends:.1%} at ends" if ends > rest else f"{rest:.0%} rest"
            if max(rest, ends) >= 0.0005:
                corner = at[0] + width - 14, at[1]
                ink = ALARM if ends > rest else FAINT
                draw.text(corner, note, ink, _font(11), anchor="ra")
        top += rows[name] * height + 48
    return canvas


def _panel(draw, at, label, counts, ends):
    left, top = at
    width, height = PANEL[0] - 14, PANEL[1] - 38
    base = top + 16 + height
    draw.text((left, top), label, INK, _font(11))
    peak = max(*counts, 1)
    for i, number in enumerate(counts):
        x, y = left + i * width // BINS, base - round(number / peak * height)
        if number:
            draw.rectangle((x, min(y, base - 1), x + width // BINS - 2, base), BAR)
    draw.line((left, base + 1, left + width, base + 1), FAINT)
    for share, anchor in ((0, "la"), (0.5, "ma"), (1, "ra")):
        x, value = left + share * width, ends[0] + share * (ends[1] - ends[0])
        draw.line((x, base + 1, x, base + 4), FAINT)
        draw.text((x, base + 5), f"{value:g}", FAINT, _font(10), anchor=anchor)


def contact_sheet(folder: str | os.PathLike) -> Image.Image:
    """A session a row, its neutral first; below them single faces."""
    blocks = []
    for split in _splits(folder):
        if split.startswith("train"):
            faces = data.open_split(folder, split)
            table = faces.columns(("identity", "take", "kind"))
            paired = not split.endswith("_unpaired")
            rows = _sessions(table) if paired else _strangers(len(faces))
            title = "One session a row, the neutral first" if paired else "Single faces"
            pictures = [[faces.picture(i) for i in row] for row in rows]
            kinds = [[KINDS[table["kind"][i]] for i in row] for row in rows]
            blocks.append((title, pictures, kinds))
    return _sheet(blocks)


def _sessions(table: dict[str, np.ndarray]) -> list[range]:
    """Rows of one session each of people evenly spread over the split."""
    _, first = np.unique(table["identity"], return_index=True)
    ends = np.append(np.flatnonzero(table["take"] == 0), len(table["take"]))
    lengths = dict(itertools.pairwise(ends))
    spread = np.unique(np.linspace(0, len(first) - 1, PEOPLE).round().astype(int))
    return [range(i, min(i + FACES, lengths[i])) for i in first[spread]]


def _strangers(count: int) -> list[np.ndarray]:
    chosen = np.unique(np.linspace(0, count - 1, STRANGERS).round().astype(int))
    return np.split(chosen, range(FACES, len(chosen), FACES))


def _sheet(blocks: list[tuple[str, list, list]]) -> Image.Image:
    size = max(96, len(blocks[0][1][0][0]))
    tile = size + 4, size + 22
    rows = sum(len(pictures) for _, pictures, _ in blocks)
    height = rows * tile[1] + len(blocks) * 30 + 2 * MARGIN
    columns = max(len(row) for _, pictures, _ in blocks for row in pictures)
    sheet = Image.new("RGB", (columns * tile[0] + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for title, pictures, kinds in blocks:
        draw.text((MARGIN, top), title, INK, _font(17))
        top += 30
        for row, names in zip(pictures, kinds, strict=True):
            for column, (picture, name) in enumerate(zip(row, names, strict=True)):
                left = MARGIN + column * tile[0]
                face = Image.fromarray(picture).resize((size, size), Image.LANCZOS)
                sheet.paste(face, (left, top))
                middle = (left + size / 2, top + size + 2)
                draw.text(middle, name, FAINT, _font(11), anchor="ma")
            top += tile[1]
    return sheet


def _splits(folder: str | os.PathLike) -> list[str]:
    shards = open_faces.plan(open_faces.recipe_of(folder))
    return list(dict.fromkeys(shard.split for shard in shards))


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
