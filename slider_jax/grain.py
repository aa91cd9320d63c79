"""Skin that is painted is smooth; the photo's has pores, and noise. So noise like it.

Of the quietest piece of a cheek, what is finer than the network paints is kept, with
its strength and colour at every wavelength, but with its phases drawn by lot: so no
mole or wrinkle is left of it (random phase noise: Galerne, Gousseau and Morel, 2011).
"""

import numpy as np
from jaxtyping import Float, UInt8
from scipy import ndimage

from slider_jax import patch
from slider_jax.landmarker import Points
from slider_jax.patch import Frame

# Of the landmark net's points, on the right cheek and the left.
CHEEKS = ((50, 205, 187), (280, 425, 411))
NOSE = 4
NEAR = 0.6  # of how far from the nose the other cheek seems: less is turned away
RADIUS = 0.05  # of a piece, in sides of the aligned crop
FINER = 0.7  # than this many pixels of the crop
COARSE = 0.8  # pixels of the crop to one of the picture: with more, nothing is finer
MOST = 128  # pixels across the piece
AT_LEAST = 8


def grain_of(
    pixels: UInt8[np.ndarray, "h w 3"],
    frame: Frame,
    size: int,
    points: Points,
) -> Float[np.ndarray, "n n 3"] | None:
    """A tile to repeat, in levels of 255; None of faces too small to have any.

    `points` are in sides of the crop, `size` pixels wide, to which the frame takes.
    """
    scale = patch.magnification(frame)
    side = min(MOST, int(2 * RADIUS * size / scale))
    if scale > COARSE or side < AT_LEAST:
        return None
    cheeks = [points[list(cheek)] for cheek in CHEEKS]
    away = [np.abs(cheek[:, 0] - points[NOSE, 0]).mean() for cheek in cheeks]
    seen = [c for c, far in zip(cheeks, away, strict=True) if far > NEAR * max(away)]
    places = patch.move(patch.inverse(frame), size * np.concatenate(seen))
    pieces = [_piece(pixels, place, side, FINER / scale) for place in places]
    pieces = [piece for piece in pieces if piece is not None]
    return _scattered(min(pieces, key=np.std)) if pieces else None


def _piece(pixels, place, side, blur):
    """What is finer than the blur, in a square; None where that is cut off."""
    x, y = np.rint(place - side / 2).astype(int)
    height, width = pixels.shape[:2]
    if min(x, y) < 0 or x + side > width or y + side > height:
        return None
    piece = pixels[y : y + side, x : x + side].astype(np.float32)
    return piece - ndimage.gaussian_filter(piece, (blur, blur, 0))


def _scattered(piece):
    """Noise of the piece's spectrum, that of one channel beside that of the others."""
    n = 2 * len(piece)
    fade = np.hanning(len(piece))
    fade /= np.sqrt(np.square(fade).mean())
    fade = (fade[:, None] * fade)[..., None]
    spectrum = np.fft.fft2((piece - piece.mean((0, 1))) * fade, (n, n), (0, 1))
    # The same for all channels; of real noise, so that what comes back is real.
    phases = np.fft.fft2(np.random.default_rng(0).normal(size=(n, n)))[..., None]
    noise = np.fft.ifft2(spectrum * phases / np.abs(phases), axes=(0, 1)).real
    # Half as long a piece has a quarter of the power.
    return (2 * noise).astype(np.float32)
