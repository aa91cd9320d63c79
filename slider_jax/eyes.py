"""Eyes that an edit shuts or opens, where a small network falls short.

Where lids meet there is a dark line, the roots of their lashes, thinner than what it
paints: it is drawn where the landmark net sees the lower lid, as dark as the eye was
where it was darkest. Where lids open, or eyes turn, the photo's own eye lies between
them (eyeball.py): moved along with the lids, its iris would be drawn out.

Points are in sides of the aligned crop.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from slider_jax import eyeball, outline, photo
from slider_jax.face.head import dense_points, irises
from slider_jax.face.landmarks import EYE_DISTANCE, LIDS
from slider_jax.face.maps import Vector
from slider_jax.landmarker import Points
from slider_jax.patch import Frame, ramp
from slider_jax.window import SIZE, Window, window

SIDE = 0.2  # of the window about an eye
IRISES = slice(468, 473), slice(473, 478)  # of the landmark net's points
MIDDLE = slice(3, 6)  # of a lid's points: there it is seen how far apart lids are
# Of one shut eye the landmark net believes that it is as open as the other, by so much.
LIKE_THE_OTHER = 0.8
# Where what is drawn begins to show, and does: by millimetres that the head's lids
# or irises move, degrees of yaw (further round, lids are found where they are not), how
# much nearer lids are, or wider apart, how little apart, and how far irises go.
MOVED = 0.3, 1.0
TURNED = 35.0, 25.0
NEARER = 0.004, 0.02
WIDER = 0.0, 0.008
APART = 0.018, 0.006
TURNS = 0.001, 0.004
SHUT = 0.015  # apart: of eyes of which one is less open nothing is known
LOWER = 0.75  # the line's place, from the upper lid to the lower as they are seen
WIDTH = 0.0045  # a millimetre
TAPER = np.array([0.5, 0.8, 1, 1, 1, 1, 0.9, 0.6, 0.2])  # outer corner to inner
STRENGTH = 0.8
SOFT = 0.001
DARKEST = 0.04  # of the eye, whose mean is the colour of lashes


@dataclasses.dataclass(frozen=True, eq=False)
class Eye:
    """Of an open photo: how far its lids are apart, the colour of its lashes, in levels
    of 255, and the eye itself, if enough of it is seen."""

    which: int  # of LIDS
    apart: float
    window: Window
    lashes: Float[np.ndarray, "3"]
    ball: eyeball.Eyeball | None

    def open(
        self,
        edited: photo.Photo,
        points: Points,
        share: float,
        turn: Float[np.ndarray, "2"],
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]] | None:
        """The edited photo with the eye as it was, its iris so much further, and where;
        None if it is neither wider nor turned."""
        wider = ramp(apart(points, self.which) - self.apart, WIDER)
        share = share * max(wider, ramp(np.hypot(*turn), TURNS))
        # Beside a shut eye the net sees lids where they are not.
        share = share * (1 - ramp(apart(points, 1 - self.which), APART))
        if not share or self.ball is None:
            return None
        before = self.window.see(edited.pixels)
        opened = between(points, self.which, self.window)
        after, mask = self.ball.between(opened, SIZE / SIDE * turn)
        return self.window.paste(edited, before, after, share * mask)

    def shut(
        self, edited: photo.Photo, points: Points, share: float
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]] | None:
        """The edited photo with the line, and where; None if the eye is not shut."""
        here = apart(points, self.which)
        share = share * ramp(self.apart - here, NEARER) * ramp(here, APART)
        if not share:
            return None
        upper, lower = (points[list(lid)] for lid in LIDS[self.which])
        line = upper + LOWER * (lower - upper)
        half = np.outer(WIDTH / 2 * TAPER, [0, 1])
        around = np.concatenate([line - half, (line + half)[::-1]])
        line = outline.cover(self.window.places(around), SIZE)
        line = ndimage.gaussian_filter(line, SOFT * SIZE / SIDE)[..., None]
        before = self.window.see(edited.pixels)
        after = np.minimum(before, self.lashes)
        return self.window.paste(edited, before, after, share * STRENGTH * line)


def change(worn: Vector, wanted: Vector, yaw: float) -> Float[np.ndarray, "2"]:
    """How much is to be drawn on either eye: nothing where the head's rest."""
    lids = np.abs(_apart_of_head(worn) - _apart_of_head(wanted))
    turn = np.linalg.norm(irises(wanted) - irises(worn), axis=1)
    return ramp(np.maximum(lids, turn), MOVED) * ramp(abs(yaw), TURNED)


def turns(worn: Vector, wanted: Vector, yaw: float) -> Float[np.ndarray, "2 2"]:
    """How far either iris goes, right and down, as the head's do."""
    right, left = irises(worn)
    scale = EYE_DISTANCE / (left - right)[0]
    way = irises(wanted) - irises(worn)
    return scale * way[:, :2] * [np.cos(np.radians(yaw)), -1]


def find(
    pixels: UInt8[np.ndarray, "h w 3"],
    frame: Frame,
    size: int,
    points: Points,
    flipped: bool,
) -> tuple[Eye, Eye]:
    """The eyes of a face in a photo: frame, crop size and points are of what is looked
    at."""
    how = pixels, frame, size, points, flipped
    return _find(*how, 0), _find(*how, 1)


def _find(pixels, frame, size, points, flipped, which):
    middle = points[list(sum(LIDS[which], ()))].mean(0)
    around = window(frame, size, SIDE, middle, flipped)
    seen = around.see(pixels).astype(np.float32)
    y, x = SIZE // 4, SIZE // 6
    near = seen[y:-y, x:-x].reshape(-1, 3)
    dark = near[np.argsort(near.sum(1), kind="stable")[: int(DARKEST * len(near))]]
    ball = None
    if min(apart(points, eye) for eye in (0, 1)) > SHUT:
        opened = between(points, which, around)
        ball = eyeball.find(seen, opened, around.places(points[IRISES[which]]))
    return Eye(which, apart(points, which), around, dark.mean(0), ball)


def between(points: Points, which: int, there: Window) -> eyeball.Area:
    """How much of each pixel of the window lies between the lids."""
    upper, lower = (points[list(lid)] for lid in LIDS[which])
    around = np.concatenate([upper, lower[-2:0:-1]])
    return outline.cover(there.places(around), SIZE)


def apart(points: Points, which: int) -> float:
    """How far the lower lid is below the upper."""
    here, other = (
        np.subtract(*(points[list(lid[MIDDLE]), 1].mean() for lid in lids[::-1]))
        for lids in (LIDS[which], LIDS[1 - which])
    )
    return float(here - LIKE_THE_OTHER * max(0.0, other - here))


def _apart_of_head(vector):
    """Millimetres, of both eyes."""
    which = [i for upper, lower in LIDS for i in upper[MIDDLE] + lower[MIDDLE]]
    y = dense_points(vector, which)[:, 1].reshape(2, 2, -1).mean(2)
    return y[:, 0] - y[:, 1]
