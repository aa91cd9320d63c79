"""A face in an open photo, and what it is asked to wear.

Sliders are absolute. The critic measured the vector e of the face, a request says what
it shall be, e', and the generator paints e' over the photo as it was opened. Where the
two are equal, nothing is painted and the photo comes back as it is. From there the
change fades in: it is multiplied by smoothstep(|e' - e| / FADE), so that a slider has
no jump at rest; at FADE, a tenth of a smile, it is whole.
"""

import dataclasses
import functools
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

import slider_jax
from slider_jax import patch, photo
from slider_jax.batch import to_bytes, to_float
from slider_jax.face import requests
from slider_jax.face.maps import Vector, tidy
from slider_jax.face.requests import Request
from slider_jax.face.sliders import INDEX
from slider_jax.finish import Finish
from slider_jax.painter import Painter

FADE = 0.15  # length of a change of the vector, from which it is painted whole
OPEN = (0.02, 0.12)  # the model's mask, where pasting begins and where it is whole


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """A face, and what it wears: components in [-1, 1], and sliders made of them.

    Of a face that was edited before it is not read again, but known from the record,
    and so is what was `asked`: to ask that once more changes nothing.
    """

    face: photo.Face
    expression: Vector
    sliders: dict[str, float]
    asked: dict[str, float] | None = None


Wanted = Request | Measured | np.ndarray  # names, somebody's expression, or a vector


@dataclasses.dataclass(frozen=True, eq=False)
class Result:
    """`mask` lies in the photo: where it is 0, no byte differs from the input's."""

    photo: photo.Photo
    mask: UInt8[np.ndarray, "h w"]
    measured: Measured
    requested: Vector
    sliders: dict[str, float]  # of `requested`
    pixels_changed: int
    timings: dict[str, float]  # milliseconds
    crop: UInt8[np.ndarray, "size size 3"]  # the aligned face after the edit
    record: dict[str, Any]  # of the edit, for `photo.save`


@dataclasses.dataclass(frozen=True, eq=False)
class Session:
    """A face in an open photo. Edits do not stack: all start from what was opened.

    `frame` and `crop` are of the mirror image where that is looked at (`flipped`).
    """

    painter: Painter
    photo: photo.Photo
    frame: Float[np.ndarray, "2 3"]
    crop: UInt8[np.ndarray, "size size 3"]
    measured: Measured
    flipped: bool
    finishes: bool = False  # edits, by what is drawn over them

    @functools.cached_property
    def finish(self) -> Finish | None:
        if not self.finishes:
            return None
        face, worn = self.measured.face, self.measured.expression
        if self.flipped:
            face = face.mirrored(self.photo.pixels.shape[1])
            worn = self.painter.maps.reflect(worn)
        return Finish(self.photo, face, self.frame, self.crop, worn, self.flipped)

    def vector(
        self,
        wanted: Wanted,
        *,
        mode: str = "set",
        region: str = "all",
        strength: float = 1.0,
    ) -> Vector:
        """What the face is asked to wear; strength 0 is what it wears."""
        maps, now = self.painter.maps, self.measured.expression
        if isinstance(wanted, Measured):
            wanted = wanted.expression
        if isinstance(wanted, np.ndarray):
            then = requests.move(maps, now, wanted - now, region=region)
        else:
            how = dict(mode=mode, region=region, asked=self.measured.asked)
            then = requests.target(maps, now, wanted, **how)
        return tidy(now + strength * (then - now))

    def edit(self, wanted: Wanted, **how: Any) -> Result:
        """`how`: mode "set" or "add", region "all", "mouth", ..., strength 1."""
        return self._wear(self.vector(wanted, **how), self._asked(wanted, **how))

    def neutralise(self, amount: float = 1.0, *, region: str = "all") -> Result:
        """Towards the face at rest: 1 is all the way."""
        rest = np.zeros_like(self.measured.expression)
        return self.edit(rest, region=region, strength=amount)

    def _asked(self, wanted, mode="set", region="all", strength=1.0):
        if not isinstance(wanted, Mapping) or mode != "set" or strength != 1:
            return {}
        k = self.painter.maps.parameters
        asked = requests.placed(requests.canonical(wanted, parameters=k), region)
        before = self.measured.asked if asked.keys() <= INDEX.keys() else None
        return (before or {}) | asked

    def _wear(self, wanted: Vector, asked: dict[str, float]) -> Result:
        started = time.perf_counter()
        now = self.measured.expression
        distance = float(np.linalg.norm(wanted - now))
        if distance == 0:
            nothing = np.zeros(self.photo.pixels.shape[:2], np.uint8)
            return self._result(self.photo, nothing, wanted, self.crop, started, 0, 0)
        seen = self.painter.maps.reflect(wanted) if self.flipped else wanted
        edited, mask, flow = self.painter.paint(self.crop, seen)
        painted = time.perf_counter()
        before = to_float(self.crop)
        share = patch.smoothstep(distance / FADE)
        after, flow = before + share * (edited - before), share * flow
        pasted, native = photo.paste(
            *(self.photo, self.frame, before, after, _feathered(mask), flow),
            self.flipped,
            self.finish and self.finish.grain,
        )
        crop = to_bytes(after)
        if self.finish:
            pasted, more = self.finish.draw(pasted, crop, flow, seen, float(share))
            native = np.maximum(native, more)
        known = {
            "model": self.painter.model.id,
            "box": list(self.measured.face.box),
            "expression": wanted.tolist(),
            "asked": asked,
        }
        before = photo.known(self.photo, self.measured.face)
        others = [face for face in self.photo.faces if face is not before]
        pasted = pasted.replace(faces=(*others, known))
        changed = _count_changed(self.photo.pixels, pasted.pixels, native)
        return self._result(
            *(pasted, native, wanted, crop, started),
            *(painted - started, changed),
        )

    def _result(self, pasted, native, wanted, crop, started, model, changed):
        sliders = self.painter.name(wanted)
        before = self.measured.sliders
        return Result(
            photo=pasted,
            mask=native,
            measured=self.measured,
            requested=wanted,
            sliders=sliders,
            pixels_changed=changed,
            timings={
                "model": 1e3 * model,
                "total": 1e3 * (time.perf_counter() - started),
            },
            crop=crop[:, ::-1] if self.flipped else crop,
            record={
                "software": f"slider_jax {slider_jax.__version__}",
                "model": self.painter.model.id,
                **({"finish": "drawn"} if self.finishes else {}),
                "box": [round(v, 1) for v in self.measured.face.box],
                "sliders": {
                    name: round(value, 3)
                    for name, value in sliders.items()
                    if value != before[name]
                },
                "expression": wanted.tolist(),
            },
        )


def _feathered(mask):
    """Where to paste: 1 wherever the model's mask is open, softly 0 where it is shut.

    How much of the colour shows is in the edited face already.
    """
    share = patch.ramp(mask[..., 0], OPEN)
    wide = ndimage.maximum_filter(share, 3, mode="constant")
    return ndimage.gaussian_filter(wide, len(mask) / 128, mode="constant")[..., None]


def _count_changed(before, after, native):
    rows, columns = (np.flatnonzero(native.any(axis)) for axis in (1, 0))
    if not len(rows):
        return 0
    inside = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return int((before[inside] != after[inside]).any(-1).sum())
