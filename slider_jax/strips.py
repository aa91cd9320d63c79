"""Many edits of one face in one picture: strips of a slider, grids of two."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from slider_jax.face import requests
from slider_jax.face.maps import Vector
from slider_jax.photo import Photo
from slider_jax.session import Result, Session

ROOM = 1.7  # of the picture about a face, in widths of the face
INK, PAPER = (40, 40, 40), (255, 255, 255)


def slide(session: Session, now: Vector, name: str, value: float) -> Vector:
    """`now` with one slider at `value`; below 0 is the opposite movement.

    Named sliders end at 0, components do not: there, the movement is turned round.
    """
    ask = lambda v: requests.target(session.painter.maps, now, {name: v})
    return ask(value) if value >= 0 else 2 * ask(0.0) - ask(-value)


def sweep(
    session: Session, now: Vector, name: str, values: Sequence[float]
) -> Iterator[Result]:
    for value in values:
        yield session.edit(slide(session, now, name, value))


def grid(
    session: Session,
    now: Vector,
    across: str,
    down: str,
    columns: Sequence[float],
    rows: Sequence[float],
) -> Iterator[Result]:
    """Row after row."""
    for row in rows:
        moved = slide(session, now, down, row)
        yield from sweep(session, moved, across, columns)


def square(session: Session) -> tuple[float, float, float, float]:
    """About the face, as far as the photo goes: left, top, right, bottom."""
    x0, y0, x1, y1 = session.measured.face.box
    height, width = session.photo.pixels.shape[:2]
    side = min(ROOM * max(x1 - x0, y1 - y0), height, width)
    left = float(np.clip((x0 + x1 - side) / 2, 0, width - side))
    top = float(np.clip((y0 + y1 - side) / 2, 0, height - side))
    return left, top, left + side, top + side


def look(
    session: Session, pixels: UInt8[np.ndarray, "h w 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The square about the face."""
    image = Image.fromarray(pixels)
    return np.asarray(
        image.resize((size, size), Image.Resampling.LANCZOS, box=square(session))
    )


def sheet(
    cells: Sequence[UInt8[np.ndarray, "s s 3"]],
    columns: Sequence[str],
    rows: Sequence[str],
    *,
    across: str,
    down: str = "",
) -> Photo:
    """Cells row after row, with a word over each column and before each row."""
    size = len(cells[0])
    font = ImageFont.load_default(max(11, size // 12))
    line, gap = round(1.7 * font.size), max(2, size // 48)
    width = lambda word: font.getlength(word)
    side = round(max(map(width, rows), default=0)) + 6 * gap if any(rows) else gap
    head = 2 * line + (line if down else 0)
    step = size + gap
    image = Image.new(
        "RGB", (side + step * len(columns), head + step * len(rows)), PAPER
    )
    draw = ImageDraw.Draw(image)
    draw.text((side, line / 2), across, INK, font, anchor="lm")
    if down:
        draw.text((side, 1.5 * line), down, INK, font, anchor="lm")
    for i, word in enumerate(columns):
        draw.text(
            (side + step * i + size / 2, head - line / 2), word, INK, font, anchor="mm"
        )
    for i, word in enumerate(rows):
        draw.text((side / 2, head + step * i + size / 2), word, INK, font, anchor="mm")
    for i, cell in enumerate(cells):
        row, column = divmod(i, len(columns))
        image.paste(Image.fromarray(cell), (side + step * column, head + step * row))
    return Photo(np.asarray(image), name="the sheet")
