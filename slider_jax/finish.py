"""What the network leaves undone, drawn over its picture.

Noise where the photo's own detail is painted over or drawn out (grain.py), teeth and
tongue in mouths that an edit opens (mouth.py), the line of lids that it shuts and the
photo's own eye where it opens or turns them (eyes.py, eyeball.py).
"""

import dataclasses
import functools
import os

import numpy as np
from jaxtyping import Float, UInt8

from slider_jax import eyes, grain, landmarker, mouth, patch, photo
from slider_jax.face.maps import Vector
from slider_jax.patch import Frame


@dataclasses.dataclass(frozen=True, eq=False)
class Finish:
    """For one face of an open photo; all but the photo is of what is looked at.

    Nothing is looked for before an edit needs it.
    """

    photo: photo.Photo
    face: photo.Face
    frame: Frame
    crop: UInt8[np.ndarray, "size size 3"]
    worn: Vector
    flipped: bool

    def draw(
        self,
        edited: photo.Photo,
        crop: UInt8[np.ndarray, "size size 3"],
        flow: Float[np.ndarray, "size size 2"],
        vector: Vector,
        share: float,
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]]:
        """The edited photo, of whose face that is the `crop`, finished; and where.

        It wears the vector, and its pixels were that `flow` away.
        """
        mask = np.zeros(edited.pixels.shape[:2], np.uint8)
        before = self.crop.astype(np.float32)
        painted, _ = patch.on_moved(before, crop.astype(np.float32) - before, flow)
        for draw in self._parts(crop, painted, vector, share):
            drawn = draw(edited)
            if drawn:
                edited, mask = drawn[0], np.maximum(mask, drawn[1])
        return edited, mask

    def _parts(self, crop, painted, vector, share):
        look = functools.cache(lambda: landmarker.on_crop(crop))
        if self.mouth:
            how = dict(vector=vector, painted=painted, share=share, look=look)
            yield functools.partial(self.mouth.fill, **how)
        how = self.worn, vector, self.face.pose[0]
        shares = share * eyes.change(*how)
        if not shares.any() or not self.eyes or look() is None:
            return
        turns = eyes.turns(*how)
        for eye, share, turn in zip(self.eyes, shares.tolist(), turns, strict=True):
            how = dict(points=look(), share=share)
            yield functools.partial(eye.open, turn=turn, **how)
            yield functools.partial(eye.shut, **how)

    @functools.cached_property
    def grain(self) -> Float[np.ndarray, "n n 3"] | None:
        if self._points is None:
            return None
        pixels = photo.looked_at(self.photo.pixels, self.flipped)
        return grain.grain_of(pixels, self.frame, len(self.crop), self._points)

    @functools.cached_property
    def mouth(self) -> mouth.Mouth | None:
        if self._points is None:
            return None
        lips = self._points[list(mouth.LIPS)]
        return mouth.find(
            self.crop, lips, self.face, self.frame, self.worn, self.flipped
        )

    @functools.cached_property
    def eyes(self) -> tuple[eyes.Eye, ...]:
        if self._points is None:
            return ()
        how = len(self.crop), self._points, self.flipped
        return eyes.find(self.photo.pixels, self.frame, *how)

    @functools.cached_property
    def _points(self):
        return landmarker.on_crop(self.crop)


def is_drawn() -> bool:
    """As SLIDER_FINISH says: `drawn`, or `painted` by the network alone."""
    asked = os.environ.get("SLIDER_FINISH", "drawn")
    if asked not in ("drawn", "painted"):
        raise ValueError(f"SLIDER_FINISH is {asked!r}; choose from drawn, painted.")
    return asked == "drawn"
