"""What a tab asks for, as a plain value: steps, each with a layer for some faces."""

import dataclasses
import functools
import json
import shlex
from typing import Any

import numpy as np
from PIL import Image

from slider_jax.face import requests
from slider_jax.face.maps import Maps, Vector, tidy
from slider_jax.face.sliders import INDEX
from slider_jax.photo_file import Photo
from slider_jax.session import Result, Session

MOST_STEPS = 32


@dataclasses.dataclass(frozen=True)
class Layer:
    """`start` is a vector, or None for the face as measured; `request` goes on it."""

    start: tuple[float, ...] | None
    request: dict[str, float]

    @property
    def empty(self) -> bool:
        return self.start is None and not self.request


@dataclasses.dataclass(frozen=True)
class Story:
    """Faces count from the left; every step has its layers by face."""

    steps: tuple[dict[int, Layer], ...]
    face: int

    @property
    def layer(self) -> Layer:
        return self.steps[-1].get(self.face, Layer(None, {}))

    @functools.cached_property
    def base(self) -> str:
        """Names the photo that this face's layer is painted on."""
        before = [*self.steps[:-1], without(self.steps[-1], self.face)]
        plain = [{i: dataclasses.astuple(x) for i, x in s.items()} for s in before]
        return json.dumps(plain, sort_keys=True)


def without(step: dict[int, Layer], face: int) -> dict[int, Layer]:
    return {i: layer for i, layer in step.items() if i != face and not layer.empty}


def parse(plain: Any, parameters: int, faces: int) -> Story:
    """From JSON; whatever is wrong with it is a ValueError."""
    if not isinstance(plain, dict):
        raise ValueError('A story is {"face": 0, "steps": [...]}.')
    face, steps = plain.get("face", 0), plain.get("steps") or [{}]
    if not isinstance(steps, list) or len(steps) > MOST_STEPS:
        raise ValueError(f"A story has up to {MOST_STEPS} steps: download, and go on.")
    index = lambda text: _face(text, faces)
    return Story(
        tuple(
            {index(i): _layer(layer, parameters) for i, layer in _items(step)}
            for step in steps
        ),
        index(face),
    )


def _items(step):
    if not isinstance(step, dict):
        raise ValueError('A step is {"0": {"start": null, "request": {...}}}.')
    return step.items()


def _face(text, faces):
    if not str(text).isdigit() or int(text) >= faces:
        raise ValueError(f"There is no face {text}: choose 0 to {faces - 1}.")
    return int(text)


def _layer(plain, parameters):
    if not isinstance(plain, dict) or not isinstance(plain.get("request", {}), dict):
        raise ValueError('A layer is {"start": null, "request": {...}}.')
    start = plain.get("start")
    if start is not None:
        start = tuple(checked_vector(start, parameters).tolist())
    request = plain.get("request", {})
    return Layer(start, requests.canonical(request, parameters=parameters))


def checked_vector(plain: Any, parameters: int) -> Vector:
    """A list of numbers from outside, in [-1, 1]."""
    numbers = isinstance(plain, list) and all(isinstance(v, int | float) for v in plain)
    if not numbers or len(plain) != parameters or not np.isfinite(plain).all():
        raise ValueError(f"An expression of this model is a list of {parameters}.")
    return tidy(np.array(plain, np.float64))


def vector(session: Session, layer: Layer) -> Vector:
    """What the layer asks this face to wear."""
    if layer.start is None:
        return session.vector(layer.request)
    return requests.target(session.painter.maps, np.array(layer.start), layer.request)


def wear(session: Session, layer: Layer) -> Result:
    asked = layer.request if layer.start is None else vector(session, layer)
    return session.edit(asked)


def shown(session: Session, layer: Layer) -> dict[str, float]:
    """Where the page's sliders stand: as asked, or what the rest of the layer means."""
    asked = {n: v for n, v in layer.request.items() if n in INDEX}
    rest = {n: v for n, v in layer.request.items() if n not in INDEX}
    if layer.start is None and not rest:
        return session.measured.sliders | asked
    before = vector(session, dataclasses.replace(layer, request=rest))
    return session.painter.name(before) | asked


def record(results: list[Result]) -> dict[str, Any] | None:
    """Of all edits in a photo: the last one's, and what was done before it."""
    records = [result.record for result in results]
    if len(records) < 2:
        return records[0] if records else None
    return records[-1] | {"earlier": records[:-1]}


def command(story: Story, name: str, model: str | None, maps: Maps) -> str:
    """The same as lines for a shell, as plain as they can be."""
    lines, path = [], name
    edits = [
        (face, layer)
        for step in story.steps
        for face, layer in sorted(step.items())
        if not layer.empty
    ]
    stem, dot, suffix = name.rpartition(".")
    stem, suffix = (stem, dot + suffix) if dot else (name, ".png")
    for number, (face, layer) in enumerate(edits, 1):
        words = ["slider", "edit", path]
        words += ["--face", str(face)] if face else []
        words += ["--model", model] if model else []
        for key, value in _settings(layer, maps).items():
            words += ["--set", f"{key}={value:.6g}"]
        path = f"{stem}.{number}{suffix}" if number < len(edits) else ""
        words += ["--out", path] if path else []
        lines.append(shlex.join(words))
    return " &&\n".join(lines) or shlex.join(["slider", "measure", name])


def _settings(layer, maps):
    if layer.start is None:
        return layer.request
    # A vector says everything, so what was asked on top of it is in it.
    then = requests.target(maps, np.array(layer.start), layer.request)
    names = requests.names(maps.parameters)
    components = [n for n in names if requests.component(n) is not None]
    return dict(zip(components, then.tolist(), strict=True))


def shrink(photo: Photo, side: int) -> Photo:
    """No side longer than `side`: for looking at, not for keeping."""
    height, width = photo.pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return photo
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(photo.pixels)
    small = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
    return photo.replace(pixels=np.asarray(small), alpha=None)


def preview(session: Session, side: int) -> Session:
    """The same face, crop and measurement in a smaller copy of the photo."""
    small = shrink(session.photo, side)
    if small is session.photo:
        return session
    (h, w), (height, width) = small.pixels.shape[:2], session.photo.pixels.shape[:2]
    scaled = np.diag([width / w, height / h])
    frame = np.column_stack([session.frame[:, :2] @ scaled, session.frame[:, 2]])
    return dataclasses.replace(session, photo=small, frame=frame)
