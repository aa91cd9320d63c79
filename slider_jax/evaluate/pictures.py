"""Pictures of a report, chosen by rule: nobody picks the nice ones."""

import dataclasses
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from slider_jax import strips
from slider_jax.batch import to_bytes
from slider_jax.evaluate.contenders import Contender
from slider_jax.evaluate.protocols import Plan
from slider_jax.evaluate.slides import slide
from slider_jax.evaluate.testset import TestSet, neutrals, pairs
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import EMOTIONS

CELL = 112  # pixels of a face
RANDOM, EXTREMES = 6, 3  # faces of a sheet, and at either end
AMOUNTS = (-1.0, -0.5, 0.0, 0.5, 1.0)
STRIPS = {
    "jawOpen": ("jawOpen",),
    "mouthSmile": ("mouthSmileLeft", "mouthSmileRight"),
    "browInnerUp": ("browInnerUp",),
    "eyeBlink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "component 1": ("component_1",),
    "component 2": ("component_2",),
    "component 3": ("component_3",),
}
PAPER, MORE, LESS = (255, 255, 255), (47, 102, 158), (190, 72, 49)


@dataclasses.dataclass(frozen=True)
class Picture:
    title: str
    caption: str
    file: str  # under `pictures`
    content: bytes
    table: str = ""  # it stands beside that


def draw(
    test: TestSet,
    contenders: Sequence[Contender],
    parts: dict[str, dict[str, Any]],
    plan: Plan,
) -> list[Picture]:
    runs = [contender for contender in contenders if contender.role == "run"]
    found = _random(test, runs, plan)
    for i, run in enumerate(runs):
        if run.name in parts["transfer"]:
            found += [_ends(test, run, parts["transfer"][run.name], i)]
            found += [_strips(test, run, i)]
        if run.name in parts["disentangle"]:
            found += [_matrix(run, parts["disentangle"][run.name]["matrix"], i)]
    return found


def _random(test, runs, plan):
    chosen = pairs(test.paired, seed=plan.seed)[: plan.pairs]
    if any(run.labels == "classes" for run in runs):
        chosen = chosen[test.paired.table["kind"][chosen[:, 1]] < len(EMOTIONS)]
    if not len(chosen):  # of few pairs perhaps none has a class
        return []
    few = np.random.default_rng([plan.seed, 5]).permutation(len(chosen))[:RANDOM]
    inputs, targets = chosen[np.sort(few)].T
    images, wanted = test.paired.images(inputs), test.paired.wanted(targets)
    columns = [images, *(run.answer(images, wanted) for run in runs), wanted.truth]
    names = ["input", *(short(run.name, 16) for run in runs), "ground truth"]
    kinds = [KINDS[k] for k in wanted.kind]
    png = _sheet(columns, names, kinds, f"{len(few)} pairs drawn by seed {plan.seed}")
    caption = "The same pairs for every run; rows say of what kind the target is."
    return [Picture("Samples, drawn at random", caption, "random.png", png)]


def _ends(test, run, part, number):
    """The best and the worst by IED, of all pairs that were measured."""
    errors = part["values"]["ied"]
    order = np.argsort(errors, kind="stable")
    few = min(EXTREMES, len(order) // 2)
    chosen = np.concatenate([order[:few], order[len(order) - few :]])
    inputs, targets = np.array(part["pairs"])[chosen].T
    images, wanted = test.paired.images(inputs), test.paired.wanted(targets)
    columns = [images, run.answer(images, wanted), wanted.truth]
    words = [f"{1e3 * errors[i]:.2f}" for i in chosen]
    names = ["input", "edit", "ground truth"]
    return Picture(
        f"{run.name}: its best and its worst",
        f"By IED x 1000, before each row: the {few} smallest of {len(order)} pairs, "
        f"then the {few} largest.",
        f"ends-{number}.png",
        _sheet(columns, names, words, "by IED x 1000"),
    )


def _strips(test, run, number):
    """Sliders alone (the paper's Fig. 6), on the first resting face."""
    row = int(neutrals(test.paired, 1)[0])
    edits = [
        slide(test, run, row, names, np.array(AMOUNTS)) for names in STRIPS.values()
    ]
    cells = [_cell(image) for strip in edits for image in strip]
    words = [f"{a:+g}" if a else "0" for a in AMOUNTS]
    sheet = strips.sheet(cells, words, list(STRIPS), across="one slider at a time")
    return Picture(
        f"{run.name}: single sliders",
        "The first test person at rest, always; below 0 is the opposite movement.",
        f"strips-{number}.png",
        _png(sheet.pixels),
    )


def _matrix(run, matrix, number):
    """Blue where a reading grows with the component, red where it falls."""
    values = np.clip(np.array(matrix, float), -1, 1)[..., None]
    ends = np.where(values > 0, np.array(MORE), np.array(LESS))
    colours = np.array(PAPER) + np.abs(values) * (ends - np.array(PAPER))
    tile = np.kron(colours.round().astype(np.uint8), np.ones((14, 14, 1), np.uint8))
    tile[::14], tile[:, ::14] = 235, 235  # a grid
    return Picture(
        f"{run.name}: what moves with what",
        "A row for each parameter of the run, moved alone from rest; a column for each "
        "that D reads. Blue is more, red is less, full colour is as much as was asked: "
        "a perfect editor would show a blue diagonal on white.",
        f"matrix-{number}.png",
        _png(tile),
    )


def _sheet(columns, names, words, title):
    cells = [_cell(column[i]) for i in range(len(words)) for column in columns]
    return _png(strips.sheet(cells, names, words, across=title).pixels)


def _cell(image):
    picture = Image.fromarray(to_bytes(np.asarray(image)))
    side = max(CELL, len(image))
    return np.asarray(picture.resize((side, side), Image.Resampling.LANCZOS))


def short(name: str, letters: int) -> str:
    """Runs of one family differ at the end of their names."""
    return name if len(name) <= letters else f"…{name[1 - letters :]}"


def _png(pixels):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8)).save(stream, format="PNG")
    return stream.getvalue()
