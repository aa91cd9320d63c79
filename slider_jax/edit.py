"""The Editor: a photo and what its face shall do, in; a photo, out.

    editor = Editor.load()
    editor.edit("me.jpg", {"mouthSmile": 0.8, "jawOpen": 0.2}).photo

For many edits of one face, `open` it once: `session = editor.open("me.jpg")`.
"""

import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from slider_jax import finish, mouth, photo, programs
from slider_jax.face.maps import tidy
from slider_jax.model_file import Model, load_model
from slider_jax.painter import Painter, make_painter
from slider_jax.photo_file import Source
from slider_jax.runtime import paint_fastest
from slider_jax.session import Measured, Result, Session, Wanted

Photo = Source | photo.Photo
Pick = int | tuple[float, float] | photo.Face  # from the left; a click; a face


@dataclasses.dataclass(frozen=True, eq=False)
class Editor:
    """One model, compiled once. `Editor.load()` takes the model in the package.

    It `finishes` what the model paints, or not (finish.py).
    """

    painter: Painter
    finishes: bool = False

    @property
    def model(self) -> Model:
        return self.painter.model

    @classmethod
    def load(cls, path: str | os.PathLike | None = None) -> "Editor":
        """From a model file, or from the folder of a run."""
        programs.keep_programs()
        model = load_model(path)
        return cls(make_painter(model, paint_fastest(model)), finish.is_drawn())

    def warm_up(self) -> None:
        """Compiles everything, so that the first edit is as quick as the others."""
        self.painter.warm_up()
        if self.finishes:
            mouth.warm_up(self.model.parameters)

    def measure(
        self, source: Photo, *, box: Sequence[float] | None = None
    ) -> list[Measured]:
        """Every face, from left to right."""
        opened = _opened(source)
        faces = photo.find_faces(opened, box=box)
        return [self.open(opened, face).measured for face in faces]

    def open(
        self,
        source: Photo,
        face: Pick = 0,
        *,
        box: Sequence[float] | None = None,
    ) -> Session:
        """Finds and measures one face; what follows starts from this photo."""
        opened = _opened(source)
        if not isinstance(face, photo.Face):
            faces = photo.find_faces(opened, box=box)
            face = photo.choose(faces, face, opened.name)
        flipped = photo.is_flipped(opened)
        seen = face.mirrored(opened.pixels.shape[1]) if flipped else face
        frame = photo.frame(seen, self.model.size)
        crop = photo.crop(opened, frame, self.model.size, flipped)
        measured = self._known(opened, face)
        if measured is None:
            expression = self.painter.read(crop)
            if flipped:
                expression = self.painter.maps.reflect(expression)
            measured = Measured(face, expression, self.painter.name(expression))
        return Session(
            *(self.painter, opened, frame, crop, measured, flipped, self.finishes)
        )

    def _known(self, opened, face):
        """From the record of an earlier edit, if this model made it."""
        known = photo.known(opened, face) or {}
        shape = len(known.get("expression", ()))
        if (known.get("model"), shape) != (self.model.id, self.model.parameters):
            return None
        expression = tidy(np.array(known["expression"], np.float64))
        asked = known["asked"]
        sliders = self.painter.name(expression)
        sliders |= {name: v for name, v in asked.items() if name in sliders}
        return Measured(face, expression, sliders, asked)

    def edit(
        self,
        source: Photo,
        request: Wanted,
        *,
        face: Pick = 0,
        box: Sequence[float] | None = None,
        **how: Any,
    ) -> Result:
        """`how`: mode "set" or "add", region "all", "mouth", ..., strength 1."""
        return self.open(source, face, box=box).edit(request, **how)

    def edit_all(self, source: Photo, request: Wanted, **how: Any) -> list[Result]:
        """Every face, one after the other: the last photo has them all."""
        opened, results = _opened(source), []
        for face in photo.find_faces(opened):
            results.append(self.edit(opened, request, face=face, **how))
            opened = results[-1].photo
        return results

    def neutralise(
        self,
        source: Photo,
        amount: float = 1.0,
        *,
        region: str = "all",
        face: Pick = 0,
        box: Sequence[float] | None = None,
    ) -> Result:
        """Towards the face at rest: 1 is all the way."""
        return self.open(source, face, box=box).neutralise(amount, region=region)

    def transfer(
        self,
        source: Photo | Measured,
        target: Photo,
        strength: float = 1.0,
        *,
        region: str = "all",
        source_face: Pick = 0,
        face: Pick = 0,
        box: Sequence[float] | None = None,
    ) -> Result:
        """The expression of `source` on the face in `target`."""
        if not isinstance(source, Measured):
            source = self.open(source, source_face).measured
        session = self.open(target, face, box=box)
        return session.edit(source, region=region, strength=strength)

    def interpolate(
        self,
        source: Photo,
        a: Wanted,
        b: Wanted,
        steps: int,
        *,
        face: Pick = 0,
        box: Sequence[float] | None = None,
    ) -> Iterator[Result]:
        """From `a` to `b` in `steps` pictures; {} is the face as measured."""
        session = self.open(source, face, box=box)
        first, last = session.vector(a), session.vector(b)
        for share in np.linspace(0, 1, steps):
            yield session.edit((1 - share) * first + share * last)

    def animate(
        self,
        source: Photo,
        frames: Iterable[Wanted],
        *,
        face: Pick = 0,
        box: Sequence[float] | None = None,
        **how: Any,
    ) -> Iterator[Result]:
        """One picture for each frame, each from the photo as it was."""
        session = self.open(source, face, box=box)
        return (session.edit(wanted, **how) for wanted in frames)


def _opened(source):
    return source if isinstance(source, photo.Photo) else photo.open_photo(source)
