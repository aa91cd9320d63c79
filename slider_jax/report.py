"""What a run leaves to look at: JSON lines, TensorBoard, and sheets of samples."""

import collections
import contextlib
import functools
import json
import pathlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog

from slider_jax.batch import to_bytes

PAPER, INK, FAINT, MORE, LESS = "#ffffff", "#20242c", "#8a919e", "#5b8dbd", "#c8553d"
COLUMNS = ("a face", "the sliders", "the edit", "where it painted")
GAP, MARGIN, TITLE = 6, 16, 26


class Writer:
    """Scalars to metrics.jsonl, scalars and pictures to TensorBoard."""

    def __init__(self, workdir: pathlib.Path, *, start: int):
        """Goes on after step `start`: what an interrupted run wrote later is dropped.

        It happened, but the run that we resume has not got there yet.
        """
        self.workdir = pathlib.Path(workdir)
        path = self.workdir / "metrics.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        kept = [line for line in lines if _step_of(line) <= start]
        path.write_text("".join(kept))
        self.lines = path.open("a", buffering=1)
        (self.workdir / "board").mkdir(exist_ok=True)
        self.board = EventsWriter(str(self.workdir / "board" / "events"))
        self._show(start + 1, session_log=SessionLog(status=SessionLog.START))

    def scalars(self, step: int, values: dict[str, float]) -> None:
        self.lines.write(json.dumps({"step": step} | values) + "\n")
        for name, value in values.items():
            self._show(step, summary=summary.scalar(name, value))
        self.board.flush()

    def _show(self, step, **what):
        """Here and now: a thread would die of a full disk, and leave us waiting."""
        self.board.write_event(Event(step=step, wall_time=time.time(), **what))

    def picture(self, step: int, name: str, picture: Image.Image) -> pathlib.Path:
        """Into samples/<name>_<step>.png and TensorBoard; returns the file."""
        path = self.workdir / "samples" / f"{name}_{step:07}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)
        shown = summary.image(name, np.asarray(picture), dataformats="HWC")
        self._show(step, summary=shown)
        return path

    def close(self) -> None:
        self.lines.close()
        self.board.close()


def _step_of(line: str) -> float:
    """Of a line that was cut off, infinity."""
    try:
        return json.loads(line)["step"]
    except ValueError:
        return float("inf")


class Silent:
    """What all processes but the first write: nothing."""

    def scalars(self, step: int, values: dict[str, float]) -> None:
        pass

    def picture(self, step: int, name: str, picture: Image.Image) -> None:
        pass

    def close(self) -> None:
        pass


@contextlib.contextmanager
def writer(
    workdir: pathlib.Path, *, start: int, lead: bool
) -> Iterator[Writer | Silent]:
    """Closes at the end. Only the `lead` process writes."""
    with contextlib.closing(Writer(workdir, start=start) if lead else Silent()) as open:
        yield open


class AttentionGuard:
    """Warns when the mask has collapsed for `patience` logs in a row (sec. 5.2).

    A closed mask copies the input, an open one repaints everything; the weights of the
    attention and of the identity loss hold the balance. In a painting phase, which has
    neither, it is the weight of the colours below the mask.
    """

    def __init__(self, *, low: float = 0.02, high: float = 0.95, patience: int = 5):
        self.low, self.high, self.patience = low, high, patience
        self.means = collections.deque(maxlen=patience)
        self.phase = None

    def check(self, metrics: dict[str, float], phase: int) -> str | None:
        """The warning, once per collapse, or None."""
        mean = metrics.get("generator/mask")
        if mean is None:
            return None
        name, to_open, to_close = "colour", "raise", "lower"  # in a painting phase
        if "generator/attention" in metrics:
            name, to_open, to_close = "attention", "lower", "raise"
        if phase != self.phase:  # other weights: what was says nothing of them
            self.means.clear()
        self.phase = phase
        self.means.append(mean)
        closed = all(mean < self.low for mean in self.means)
        opened = all(mean > self.high for mean in self.means)
        if len(self.means) < self.patience or not (closed or opened):
            return None
        where = f"{self.means[-1]:.1%} on average over {self.patience} logs"
        self.means.clear()
        weight = f"--config.phases[{phase}].weights.generator.{name}"
        if closed:
            return (
                f"The mask has closed ({where}), edits copy the input: "
                f"{to_open} {weight}."
            )
        return f"The mask has opened ({where}), all is repainted: {to_close} {weight}."


def sample_sheet(blocks: Sequence[tuple[str, dict[str, Any]]]) -> Image.Image:
    """One row an example, its columns as in COLUMNS, under the title of its block.

    A block holds `image`, `edit`, `target` [b h w 3] in [-1, 1], `mask` [b h w 1],
    `expression` [b k] and `paired` [b]: the last column is the truth where there is
    one, and else the face whose expression was borrowed.
    """
    size = max(96, blocks[0][1]["image"].shape[1])
    rows = sum(len(block["image"]) for _, block in blocks)
    width = (len(COLUMNS) + 1) * (size + GAP) + 2 * MARGIN
    height = rows * (size + GAP) + len(blocks) * (TITLE + 18) + 2 * MARGIN
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    top = MARGIN
    for title, block in blocks:
        draw.text((MARGIN, top), title, INK, _font(15))
        top += TITLE
        target = "the truth" if np.all(block["paired"]) else "the stranger"
        for column, name in enumerate((*COLUMNS, target)):
            middle = MARGIN + column * (size + GAP) + size / 2
            draw.text((middle, top), name, FAINT, _font(11), anchor="ma")
        top += 18
        for i in range(len(block["image"])):
            pictures = [
                _face(block["image"][i], size),
                _bars(block["expression"][i], size),
                _face(block["edit"][i], size),
                _face(np.repeat(block["mask"][i] * 2 - 1, 3, axis=2), size),
                _face(block["target"][i], size),
            ]
            for column, picture in enumerate(pictures):
                sheet.paste(picture, (MARGIN + column * (size + GAP), top))
            top += size + GAP
    return sheet


def _face(image: np.ndarray, size: int) -> Image.Image:
    picture = Image.fromarray(to_bytes(np.asarray(image)))
    return picture.resize((size, size), Image.LANCZOS)


def _bars(values: np.ndarray, size: int) -> Image.Image:
    """Blue to the right is more than neutral, red to the left is less."""
    picture = Image.new("RGB", (size, size), "#f3f4f6")
    draw = ImageDraw.Draw(picture)
    middle, tall = size / 2, size / len(values)
    for i, value in enumerate(values):
        y, end = i * tall, middle + float(np.clip(value, -1, 1)) * (middle - 3)
        box = (min(middle, end), y, max(middle, end), y + max(0, tall - 1.6))
        draw.rectangle(box, MORE if value > 0 else LESS)
    draw.line((middle, 0, middle, size), FAINT)
    return picture


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
