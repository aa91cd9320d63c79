"""What is asked of a photo, as plain values, and how it is carried out."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slider_jax import photo
from slider_jax.edit import Editor
from slider_jax.face import requests
from slider_jax.face.maps import Vector
from slider_jax.session import Result, Session

EVERY = "all"


@dataclasses.dataclass(frozen=True)
class Order:
    """First the face wears `wear`, then what is `set`, then what is to `add`.

    `strength` is the share of the way from the measured face.
    """

    wear: Sequence[float] | None = None  # a vector; zeros are the face at rest
    set: Mapping[str, float] = dataclasses.field(default_factory=dict)
    add: Mapping[str, float] = dataclasses.field(default_factory=dict)
    region: str = "all"
    strength: float = 1.0
    face: int | tuple[float, float] | str = 0  # from the left; a click; or EVERY
    box: tuple[float, float, float, float] | None = None  # x, y, width, height

    def vector(self, session: Session) -> Vector:
        """What one face is asked to wear, before `strength`."""
        maps = session.painter.maps
        if self.wear is None:
            then = session.vector(self.set, region=self.region)
        else:
            then = session.vector(np.asarray(self.wear, float), region=self.region)
            then = requests.target(maps, then, self.set, region=self.region)
        return requests.target(maps, then, self.add, mode="add", region=self.region)

    def edit(self, session: Session) -> Result:
        how = dict(strength=self.strength)
        if self.wear is None and not self.add:
            return session.edit(self.set, region=self.region, **how)
        return session.edit(self.vector(session), **how)

    def plain(self) -> dict[str, Any]:
        """For JSON: the fields that are not as they were by default."""
        found = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != getattr(NOTHING, field.name)
        }
        lists = lambda v: list(v) if isinstance(v, Sequence) else dict(v)
        held = (Sequence, Mapping)
        return {
            name: lists(v) if isinstance(v, held) and not isinstance(v, str) else v
            for name, v in found.items()
        }


NOTHING = Order()


def carry_out(editor: Editor, opened: photo.Photo, order: Order) -> list[Result]:
    """One result for each face; the last photo has them all."""
    faces = photo.find_faces(opened, box=order.box)
    if order.face != EVERY:
        faces = [photo.choose(faces, order.face, opened.name)]
    results = []
    for face in faces:
        results.append(order.edit(editor.open(opened, face)))
        opened = results[-1].photo
    return results


def record(results: Sequence[Result], order: Order) -> dict[str, Any]:
    """What is written into the picture: how it was made, and what was asked for."""
    request = {"request": order.plain()}
    if len(results) == 1:
        return results[0].record | request
    faces = [dict(result.record) for result in results]
    common = ("software", "model", "finish")
    common = {key: faces[0][key] for key in common if key in faces[0]}
    for face in faces:
        for key in common:
            del face[key]
    return common | request | {"faces": faces}


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """For --json."""
    return {
        "pixels_changed": sum(result.pixels_changed for result in results),
        "model": results[0].record["model"],
        "faces": [
            {
                "box": result.record["box"],
                "measured": rounded(result.measured.sliders),
                "sliders": rounded(result.sliders),
                "expression": result.requested.tolist(),
                "pixels_changed": result.pixels_changed,
                "milliseconds": {k: round(v, 1) for k, v in result.timings.items()},
            }
            for result in results
        ],
    }


def rounded(sliders: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in sliders.items()}
