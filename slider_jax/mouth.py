"""What an edit opens: teeth and tongue of the 3D head, seen through the lips.

No photo of a shut mouth has them, and a small network paints them soft. So the head is
laid over the face (turned as it is, with eyes, brows and nose in their places, and its
mouth where and as wide as the photo's), wears what is asked for, and shows between the
lips of the edited picture, as bright as what was painted there.

Points are in sides of the aligned crop, if not said otherwise.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from slider_jax import outline, patch, photo
from slider_jax.face import camera, inside, landmarks
from slider_jax.face.head import dense_points, load_head
from slider_jax.face.maps import Vector
from slider_jax.landmarker import Points
from slider_jax.patch import Frame, ramp, smoothstep
from slider_jax.window import SIZE, Window, window

SIDE, BELOW = 0.4, 0.06  # of the window; from the lips to its middle
# Round the inside of the lips, of MediaPipe's 468: the upper's, then the lower's.
LIPS = (78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308)
LOWER_FROM = len(LIPS)
LIPS += (324, 318, 402, 317, 14, 87, 178, 88, 95)
UPPER, LOWER = LIPS.index(13), LIPS.index(14)
FURTHER = 0.002, 0.01  # apart: the head's mouth begins to show, and is whole
PALE = 4, 12  # levels that are painted there: teeth begin to be seen, and are
NARROW = 0.02, 0.01  # and lips that seem to part: they do, and may part further
OWN = 0.028, 0.045  # apart in the photo: its own teeth begin to stay, and do
SCALE = 0.8, 1.25  # of mouths, to that of the head
FARTHEST = 0.035  # below where it is found, the lower lip; and as far as it went
SOFT = 0.002  # the lips' edge
SHADE, SHADED = 0.3, 0.04  # how much they darken what is behind, and how far
LIGHT = 0.4, 1.6  # of what was painted, to that of the head
CAST = 0.6  # the power of its colour
COLOURFUL = 0.2  # (most - least) / mean of a face's channels: less makes mouths grey
NEARNESS = 1 / 1000  # of the camera: a metre away
TURNED = 35.0  # degrees of yaw: further round, lips are found where they are not

Lips = Float[np.ndarray, "20 2"]


@dataclasses.dataclass(frozen=True, eq=False)
class Mouth:
    """Of one face in an open photo, as it is looked at.

    The face in `crop` is as it was, with those `lips`, and wears `worn`. `head` is the
    camera that draws the head in the window.
    """

    crop: UInt8[np.ndarray, "size size 3"]
    lips: Lips
    worn: Vector
    window: Window
    head: camera.Camera

    def fill(
        self,
        edited: photo.Photo,
        vector: Vector,
        painted: Float[np.ndarray, "size size 3"],
        share: float,
        look: Callable[[], Points | None],
    ) -> tuple[photo.Photo, UInt8[np.ndarray, "h w"]] | None:
        """The edited photo with the mouth filled, and where; None if no lips part.

        The face shall wear the vector. `painted` says what, on the crop, in levels;
        `look` finds points on the edited crop, if a net sees a face there.
        """
        before, after = _lips_of(self.worn), _lips_of(vector)
        if _parted(after) <= _parted(before):
            return None
        goal = self.lips + self._moved(before, after)
        picture = self._draw(vector)  # which goes on while lips are looked for
        points = look()
        if points is None:
            return None
        lips = points[list(LIPS)]
        further, asked = (gap(x) - gap(self.lips) for x in (lips, goal))
        pale = ramp(further, NARROW)
        if pale:  # teeth that are painted onto the lower lip are taken for lip
            pale = pale * self._pale(painted, self._opened(lips, goal, FARTHEST))
        share = share * max(ramp(further, FURTHER), pale * ramp(asked, FURTHER))
        if not share:
            return None
        farthest = max(min(FARTHEST, further), pale * FARTHEST)
        through = self._opened(lips, goal, farthest)
        if not through.any():
            return None
        depth = ndimage.distance_transform_edt(through > 0.5) * (SIDE / SIZE)
        shade = 1 - SHADE * (1 - smoothstep(depth / SHADED))
        through = ndimage.gaussian_filter(through, SOFT * SIZE / SIDE)[..., None]
        beneath = self.window.see(edited.pixels)
        drawn = 127.5 * (np.asarray(picture) + 1) * shade[..., None]
        grey = drawn.mean(2, keepdims=True)
        drawn = grey + self._colour() * (drawn - grey)
        sums = [(x * through).sum((0, 1)) for x in (beneath, drawn)]
        light = np.maximum(sums[0], 1) / np.maximum(sums[1], 1)  # black has no colour
        cast = (light / light.mean()) ** (CAST * self._colour())
        drawn = drawn * cast * light.mean().clip(*LIGHT)
        mask = share * self._free(painted) * through
        return self.window.paste(edited, beneath, drawn, mask)

    def _opened(self, lips, goal, farthest):
        """How much of each pixel lies between lips, the lower one near its goal."""
        lower = (goal - lips)[LOWER_FROM:, 1].clip(0, farthest)
        lips = lips.copy()
        lips[LOWER_FROM:, 1] += lower
        return outline.cover(self.window.places(lips), SIZE)

    def _pale(self, painted, through):
        """0 where nothing was painted there, 1 where teeth were."""
        light = self.window.part(painted.mean(2, keepdims=True))[..., 0]
        return ramp((light * through).sum() / max(through.sum(), 1), PALE)

    def _colour(self):
        """0 of a photo without, 1 of one with the colours that faces have."""
        around = len(self.crop) // 4
        face = self.crop[around:-around, around:-around].astype(np.float32)
        share = np.ptp(face, axis=2).mean() / max(face.mean(), 1)
        return min(1.0, share / COLOURFUL)

    def _moved(self, before, after):
        """How far lips of the head, in millimetres, move as they are seen."""
        before, after = jax.device_get(_see(self.head, np.float32([before, after])))
        return SIDE * (after - before)

    def _free(self, painted):
        """1 but where the photo's own teeth have moved along: those stay."""
        own = ramp(gap(self.lips), OWN)
        if not own:
            return 1.0
        over = self.window.part(patch.painted_over(painted))
        return 1 - own * (1 - over)

    def _draw(self, vector):
        scene, vector = inside.load_inside(), jnp.asarray(vector, jnp.float32)
        return inside.draw(scene, vector, self.head, size=SIZE)


def warm_up(parameters: int) -> None:
    """Compiles what is drawn for vectors of so many components."""
    worn, head = np.zeros(parameters), load_head()
    points = np.asarray(head.face.mean)[head.landmarks, :2] / [200, -200]
    lips = _lips_of(worn)
    face = photo.Face((0, 0, 1, 1), 1.0, points, (0.0, 0.0, 0.0))
    crop = np.zeros((1, 1, 3), np.uint8)
    mouth = find(crop, lips[:, :2] / [200, -200], face, np.eye(2, 3), worn, False)
    mouth._moved(lips, lips)
    mouth._draw(worn)


def find(
    crop: UInt8[np.ndarray, "size size 3"],
    lips: Lips,
    face: photo.Face,
    frame: Frame,
    worn: Vector,
    flipped: bool,
) -> Mouth | None:
    """The mouth of a face as it is in the photo: `face`, `crop`, the `frame` to it, and
    `worn` are of what is looked at. None where its lips cannot be trusted."""
    if abs(face.pose[0]) > TURNED:
        return None
    points, pose = patch.move(frame, face.landmarks) / len(crop), np.radians(face.pose)
    points = points[landmarks.RIGID]
    head, theirs = jax.device_get(
        _lay(*(np.float32(x) for x in (points, pose, _lips_of(worn))))
    )
    scale = np.clip(np.ptp(lips[:, 0]) / np.ptp(theirs[:, 0]), *SCALE)
    # The head's lips shrink or grow about their middle, and go where those seen are.
    centre = lips.mean(0) + scale * (head.centre - theirs.mean(0))
    middle = lips.mean(0) + [0, BELOW]
    head = head.replace(
        scale=np.float32(head.scale * scale / SIDE),
        centre=np.float32((centre - middle) / SIDE + 0.5),
    )
    return Mouth(
        crop, lips, worn, window(frame, len(crop), SIDE, middle, flipped), head
    )


@jax.jit
def _lay(points, pose, lips):
    """A camera that sees the head over points of a face, and the lips as it does."""
    head = load_head()
    rest = jnp.asarray(head.face.mean[head.landmarks[landmarks.RIGID]])
    turned = camera.Camera(pose.at[2].set(0.0), NEARNESS, 1 / 200, jnp.full(2, 0.5))
    there = camera.align(turned, rest, points)
    return there, camera.project(there, lips, 1)[0][:, :2]


@jax.jit
def _see(head, lips):
    """In sides of the window."""
    return jax.vmap(lambda points: camera.project(head, points, 1)[0][:, :2])(lips)


def gap(lips: Lips) -> float:
    """How far the lower lip is below the upper."""
    return float(lips[LOWER, 1] - lips[UPPER, 1])


def _parted(lips):
    """The same of the head, in millimetres, where y is up."""
    return lips[UPPER, 1] - lips[LOWER, 1]


def _lips_of(vector):
    """Of the head that wears it, in millimetres [20 3]."""
    return dense_points(vector, LIPS)
