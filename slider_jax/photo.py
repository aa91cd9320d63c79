"""A photo in, faces found and aligned, and pasted back at native size.

Neither nets nor interpolation are the same from left to right. So that a mirrored photo
is answered with the mirrored answer to the bit, of a photo and its mirror image always
the same one is looked at, by a rule on its bytes (`is_flipped`). Faces are given as
they lie in the photo; crops and frames are of the picture that is looked at.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8

from slider_jax import landmarker, patch, photo_record
from slider_jax.face import landmarks
from slider_jax.face.head import load_head
from slider_jax.face.pose import turn_of
from slider_jax.patch import Frame
from slider_jax.photo_file import Photo, PhotoError
from slider_jax.photo_file import open_photo as open_photo
from slider_jax.photo_save import read_record as read_record
from slider_jax.photo_save import save as save

GRID = 256  # to a pixel: points lie on it, so that mirroring them is exact
CERTAIN = 0.95  # of a face's score: specks in large photos reach 0.92
SMALLEST = 32  # pixels across a face: fewer say nothing about its expression
MOST_TURNED = {"yaw": 55.0, "pitch": 40.0}  # degrees; renders go to 45 and 20
MOST_OUTSIDE = 0.15  # of the 68 points
SAME = 0.5  # of two boxes' union in both: the face in a record is the one found


class FaceError(PhotoError):
    """No face that can be edited; one sentence that says what was seen."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """In photo pixels; `pose` is (yaw, pitch, roll) in degrees, as in face/camera.py:
    yaw > 0 turns to the face's left, pitch > 0 nods, roll > 0 tilts the top to the
    viewer's left."""

    box: tuple[float, float, float, float]  # x0, y0, x1, y1
    score: float  # 0..1, whether it is a face
    landmarks: Float[np.ndarray, "68 2"]
    pose: tuple[float, float, float]

    def mirrored(self, width: int) -> "Face":
        """In the mirror image of a photo of that width."""
        x0, y0, x1, y1 = self.box
        yaw, pitch, roll = self.pose
        points = self.landmarks[list(landmarks.MIRROR)]
        points[:, 0] = width - points[:, 0]
        return dataclasses.replace(
            self,
            box=(width - x1, y0, width - x0, y1),
            landmarks=points,
            pose=(0.0 - yaw, pitch, 0.0 - roll),
        )


def is_flipped(photo: Photo) -> bool:
    """Whether the nets look at the mirror image: that with the lesser bytes.

    A photo that is its own mirror image has only one.
    """
    for row in photo.pixels:
        here, there = row.tobytes(), row[::-1].tobytes()
        if here != there:
            return here > there
    return False


def looked_at(
    pixels: UInt8[np.ndarray, "h w 3"], flipped: bool
) -> UInt8[np.ndarray, "h w 3"]:
    """What the nets look at."""
    return pixels[:, ::-1] if flipped else pixels


def find_faces(photo: Photo, *, box: Sequence[float] | None = None) -> list[Face]:
    """Every face that can be edited, from left to right.

    `box` (x, y, width, height) says by hand where one is; then only its presence is
    asked for, and it may be small, cut off, or turned.
    """
    flipped, width = is_flipped(photo), photo.pixels.shape[1]
    seen = photo.replace(pixels=np.ascontiguousarray(looked_at(photo.pixels, flipped)))
    faces = _all_faces(seen) if box is None else [_in_box(seen, box, flipped)]
    if flipped:
        faces = [face.mirrored(width) for face in faces]
    if box is not None:
        return faces
    usable = [face for face in faces if _trouble(photo, face) is None]
    if usable:
        return sorted(usable, key=lambda face: face.box[0] + face.box[2])
    seen = "no face was found"
    if faces:
        seen = _trouble(photo, max(faces, key=lambda face: face.box[2] - face.box[0]))
    height, width = photo.pixels.shape[:2]
    raise FaceError(
        f"{photo.name} ({width} x {height} pixels): {seen}; choose another photo, or "
        "say where the face is with --box x,y,w,h (box= in Python)."
    )


def choose(
    faces: Sequence[Face], face: int | tuple[float, float], name: str = "the photo"
) -> Face:
    """By index from the left, or by a click on it (x, y)."""
    if isinstance(face, tuple):
        x, y = face
        hit = [f for f in faces if f.box[0] <= x <= f.box[2]]
        hit = [f for f in hit if f.box[1] <= y <= f.box[3]]
        if not hit:
            boxes = ", ".join(str([round(v) for v in f.box]) for f in faces)
            raise FaceError(
                f"No face at ({x:g}, {y:g}) of {name}: click inside {boxes}."
            )
        return min(hit, key=lambda f: (f.box[2] - f.box[0]) * (f.box[3] - f.box[1]))
    if not 0 <= face < len(faces):
        last = len(faces) - 1
        raise FaceError(
            f"There is no face {face} in {name}: choose 0 to {last}, left to right."
        )
    return faces[face]


def known(photo: Photo, face: Face) -> photo_record.Face | None:
    """What an edit of ours left in this face."""
    boxes = np.array([other["box"] for other in photo.faces], float).reshape(-1, 4)
    shared = landmarker.overlap(np.array(face.box), boxes)
    if (shared < SAME).all():
        return None
    return photo.faces[shared.argmax()]


def frame(face: Face, size: int) -> Frame:
    """From photo pixels to the picture that the networks know (dossier 1.8)."""
    rigid = landmarks.RIGID
    return patch.fit(face.landmarks[rigid], size * _reference()[rigid])


def crop(
    photo: Photo, frame: Frame, size: int, flipped: bool = False
) -> UInt8[np.ndarray, "size size 3"]:
    return patch.cut(looked_at(photo.pixels, flipped), frame, size)


def paste(
    photo: Photo,
    frame: Frame,
    before: np.ndarray,
    after: np.ndarray,
    mask: np.ndarray,
    flow: np.ndarray,
    flipped: bool = False,
    grain: np.ndarray | None = None,
) -> tuple[Photo, UInt8[np.ndarray, "h w"]]:
    """Shows `after` instead of `before` [size size 3] under `mask` [size size 1].

    Crops are bytes or floats in [-1, 1], the mask is floats in [0, 1]; it fades out at
    the crop's border. `flow` [size size 2] says from how far away the photo's finer
    detail comes, in sides of the crop, and `grain` [n n 3] lies where it goes. Also
    returned is the mask as it lies in the photo: where that is zero, and where nothing
    near changed, no byte differs.
    """
    before = _levels(before)
    change = _levels(after) - before
    height, width = photo.pixels.shape[:2]
    put = patch.paster(height, width, frame, len(change))
    mask = np.asarray(mask, np.float32)
    pixels, native = put(photo.pixels, change, mask, before, flow, flipped, grain)
    return photo.replace(pixels=pixels), native


def _levels(image):
    """Of 255."""
    image = np.asarray(image)
    if image.dtype == np.uint8:
        return image.astype(np.float32)
    return 127.5 * (image.astype(np.float32) + 1)


@functools.cache
def _reference():
    head = load_head()
    return landmarks.reference(head.face.mean[head.landmarks]).astype(np.float64)


def _all_faces(photo):
    """Each once; a photo that lies on its side is turned until a face is certain."""
    best, belief = [], lambda faces: max((face.score for face in faces), default=0.0)
    for quarter in range(4):
        turned = np.ascontiguousarray(np.rot90(photo.pixels, quarter))
        regions = [found.region for found in landmarker.detect(turned)]
        for i in reversed(range(quarter)):
            regions = [_turn_back(r, photo.pixels.shape[1 - i % 2]) for r in regions]
        found = [face for r in regions if (face := _face(photo, r))]
        best = max(best, found, key=belief)
        if belief(best) > CERTAIN:
            break
    return _distinct(_believed(best))


def _turn_back(region, width):
    """From np.rot90 of a picture of that width to the picture."""
    turn = region.angle + np.pi / 2
    return landmarker.Region(width - region.y, region.x, region.side, turn)


def _face(photo, region):
    """None where the landmark net sees no face."""
    dense, score = landmarker.locate(photo.pixels, region)
    if score < 0.5:
        return None
    dense = np.rint(dense * GRID) / GRID
    return Face(
        box=tuple(float(v) for v in (*dense[:468, :2].min(0), *dense[:468, :2].max(0))),
        score=score,
        landmarks=dense[list(landmarks.IBUG_OF_DENSE), :2],
        pose=turn_of(dense[:468, :2], _solid()),
    )


def _believed(faces):
    """Doubtful faces count where none is certain."""
    return [face for face in faces if face.score > CERTAIN] or faces


def _distinct(faces):
    """The widest of those that lie on one another."""
    kept = []
    for face in sorted(faces, key=lambda face: face.box[0] - face.box[2]):
        others = np.reshape([other.box for other in kept], (-1, 4))
        if (landmarker.overlap(np.array(face.box), others) < landmarker.SAME).all():
            kept.append(face)
    return kept


def _in_box(photo, box, flipped):
    x, y, w, h = box
    words = f"box {x:g},{y:g},{w:g},{h:g}"
    if not (w > 0 and h > 0):
        raise FaceError(f"The {words} is empty: give x,y,w,h.")
    height, width = photo.pixels.shape[:2]
    x0, y0 = max(0, int(x)), max(0, int(y))
    x1, y1 = min(width, int(np.ceil(x + w))), min(height, int(np.ceil(y + h)))
    if x0 >= x1 or y0 >= y1:
        raise FaceError(
            f"The {words} lies outside {photo.name}, {width} x {height} pixels: give "
            "x,y,w,h inside it."
        )
    if flipped:
        x, x0, x1 = width - x - w, width - x1, width - x0
    inside = np.ascontiguousarray(photo.pixels[y0:y1, x0:x1])
    regions = [
        found.region._replace(x=found.region.x + x0, y=found.region.y + y0)
        for found in landmarker.detect(inside)
    ]
    side = landmarker.ROOM * max(w, h)
    for angle in (0, np.pi / 2, np.pi, -np.pi / 2):
        regions.append(landmarker.Region(x + w / 2, y + h / 2, side, angle))
    found = [face for r in regions if (face := _face(photo, r))]
    centred = lambda f: x0 <= (f.box[0] + f.box[2]) / 2 <= x1
    centred_too = lambda f: y0 <= (f.box[1] + f.box[3]) / 2 <= y1
    found = [face for face in found if centred(face) and centred_too(face)]
    if not found:
        raise FaceError(
            f"{photo.name}: what is inside the {words} does not look like a face: "
            "draw the box from brow to chin and ear to ear."
        )
    return max(found, key=lambda face: face.score)


def _trouble(photo, face):
    """Why a face cannot be edited, or None."""
    height, width = photo.pixels.shape[:2]
    across = face.box[2] - face.box[0]
    at = f"the face at ({sum(face.box[::2]) / 2:.0f}, {sum(face.box[1::2]) / 2:.0f})"
    if across < SMALLEST:
        return f"{at} is too small, {across:.0f} pixels across where {SMALLEST} will do"
    outside = (face.landmarks < 0) | (face.landmarks > [width, height])
    if outside.any(1).mean() > MOST_OUTSIDE:
        return f"{at} is cut off, {outside.any(1).mean():.0%} of it is not in the photo"
    for angle, value in zip(MOST_TURNED, face.pose[:2], strict=True):
        if abs(value) > MOST_TURNED[angle]:
            return (
                f"{at} is turned away, {angle} {value:+.0f} degrees where "
                f"{MOST_TURNED[angle]:.0f} will do"
            )
    return None


@functools.cache
def _solid():
    """Points that an expression hardly moves and a turned head does not hide."""
    head = load_head()
    return np.asarray(head.face.mean)[head.dense_landmarks].astype(np.float64)
