"""Where faces are, and 478 points on each: two nets of Google's MediaPipe (Apache-2.0).

The detector looks at 128 pixels and knows faces that fill a seventh of them or more, so
a picture is shown to it whole, then in overlapping tiles at twice the size, and so on.
"""

import functools
import itertools
import pathlib
import threading
from typing import NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from jaxtyping import Float, UInt8
from PIL import Image

from slider_jax import patch

ASSETS = pathlib.Path(__file__).parent / "assets"
DETECTOR, LANDMARKS = "face_detector.tflite", "face_landmarks.tflite"
POINTS = 478  # 468 of the mesh, then 5 on each iris
LIKELY = 0.5  # the detector's score from which a place is worth a look
SAME = 0.3  # of two boxes' union in both: then they are one face
MOST_TILES, MOST_PLACES = 1000, 100  # about a second each
# The landmark net's belief (a logit) in what it sees: faces reach 8 and more at a
# second look, noise stays under 6; below the hope another look is not worth while.
BELIEF, HOPE = 7.0, -2.0
MOST_LOOKS, UPRIGHT = 6, 0.15  # after the first one; radians
_TILE, _STRIDE = 128, 64
_MESH = 256
ROOM = 1.5  # the landmark net wants to see that much more than the face
_EYE_CORNERS = [33, 263]

Points = Float[np.ndarray, "478 2"]


class Region(NamedTuple):
    """A square about a face, turned with it: pixels, and radians clockwise."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def frame(self, size: int) -> patch.Frame:
        """From picture pixels to pixels of the square, drawn `size` wide."""
        scale = size / self.side
        c, s = scale * np.cos(self.angle), scale * np.sin(self.angle)
        turn = np.array([[c, s], [-s, c]])
        return np.column_stack([turn, size / 2 - turn @ (self.x, self.y)])


class Candidate(NamedTuple):
    score: float
    box: Float[np.ndarray, "4"]  # x0, y0, x1, y1
    region: Region


def detect(pixels: UInt8[np.ndarray, "h w 3"]) -> list[Candidate]:
    """Places that look like upright faces, best first, each once."""
    score, box, eyes = (np.concatenate(x) for x in zip(*_looks(pixels), strict=True))
    found = []
    for kept in itertools.islice(_strongest(score, box), MOST_PLACES):
        weight = score[kept] / score[kept].sum()
        mean, (right, left) = weight @ box[kept], np.tensordot(weight, eyes[kept], 1)
        side = ROOM * max(mean[2:] - mean[:2])
        angle = np.arctan2(*(left - right)[::-1])
        centre = (mean[:2] + mean[2:]) / 2
        found.append(
            Candidate(float(score[kept].max()), mean, Region(*centre, side, angle))
        )
    return found


def locate(
    pixels: UInt8[np.ndarray, "h w 3"], region: Region
) -> tuple[Float[np.ndarray, "478 3"], float]:
    """Points in picture pixels (z likewise, less is nearer) and whether a face is there
    (0..1, half at BELIEF). Each look corrects the region for the next: two do, or more
    where the second still shows the face turned."""
    points, belief = _look_closely(pixels, region)
    for _ in range(MOST_LOOKS):
        if belief < HOPE:
            break
        region = around(points)
        points, belief = _look_closely(pixels, region)
        turned = around(points).angle - region.angle
        if np.cos(turned) > np.cos(UPRIGHT):
            break
    return points, float(_sigmoid(belief - BELIEF))


def around(points: Float[np.ndarray, "478 3"]) -> Region:
    """The region that the landmark net would like to see."""
    right, left = points[_EYE_CORNERS, :2]
    angle = np.arctan2(*(left - right)[::-1])
    c, s = np.cos(angle), np.sin(angle)
    upright = points[:468, :2] @ np.array([[c, -s], [s, c]])
    low, high = upright.min(0), upright.max(0)
    centre = np.array([[c, -s], [s, c]]) @ ((low + high) / 2)
    return Region(*centre, ROOM * max(high - low), angle)


def mesh(
    image: UInt8[np.ndarray, "256 256 3"],
) -> tuple[Float[np.ndarray, "478 3"], float]:
    """Points in pixels of a picture that a face fills, and a logit: is it one?"""
    points, belief, _ = _run(LANDMARKS, image.astype(np.float32) / 255)
    return points.reshape(POINTS, 3), belief.item()


def on_crop(crop: UInt8[np.ndarray, "size size 3"]) -> Points | None:
    """Points in sides of a crop that a face fills; None where no face is seen."""
    image = Image.fromarray(crop).resize((_MESH, _MESH), Image.Resampling.BICUBIC)
    points, belief = mesh(np.asarray(image))
    return points[:, :2].astype(np.float64) / _MESH if belief > HOPE else None


def _look_closely(pixels, region):
    frame = region.frame(_MESH)
    points, belief = mesh(patch.cut(pixels, frame, _MESH))
    flat = patch.move(patch.inverse(frame), points[:, :2].astype(np.float64))
    depth = points[:, 2:] / patch.magnification(frame)
    return np.concatenate([flat, depth], 1).astype(np.float32), belief


def _looks(pixels):
    """Scores, boxes and eyes [n 2 2] by scale, in picture pixels."""
    h, w = pixels.shape[:2]
    image, longest = Image.fromarray(pixels), max(h, w)
    fine = _TILE
    while True:
        scale = fine / longest
        size = [max(1, round(x * scale)) for x in (w, h)]
        small = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
        yield _look(np.asarray(small), scale)
        fine *= 2
        tiles = np.prod([1 + x * fine / longest // _STRIDE for x in (w, h)])
        if fine > longest or tiles > MOST_TILES:
            return


def _look(small, scale):
    h, w = small.shape[:2]
    starts = [range(0, max(1, x - _TILE + _STRIDE), _STRIDE) for x in (h, w)]
    found = [(np.zeros(0), np.zeros((0, 4)), np.zeros((0, 2, 2)))]
    for y in starts[0]:
        for x in starts[1]:
            tile = np.zeros((_TILE, _TILE, 3), np.uint8)
            part = small[y : y + _TILE, x : x + _TILE]
            # A whole picture stands in the middle of its tile, as the net learnt it.
            top = (_TILE - h) // 2 if h < _TILE else 0
            left = (_TILE - w) // 2 if w < _TILE else 0
            tile[top : top + part.shape[0], left : left + part.shape[1]] = part
            score, box, eyes = _ask(tile)
            shift = np.array([x - left, y - top])
            box, eyes = box + [*shift, *shift], eyes + shift
            found.append((score, box / scale, eyes / scale))
    return tuple(np.concatenate(column) for column in zip(*found, strict=True))


def _ask(tile):
    """What the detector sees in one tile, in its pixels."""
    place, score = _run(DETECTOR, tile / np.float32(127.5) - 1)
    score = _sigmoid(score[0, :, 0])
    likely = score > LIKELY
    place, anchor = place[0, likely], _anchors()[likely]
    centre, half = place[:, :2] + anchor, place[:, 2:4] / 2
    eyes = place[:, 4:8].reshape(-1, 2, 2) + anchor[:, None]
    return score[likely], np.concatenate([centre - half, centre + half], 1), eyes


def _strongest(score, box):
    """Groups of boxes on one face, by non-maximum suppression."""
    left = np.argsort(-score)
    while len(left):
        same = overlap(box[left[0]], box[left]) > SAME
        yield left[same]
        left = left[~same]


def overlap(
    box: Float[np.ndarray, "4"], boxes: Float[np.ndarray, "n 4"]
) -> Float[np.ndarray, "n"]:
    """Of two boxes' union, the part in both."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    both = np.prod((high - low).clip(0), axis=1)
    area = lambda b: np.prod(b[..., 2:] - b[..., :2], axis=-1)
    return both / (area(box) + area(boxes) - both)


@functools.cache
def _anchors():
    """Cell centres [896 2] of an 16 x 16 grid, twice, and an 8 x 8 one, six times."""
    grids = []
    for cells, times in ((16, 2), (8, 6)):
        centre = (np.arange(cells) + 0.5) * _TILE / cells
        grid = np.stack(np.meshgrid(centre, centre), -1).reshape(-1, 2)
        grids.append(np.repeat(grid, times, 0))
    return np.concatenate(grids)


_sigmoid = lambda x: 1 / (1 + np.exp(-np.clip(x, -80, 80)))
_one_at_a_time = threading.Lock()  # an interpreter holds its last answer


def _run(net, image):
    with _one_at_a_time:
        interpreter = _interpreter(net)
        interpreter.set_tensor(
            interpreter.get_input_details()[0]["index"], image[None].astype(np.float32)
        )
        interpreter.invoke()
        outputs = interpreter.get_output_details()
        return [interpreter.get_tensor(output["index"]) for output in outputs]


@functools.cache
def _interpreter(net):
    # One thread: the same picture gives the same numbers on any machine.
    interpreter = Interpreter(str(ASSETS / net), num_threads=1)
    interpreter.allocate_tensors()
    return interpreter
