"""A square patch cut out of a picture, and a change to it put back.

A *frame* [2 3] takes picture pixels to patch pixels: turned, scaled and shifted, never
mirrored. Pixel i covers i..i+1, so its centre is at i + 0.5.
"""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image
from scipy import ndimage, sparse

FEATHER = 1 / 12  # of the patch: where a change fades out towards its border

PAINTED = 16, 48  # levels of 255 that are painted: detail begins to go, and is gone
STRETCHED = 1.5, 3.3  # times that the photo is drawn out: the same,
THINNED = 0.6  # but so much: all of it would take edges of glasses along

Frame = Float[np.ndarray, "2 3"]


def fit(seen: Float[np.ndarray, "n 2"], goal: Float[np.ndarray, "n 2"]) -> Frame:
    """The least-squares similarity that takes `seen` to `goal` (dossier 1.8)."""
    p, q = (np.asarray(x, np.float64) - np.mean(x, 0) for x in (seen, goal))
    power = np.square(p).sum()
    cosine = (p * q).sum() / power
    sine = (p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum() / power
    turn = np.array([[cosine, -sine], [sine, cosine]])
    return np.column_stack([turn, np.mean(goal, 0) - turn @ np.mean(seen, 0)])


def inverse(frame: Frame) -> Frame:
    """From patch pixels to picture pixels."""
    back = np.linalg.inv(frame[:, :2])
    return np.column_stack([back, -back @ frame[:, 2]])


def move(frame: Frame, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    return points @ frame[:, :2].T + frame[:, 2]


def magnification(frame: Frame) -> float:
    """Patch pixels to a picture pixel."""
    return float(np.hypot(frame[0, 0], frame[1, 0]))


def cut(
    pixels: UInt8[np.ndarray, "h w 3"], frame: Frame, size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """Antialiased where it shrinks; what lies outside repeats the picture's border."""
    # Shrinking is averaging: over whole blocks first, then over 2 x 2 samples.
    block = max(1, int(0.5 / magnification(frame)))
    corners = move(inverse(frame), size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    margin = 2 * block + 2
    low = np.floor(corners.min(0)).astype(int) - margin
    high = np.ceil(corners.max(0)).astype(int) + margin
    h, w = pixels.shape[:2]
    x, y = (np.arange(low[i], high[i]).clip(0, (w, h)[i] - 1) for i in range(2))
    inside = pixels[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
    before = [(int((i == i[0]).sum() - 1), int((i == i[-1]).sum() - 1)) for i in (y, x)]
    if any(sum(pair) for pair in before):
        inside = inside[np.ix_(y - y[0], x - x[0])]
    region = Image.fromarray(np.ascontiguousarray(inside))
    to_region = inverse(frame)
    to_region[:, 2] -= low
    if block > 1:
        region, to_region = region.reduce(block), to_region / block
    to_region[:, :2] /= 2
    fine = region.transform(
        (2 * size, 2 * size),
        Image.Transform.AFFINE,
        tuple(to_region.ravel()),
        Image.Resampling.BICUBIC,
    )
    return np.asarray(fine.reduce(2))


@dataclasses.dataclass(frozen=True, eq=False)
class Paster:
    """What of putting a change back depends on the frame alone.

    The change is interpolated cubically to every `step`-th pixel of the rectangle
    (x0, y0, x1, y1), at least twice to a pixel of the patch, and linearly from there.
    """

    rectangle: tuple[int, int, int, int]
    step: int
    taps: sparse.csr_array  # [rows * columns of the grid, size * size]
    window: Float[np.ndarray, "size size 1"]
    turn: Float[np.ndarray, "2 2"]  # a step in the patch to one in the picture
    blur: float  # where a change is shrunk: standard deviation in patch pixels

    def __call__(
        self,
        pixels: UInt8[np.ndarray, "h w 3"],
        change: Float[np.ndarray, "size size 3"],
        mask: Float[np.ndarray, "size size 1"],
        before: Float[np.ndarray, "size size 3"],
        flow: Float[np.ndarray, "size size 2"],
        flipped: bool = False,
        grain: Float[np.ndarray, "n n 3"] | None = None,
    ) -> tuple[UInt8[np.ndarray, "h w 3"], UInt8[np.ndarray, "h w"]]:
        """`change` in levels of 255 under `mask` (0..1); and the mask in the picture.

        What the picture has beyond `before`, the patch as it was, is finer than a patch
        can show. It moves: at every pixel it is that of `flow` (x, y) away, in sides of
        the patch. And it stays where little is painted, and goes where much is. Where
        the mask is zero, and where nothing near changes, no byte differs. `flipped`:
        the patch was cut out of the picture's mirror image. With `grain`, in levels,
        detail goes where it is stretched, too, and tiles of that lie in its place.
        """
        result = pixels.copy(), np.zeros(pixels.shape[:2], np.uint8)
        pixels, native = (x[:, ::-1] for x in result) if flipped else result
        x0, y0, x1, y1 = self.rectangle
        left, top, whole = x0, y0, pixels[y0:y1, x0:x1]
        k, columns = self.step, -(-(x1 - x0 - 1) // self.step) + 1
        painted, moved = on_moved(before, change, flow)
        over = painted_over(painted)
        if grain is not None:
            over = np.maximum(over, THINNED * stretched(flow))
        size = len(mask)
        share = 255 * mask * self.window
        layers = [painted + over * moved, over, share, size * flow @ self.turn.T]
        layers = np.concatenate(layers, 2, dtype=np.float32)
        if self.blur:
            layers = ndimage.gaussian_filter(layers, (self.blur, self.blur, 0))
        grid = (self.taps @ layers.reshape(-1, 7)).T.reshape(7, -1, columns)
        seen = grid[4] > 0.5  # in levels of 255: anything less is rounded to nothing
        if not seen.any():
            return result
        y, x = (_span(seen.any(axis)) for axis in (1, 0))
        grid, (x0, y0) = grid[:, y, x], (x0 + k * x.start, y0 + k * y.start)
        moves = grid[5:].any()
        if moves:  # a copy, since pixels change; channel after channel, to look quickly
            whole = whole.transpose(2, 0, 1).copy().transpose(1, 2, 0)
        wide = _stretch(grid, k)[:, :, : x1 - x0]
        x1, y1 = x0 + wide.shape[2], min(y1, y0 + k * (grid.shape[1] - 1) + 1)
        for phase in range(k):
            rows = slice(y0 + phase, y1, k)
            count = len(range(*rows.indices(y1)))
            upper, lower = wide[:, :count], wide[:, 1 : count + 1]
            layer = upper if phase == 0 else upper + (lower - upper) * (phase / k)
            share = np.rint(layer[4]).clip(0, 255)
            native[rows, x0:x1] = share
            share *= np.float32(1 / 255)
            there = pixels[rows, x0:x1]
            if moves:
                y, x = (np.float32(v) for v in np.ogrid[rows, x0:x1])
                there = look(whole, x - left + layer[5], y - top + layer[6])
            instead = None if grain is None else _tiled(grain, rows, x0, x1)
            for c in range(3):
                channel = pixels[rows, x0:x1, c]
                after = layer[c] + (1 - layer[3]) * there[..., c]
                if instead is not None:
                    after += layer[3] * instead[..., c]
                channel[...] = np.rint(channel + (after - channel) * share).clip(0, 255)
        return result


def look(
    picture: np.ndarray, x: Float[np.ndarray, "*n"], y: Float[np.ndarray, "*n"]
) -> Float[np.ndarray, "*n c"]:
    """Bilinear; what lies outside repeats the border. As in nets/warp.py."""
    h, w = picture.shape[:2]
    x, y = (np.asarray(v, np.float32).clip(0, n - 1) for v, n in ((x, w), (y, h)))
    # The last but one at most: its neighbour has all the weight, or there is but one.
    left, top = (np.minimum(v.astype(int), max(n - 2, 0)) for v, n in ((x, w), (y, h)))
    s, t, first = x - np.float32(left), y - np.float32(top), top * w + left
    right, below = int(w > 1), w * int(h > 1)
    seen = np.empty((picture.shape[2], *first.shape), np.float32)
    for channel, values in zip(seen, np.moveaxis(picture, 2, 0), strict=True):
        flat = values.ravel()
        at = lambda step, flat=flat: np.float32(flat.take(first + step))
        upper, lower = at(0), at(below)
        upper += s * (at(right) - upper)
        lower += s * (at(below + right) - lower)
        channel[...] = upper + t * (lower - upper)
    return np.moveaxis(seen, 0, -1)


def on_moved(
    before: Float[np.ndarray, "size size 3"],
    change: Float[np.ndarray, "size size 3"],
    flow: Float[np.ndarray, "size size 2"],
) -> tuple[Float[np.ndarray, "size size 3"], Float[np.ndarray, "size size 3"]]:
    """What is painted on the patch as the flow moves it, and that patch."""
    y, x = np.indices(flow.shape[:2])
    size = len(flow)
    moved = look(before, x + size * flow[..., 0], y + size * flow[..., 1])
    return before + change - moved, moved


def smoothstep(x: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """From 0 at 0 to 1 at 1, level at both ends and beyond."""
    x = np.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def ramp(
    x: float | Float[np.ndarray, "*n"], ends: Sequence[float] | Float[np.ndarray, "2"]
) -> Float[np.ndarray, "*n"]:
    """From 0 at the first end to 1 at the second, whichever is larger."""
    none, whole = ends
    return smoothstep((x - none) / (whole - none))


def painted_over(
    change: Float[np.ndarray, "size size 3"],
) -> Float[np.ndarray, "size size 1"]:
    """1 where so much is painted that the picture's own detail would shine through."""
    much = ramp(np.abs(change).max(2, keepdims=True), PAINTED)
    wide = ndimage.maximum_filter(much, (3, 3, 1))
    sigma = len(change) / 64
    return ndimage.gaussian_filter(wide, (sigma, sigma, 0))


def stretched(
    flow: Float[np.ndarray, "size size 2"],
) -> Float[np.ndarray, "size size 1"]:
    """1 where pores would be drawn out to streaks."""
    size = len(flow)
    (a, b), (c, d) = (np.gradient(size * flow[..., i], axis=(1, 0)) for i in range(2))
    a, d = a + 1, d + 1
    both, area = a * a + b * b + c * c + d * d, 2 * (a * d - b * c)
    # The lesser singular value of how places move; its inverse is the stretch.
    least = (
        np.sqrt(np.maximum(both + area, 0)) - np.sqrt(np.maximum(both - area, 0))
    ) / 2
    much = ramp(np.abs(least), 1 / np.array(STRETCHED))[..., None]
    sigma = size / 128
    return ndimage.gaussian_filter(
        ndimage.maximum_filter(much, (3, 3, 1)), (sigma, sigma, 0)
    )


def _tiled(grain, rows, x0, x1):
    y = np.arange(rows.start, rows.stop, rows.step) % len(grain)
    return grain[y[:, None], np.arange(x0, x1) % len(grain)]


def _span(seen):
    """From one before the first to one after the last."""
    where = np.flatnonzero(seen)
    return slice(max(0, int(where[0]) - 1), int(where[-1]) + 2)


def _stretch(grid, k):
    """Linear interpolation to k times as many columns."""
    if k == 1:
        return grid
    left, right = grid[:, :, :-1, None], grid[:, :, 1:, None]
    between = left + (right - left) * (np.arange(k, dtype=np.float32) / k)
    return np.concatenate([between.reshape(*grid.shape[:2], -1), grid[:, :, -1:]], 2)


def paster(height: int, width: int, frame: Frame, size: int) -> Paster:
    """For pictures of that height and width; the last few are remembered."""
    return _paster(height, width, np.asarray(frame, np.float64).tobytes(), size)


@functools.lru_cache(maxsize=32)  # of eight faces, their mouths and eyes
def _paster(height, width, frame, size):
    frame = np.frombuffer(frame).reshape(2, 3)
    corners = move(inverse(frame), size * np.array([[0, 0], [1, 0], [0, 1], [1, 1]]))
    x0, y0 = np.floor(corners.min(0)).astype(int).clip(0, (width - 1, height - 1))
    x1, y1 = np.ceil(corners.max(0)).astype(int).clip((x0 + 1, y0 + 1), (width, height))
    scale = magnification(frame)
    step = max(1, int(0.5 / scale))
    x = x0 + 0.5 + step * np.arange(-(-(x1 - x0 - 1) // step) + 1)
    y = y0 + 0.5 + step * np.arange(-(-(y1 - y0 - 1) // step) + 1)
    places = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    edge = (np.arange(size) + 0.5) / (FEATHER * size)
    fade = smoothstep(np.minimum(edge, edge[::-1]))
    return Paster(
        rectangle=(int(x0), int(y0), int(x1), int(y1)),
        step=step,
        taps=_taps(move(frame, places) - 0.5, size),
        window=(fade[:, None] * fade)[..., None].astype(np.float32),
        turn=inverse(frame)[:, :2],
        blur=0.5 * np.sqrt(scale**2 - 1) if scale > 1 else 0.0,
    )


def _taps(places, size):
    """Cubic interpolation (Catmull-Rom) at places in a patch, zero around it."""
    near = np.flatnonzero(((places > -2) & (places < size + 1)).all(1))
    first = np.floor(places[near]).astype(int) - 1
    t = (places[near] - first - 1)[..., None]
    distance = np.abs(t - np.arange(-1, 3))
    weight = np.where(
        distance < 1,
        1.5 * distance**3 - 2.5 * distance**2 + 1,
        -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2,
    )
    index = first[..., None] + np.arange(4)
    weight = np.where((index >= 0) & (index < size), weight, 0)
    index = index.clip(0, size - 1)
    column = index[:, 1, :, None] * size + index[:, 0, None, :]
    weight = weight[:, 1, :, None] * weight[:, 0, None, :]
    begin = np.zeros(len(places) + 1, np.int64)
    begin[near + 1] = 16
    return sparse.csr_array(
        (
            weight.ravel().astype(np.float32),
            column.ravel().astype(np.int32),
            begin.cumsum().astype(np.int32),
        ),
        shape=(len(places), size * size),
    )
