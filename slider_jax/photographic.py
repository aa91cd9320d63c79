"""What photographs have and renders lack: drawn at random, laid over pictures.

A `Shot` is all of it for one example. The pictures of a pair share their shot, noise
included: what differs between them is the expression alone, or a generator would learn
that an edit repaints what it cannot predict.
"""

import dataclasses
import functools
import io

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from scipy import ndimage

# At most, at strength 1; less in proportion, and next to nothing at strength 0.
SHIFT = 0.035  # of the picture, along each axis
SCALE = 0.08
TURN = 0.12  # radians; with all three, no point of the face moves by more than .12
FOCUS = -0.6, 0.15  # a neighbour's weight: cameras sharpen, renderers do not
SHRINKING = 0.7  # of the side, before noise and compression
NOISE = 18  # of 255: standard deviation
QUALITY = 95, 25  # JPEG
# How often, at strength 1.
SURROUNDED = 0.9  # collars, hats, hands, rooms: around the face
COVERED = 0.4  # and over a part of it
SPECTACLED = 0.5
MIRRORING = 0.6  # of glasses
GREY = 0.08
COARSE = 0.5  # colour at half of the resolution
FACE = 0.5, 0.56, 0.36, 0.42  # an ellipse in aligned pictures: x, y, half axes
EYES = (0.36, 0.4), (0.64, 0.4)


@dataclasses.dataclass(frozen=True)
class Shot:
    """Lies over pictures of one size, one like the other."""

    jitter: Float[np.ndarray, "2 3"]  # from pixels of the new picture to the old one's
    focus: ImageFilter.Filter
    gain: Float[np.ndarray, "size size 3"]
    cover: Float[np.ndarray, "#size #size 3"]  # in levels of 255, added
    curve: UInt8[np.ndarray, "256"]  # what becomes of each level
    colours: tuple[float, ...]  # 3 x 4, row by row
    noise: Float[np.ndarray, "small small 3"]
    quality: int
    subsampling: int

    def __call__(
        self, picture: UInt8[np.ndarray, "size size 3"]
    ) -> UInt8[np.ndarray, "size size 3"]:
        seen = _move(picture, self.jitter).filter(self.focus)
        lit = _bytes(np.asarray(seen) * self.gain + self.cover)
        developed = Image.fromarray(self.curve[lit]).convert("RGB", self.colours)
        small = developed.resize(self.noise.shape[:2], Image.Resampling.BICUBIC)
        noisy = Image.fromarray(_bytes(np.asarray(small) + self.noise))
        file = io.BytesIO()
        noisy.save(file, "JPEG", quality=self.quality, subsampling=self.subsampling)
        large = Image.open(file).resize(seen.size, Image.Resampling.BICUBIC)
        return np.asarray(large)


def draw_shot(rng: np.random.Generator, size: int, strength: float) -> Shot:
    """A shot at pictures of `size` pixels; `strength` is in [0, 1]."""
    between = lambda low, high: strength * rng.uniform(low, high)
    jitter = _jitter(*(between(-1, 1) for _ in range(4)), size)
    # Renders are flatter, duller and softer than photographs: ranges lean that way.
    focus = _focus(between(*FOCUS))
    warm, tint = between(-0.15, 0.25), between(-0.08, 0.08)
    balance = between(-0.2, 0.3) + np.array([warm, tint, -warm])
    patches = rng.normal(0, 0.25, (4, 4, 1)) + rng.normal(0, 0.06, (4, 4, 3))
    gain = _smooth(np.exp(balance + strength * patches), size)
    cover = np.zeros((1, 1, 3), np.float32)
    share, mirrored = _cover(rng, size, strength)
    if share is not None:
        tone = 255 * rng.uniform(0.02, 1) * np.exp(rng.normal([0.1, 0, -0.1], 0.15))
        things = tone * np.exp(rng.normal(0, 0.3, (8, 8, 1)))
        cover = gain * share * _smooth(things.clip(0, 255), size)
        gain = gain * (1 - share)
    if mirrored is not None:
        cover = cover + 255 * mirrored
    side = max(8, round(size * (1 - SHRINKING * max(0, between(-2, 1)))))
    grain = _grain(rng, side, 4 * size)
    grain = grain * np.float32(NOISE * between(0, 1) * rng.random())
    curve = _curve(np.exp(between(-0.3, 0.3)), np.exp(between(-0.2, 0.7)))
    grey = rng.random() < GREY * strength
    colours = _colours(0.0 if grey else np.exp(between(-0.4, 0.4)))
    best, worst = QUALITY
    quality = round(best + (worst - best) * between(0, 1))
    subsampling = 2 * int(rng.random() < COARSE * strength)
    return Shot(jitter, focus, gain, cover, curve, colours, grain, quality, subsampling)


def _jitter(x, y, scale, turn, size):
    """Shift, scale and turn in [-1, 1], about the middle of the picture."""
    grow = np.exp(scale * np.log1p(SCALE))
    cosine, sine = grow * np.cos(turn * TURN), grow * np.sin(turn * TURN)
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    middle = np.full(2, size / 2)
    return np.column_stack(
        [matrix, middle + size * SHIFT * np.array([x, y]) - matrix @ middle]
    )


def _move(picture, jitter):
    """What comes in from outside is the mirror image of what is at the border."""
    size = len(picture)
    corners = size * np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    corners = jitter[:, :2] @ corners + jitter[:, 2:]
    margin = 3 + int(max(0, -corners.min(), corners.max() - size))
    place = np.arange(-margin, size + margin)
    around = np.minimum(np.maximum(place, -1 - place), 2 * size - 1 - place)
    wide = Image.fromarray(picture[around].take(around, axis=1))
    inside = jitter + [[0, 0, margin], [0, 0, margin]]
    return wide.transform(
        (size, size),
        Image.Transform.AFFINE,
        tuple(inside.ravel()),
        Image.Resampling.BICUBIC,
    )


def _focus(weight):
    """Sharpens where the neighbours' weight is negative."""
    taps = np.array([weight, 1 - 2 * weight, weight])
    return ImageFilter.Kernel((3, 3), [*np.outer(taps, taps).ravel()], scale=1)


def _bytes(levels):
    return (levels.clip(0, 255) + 0.5).astype(np.uint8)


@functools.cache
def _stretch(cells, size):
    """[size cells], cubic."""
    one = Image.fromarray(np.eye(cells, dtype=np.float32))
    return np.asarray(one.resize((cells, size), Image.Resampling.BICUBIC))


def _smooth(cells, size):
    """[n n c], blown up to [size size c]."""
    n, _, c = cells.shape
    up = _stretch(n, size)
    rows = (up @ np.float32(cells).reshape(n, n * c)).reshape(size, n, c)
    return np.matmul(up, rows)


def _cover(rng, size, strength):
    """[size size 1]: 1 where something lies before, or beside, the face; or None.

    And light that lenses mirror, likewise.
    """
    whole, size = (size, size), size // 2  # edges are soft: half of it is enough
    mask = Image.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    if rng.random() < SURROUNDED * strength:
        for _ in range(rng.integers(1, 5)):
            _thing(pen, rng, size * rng.uniform(-0.1, 1.1, 2), 0.5 * size)
        x, y, wide, high = size * np.array(FACE)
        room = rng.uniform(0.95, 1.25)
        wide, high = room * wide, room * high
        pen.ellipse((x - wide, y - high, x + wide, y + high), fill=0)
    if rng.random() < COVERED * strength:
        angle = rng.uniform(0, 2 * np.pi)
        edge = size * (0.5 + 0.36 * np.array([np.cos(angle), np.sin(angle)]))
        _thing(pen, rng, edge, 0.14 * size)
    soft = mask.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 2)))
    large = soft.resize(whole, Image.Resampling.BICUBIC)
    mirrored = Image.new("L", whole)
    if rng.random() < SPECTACLED * strength:
        frames, mirrored = glasses(rng, whole[0])
        large = ImageChops.lighter(large, frames)
    return _share(large), _share(mirrored)


def _share(mask):
    if mask.getbbox() is None:
        return None
    return np.asarray(mask, np.float32)[..., None] / 255


def glasses(rng: np.random.Generator, size: int) -> tuple[Image.Image, Image.Image]:
    """Masks of frames, and of light in the lenses.

    Both stay while lids close and brows rise behind them.
    """
    fine = 4 * size  # frames are finer than pixels
    mask, inside, light = (Image.new("L", (fine, fine)) for _ in range(3))
    pen = ImageDraw.Draw(mask)
    wide, thick = fine * rng.uniform(0.08, 0.14), int(fine * rng.uniform(0.005, 0.03))
    high = wide * rng.uniform(0.55, 1)
    # Eyes look through the upper half, close under the bar; cheeks are free.
    low = rng.uniform(-0.1, 0.7) * min(high, 0.17 * fine - high)
    bridge = low - rng.uniform(0, 0.8) * high
    shade, round_ = int(rng.uniform(0, 60)), rng.random() < 0.5
    corners = functools.partial(pen.rounded_rectangle, radius=0.4 * high)
    lens = pen.ellipse if round_ else corners
    brow = thick + int(fine * max(0, rng.uniform(-0.04, 0.04)))
    spot = rng.uniform(-0.8, 0.8, 2) + rng.uniform(-0.5, 0.5, (4, 2))
    bright = int(rng.uniform(40, 220)) * (rng.random() < MIRRORING)
    for (x, y), ear in zip(fine * np.array(EYES), (0.15, 0.85), strict=True):
        ends = fine * ear, y + bridge, fine / 2, y + bridge
        pen.line(ends, 255, thick)  # temple and bridge
        y += low
        box = (x - wide, y - high, x + wide, y + high)
        lens(box, fill=shade, outline=255, width=thick)
        if round_:
            pen.arc(box, 190, 350, 255, brow)
        else:
            pen.line((x - wide, y - high, x + wide, y - high), 255, brow)
        ImageDraw.Draw(inside).ellipse(box, fill=255)
        mirrored = np.array([x, y]) + [wide, high] * spot
        ImageDraw.Draw(light).polygon([*mirrored.ravel()], fill=bright)
    shift, angle = tuple(fine * rng.normal(0, 0.015, 2)), rng.normal(0, 3)
    frames, light = (
        layer.rotate(angle, translate=shift).resize((size, size), Image.Resampling.BOX)
        for layer in (mask, ImageChops.multiply(light, inside))
    )
    return frames, light.filter(ImageFilter.GaussianBlur(size * 0.01 * rng.random()))


def _thing(pen, rng, place, reach):
    """A stroke, a blob or something with corners."""
    kind = rng.integers(3)
    if kind == 0:
        ends = place + reach * rng.uniform(-1.5, 1.5, (3, 2))
        pen.line([*ends.ravel()], 255, int(1 + 0.3 * reach * rng.random()), "curve")
    elif kind == 1:
        away = reach * rng.uniform(0.3, 1, 2)
        pen.ellipse((*(place - away), *(place + away)), fill=255)
    else:
        corners = place + reach * rng.uniform(-1, 1, (4, 2))
        pen.polygon([*corners.ravel()], fill=255)


def _curve(gamma, contrast):
    """Contrast turns about the middle."""
    levels = (np.arange(256) / 255) ** gamma
    levels = (levels - 0.5) * contrast + 0.5
    return _bytes(255 * levels)


def _colours(saturation):
    """0 is black and white, 1 leaves colours alone."""
    grey = np.tile([0.299, 0.587, 0.114], (3, 1))
    matrix = saturation * np.eye(3) + (1 - saturation) * grey
    return tuple(np.column_stack([matrix, np.zeros(3)]).ravel())


@functools.cache
def _noise(whole, clumped):
    """[whole whole 3] of unit variance, grey and coloured: to cut pieces out of."""
    rng = np.random.default_rng(0)
    grain = rng.standard_normal((whole, whole, 3), np.float32)
    grain = 0.8 * grain[..., :1] + 0.6 * grain
    if clumped:
        grain = ndimage.gaussian_filter(grain, (0.8, 0.8, 0))
    return grain / grain.std()


def _grain(rng, side, whole):
    y, x = rng.integers(whole - side, size=2)
    return _noise(whole, bool(rng.integers(2)))[y : y + side, x : x + side]
