"""Where lids meet there is a dark line, the roots of their lashes.

It is thinner than what a small network paints. So where the landmark net sees that an
edit shuts an eye, the line is drawn where it sees the lower lid, as dark as the eye was
where it was darkest.

Points are in sides of the aligned crop.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from slider_jax import outline, patch, photo
from slider_jax.face.head import dense_points
from slider_jax.face.landmarks import LIDS
from slider_jax.face.maps import Vector
from slider_jax.patch import Frame, smoothstep

SIZE, SIDE = 128, 0.2  # of the window about an eye: in its pixels, in the crop
MIDDLE = slice(3, 6)  # of a lid's points: how far apart lids are is seen there
TOWARDS = 0.5  # millimetres that lids of the head near each other: less shuts no eye
NEARER = 0.004, 0.02  # the line begins to show, and does
APART = 0.018, 0.006  # the same
# Of one shut eye the landmark net believes that it is as open as the other, by so much.
LIKE_THE_OTHER = 0.8
LOWER = 0.75  # the line's place, from the upper lid to the lower as they are seen
WIDTH = 0.0045
TAPER = np.array([0.5, 0.8, 1, 1, 1, 1, 0.9, 0.6, 0.2])  # outer corner to inner
STRENGTH = 0.8
SOFT = 0.001
DARKEST = 0.04  # of the eye, whose mean is the colour of lashes

Points = Float[np.ndarray, "478 2"]


@dataclasses.dataclass(frozen=True, eq=False)
class Eye:
    """Of an open photo: how far its lids are apart; a `window` of picture pixels, and
    its `middle`; and the colour of its lashes, in levels of 255."""

    which: int  # of LIDS
    apart: float
    window: Frame
    middle: Float[np.ndarray, "2"]
    lashes: Float[np.ndarray, "3"]

    def shut(
        self, edited: photo.Photo, points: Points, flipped: bool, share: float
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]] | None:
        """The edited photo with the line, and where; None if the eye is not shut."""
        here, other = apart(points, self.which), apart(points, 1 - self.which)
        here -= LIKE_THE_OTHER * max(0.0, other - here)
        for value, (none, whole) in ((self.apart - here, NEARER), (here, APART)):
            share = share * smoothstep((value - none) / (whole - none))
        if not share:
            return None
        upper, lower = (points[list(lid)] for lid in LIDS[self.which])
        line = upper + LOWER * (lower - upper)
        half = np.outer(WIDTH / 2 * TAPER, [0, 1])
        around = np.concatenate([line - half, (line + half)[::-1]])
        line = outline.cover(SIZE * ((around - self.middle) / SIDE + 0.5), SIZE)
        line = ndimage.gaussian_filter(line, SOFT * SIZE / SIDE)[..., None]
        before = patch.cut(photo.looked_at(edited.pixels, flipped), self.window, SIZE)
        after = np.minimum(before, self.lashes).astype(np.float32) / 127.5 - 1
        still = np.zeros((SIZE, SIZE, 2), np.float32)
        mask = share * STRENGTH * line
        return photo.paste(edited, self.window, before, after, mask, still, flipped)


def close(worn: Vector, wanted: Vector) -> bool:
    """Whether lids of the head near each other."""
    return bool((_apart_of_head(worn) - _apart_of_head(wanted) > TOWARDS).any())


def find(
    pixels: UInt8[np.ndarray, "h w 3"], frame: Frame, size: int, points: Points
) -> tuple[Eye, Eye]:
    """The eyes of a face as it is in the picture that is looked at."""
    right, left = (_find(pixels, frame, size, points, which) for which in (0, 1))
    return right, left


def _find(pixels, frame, size, points, which):
    middle = points[list(sum(LIDS[which], ()))].mean(0)
    window = frame * (SIZE / (SIDE * size))
    window[:, 2] += SIZE * (0.5 - middle / SIDE)
    y, x = SIZE // 4, SIZE // 6
    seen = patch.cut(pixels, window, SIZE)[y:-y, x:-x].reshape(-1, 3).astype(np.float32)
    order = np.argsort(seen.sum(1), kind="stable")
    lashes = seen[order[: int(DARKEST * len(order))]].mean(0)
    return Eye(which, apart(points, which), window, middle, lashes)


def apart(points: Points, which: int) -> float:
    """How far the lower lid is below the upper."""
    upper, lower = (points[list(lid[MIDDLE]), 1].mean() for lid in LIDS[which])
    return float(lower - upper)


def _apart_of_head(vector):
    """Millimetres, of both eyes."""
    which = [i for upper, lower in LIDS for i in upper[MIDDLE] + lower[MIDDLE]]
    y = dense_points(vector, which)[:, 1].reshape(2, 2, -1).mean(2)
    return y[:, 0] - y[:, 1]
