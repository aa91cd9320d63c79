"""The one texture of a person: where each part of the head finds its colours.

The atlas is as wide as the skin's square block and half as high again: the strip
below holds hair, an eye, lashes, teeth, tongue and the inside of the mouth.
Coordinates (u, v) run from 0 to 1 over the whole atlas, right and down.
"""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

PARTS = ("skin", "mouth", "teeth", "tongue", "eye", "lash", "long hair", "hair")
HEIGHT = 1.5  # of the atlas, in widths

BLOCKS = {  # left, top, width, height, in widths
    "skin": (0.0, 0.0, 1.0, 1.0),
    "hair": (0.0, 1.0, 0.5, 0.5),
    "eye": (0.5, 1.0, 0.25, 0.25),
    "lash": (0.75, 1.0, 0.25, 0.125),
    "teeth": (0.75, 1.125, 0.125, 0.125),
    "tongue": (0.875, 1.125, 0.125, 0.125),
    "mouth": (0.5, 1.25, 0.125, 0.125),
}
CENTRE = (0.0, -25.0, 0.0)  # millimetres: the skin is unrolled as seen from here
MARGIN = 0.04  # of a block, so that bilinear taps stay inside


def in_block(name: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Coordinates in [0, 1] of a block, right and down, as atlas coordinates."""
    left, top, width, height = BLOCKS[name]
    inner = lambda t: MARGIN + (1 - 2 * MARGIN) * t
    return np.stack([left + width * inner(x), (top + height * inner(y)) / HEIGHT], -1)


def skin_block(uv: np.ndarray) -> np.ndarray:
    """Atlas coordinates as coordinates of the skin block."""
    return uv * [1.0, HEIGHT]


def block_slices(name: str, width: int) -> tuple[slice, slice]:
    """Rows and columns of a block in an atlas `width` texels wide."""
    left, top, across, down = (round(width * x) for x in BLOCKS[name])
    return slice(top, top + down), slice(left, left + across)


def corner_uv(
    triangles: np.ndarray, part: np.ndarray, mean: np.ndarray, source_uv: np.ndarray
) -> np.ndarray:
    """Atlas coordinates [f 3 2] of a head at rest; `source_uv` places hair and lashes.

    Skin is unrolled by Lambert's equal-area azimuthal map with the nose in the middle:
    no seam but a point at the back of the head, and most texels where faces differ.
    """
    corners = mean[triangles]
    uv = np.zeros((*triangles.shape, 2))
    of = lambda name: part == PARTS.index(name)

    direction = corners[of("skin")] - CENTRE
    direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
    radius = np.sqrt((1 - direction[..., 2]) / 2)
    across = direction[..., :2] / np.linalg.norm(direction[..., :2], axis=-1)[..., None]
    flat = 0.5 + 0.49 * radius[..., None] * across * [1, -1]
    uv[of("skin")] = flat / [1.0, HEIGHT]

    for side in (-1, 1):
        eye = of("eye") & (np.sign(corners[..., 0].mean(1)) == side)
        ball = corners[eye].reshape(-1, 3)
        centre = (ball.min(0) + ball.max(0)) / 2
        offset = (corners[eye] - centre) / (np.ptp(ball, axis=0).max() / 2)
        front = 0.5 + 0.5 * offset[..., :2] * [1, -1]
        uv[eye] = in_block("eye", *np.moveaxis(front, -1, 0))
        for upper in (False, True):
            lash = of("lash") & (np.sign(corners[..., 0].mean(1)) == side)
            lash &= (corners[..., 1].mean(1) > centre[1] + 1.0) == upper
            across, _ = _stretch(source_uv[lash])
            ahead = corners[lash][..., 2]  # tips are further out than roots
            ahead = (ahead - ahead.min()) / np.ptp(ahead)
            uv[lash] = in_block("lash", across, ahead)

    uv[of("long hair")] = in_block("hair", *_stretch(source_uv[of("long hair")]))
    teeth = corners[of("teeth")]
    span = np.abs(teeth[..., 0]).max()
    rows = teeth[..., 1] - teeth[..., 1].min()
    uv[of("teeth")] = in_block(
        "teeth", 0.5 + 0.5 * teeth[..., 0] / span, 1 - rows / rows.max()
    )
    for name in ("tongue", "mouth"):
        uv[of(name)] = in_block(name, np.array(0.5), np.array(0.5))
    return uv.astype(np.float32)


def _stretch(uv):
    """One patch of the source's coordinates over a whole block, v down."""
    low, high = uv.reshape(-1, 2).min(0), uv.reshape(-1, 2).max(0)
    across, up = np.moveaxis((uv - low) / np.maximum(high - low, 1e-9), -1, 0)
    return across, 1 - up


def sample(
    atlas: Shaped[Array, "h w c"], uv: Float[Array, "... 2"]
) -> Float[Array, "... c"]:
    """Bilinear lookup in [0, 1] of an atlas in bytes or floats, edges repeated."""
    h, w, c = atlas.shape
    rows = atlas.reshape(h * w, c)
    x = jnp.clip(uv[..., 0] * w - 0.5, 0.0, w - 1.001)
    y = jnp.clip(uv[..., 1] * h - 0.5, 0.0, h - 1.001)
    left, top = jnp.floor(x), jnp.floor(y)
    fx, fy = (x - left)[..., None], (y - top)[..., None]
    first = (top * w + left).astype(jnp.int32)
    tap = lambda offset: rows[first + offset].astype(jnp.float32)
    upper = tap(0) * (1 - fx) + tap(1) * fx
    lower = tap(w) * (1 - fx) + tap(w + 1) * fx
    mixed = upper * (1 - fy) + lower * fy
    return mixed / 255.0 if atlas.dtype == jnp.uint8 else mixed


def nearest_alpha(
    atlas: Shaped[Array, "h w c"], u: Float[Array, "..."], v: Float[Array, "..."]
) -> Float[Array, "..."]:
    """The last channel at the nearest texel, for alpha tests."""
    h, w, c = atlas.shape
    column = jnp.clip(u * w, 0, w - 1).astype(jnp.int32)
    row = jnp.clip(v * h, 0, h - 1).astype(jnp.int32)
    alpha = atlas.reshape(h * w, c)[:, -1][row * w + column].astype(jnp.float32)
    return alpha / 255.0 if atlas.dtype == jnp.uint8 else alpha
