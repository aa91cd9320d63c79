"""A smooth line through points, and what lies in it."""

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageDraw

SAMPLES = 4  # to a pixel, both ways
BETWEEN = 8  # corners from point to point


def cover(
    points: Float[np.ndarray, "n 2"], size: int
) -> Float[np.ndarray, "size size"]:
    """How much of each pixel lies inside a closed line (Catmull and Rom's)."""
    side = size * SAMPLES
    t = np.arange(BETWEEN)[:, None, None] / BETWEEN
    a, b, c, d = (np.roll(points, -i, 0)[None] for i in (-1, 0, 1, 2))
    bend = 2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)
    line = b + t / 2 * (c - a + t * bend)
    line = SAMPLES * line.transpose(1, 0, 2).reshape(-1, 2)
    fine = Image.new("L", (side, side))
    ImageDraw.Draw(fine).polygon([tuple(point) for point in line], fill=255)
    return np.asarray(fine.reduce(SAMPLES), np.float32) / 255
