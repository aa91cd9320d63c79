"""Where are 68 points of a face? Our landmarker, which no critic knows."""

import numpy as np
from jaxtyping import Float, UInt8

from slider_jax import landmarker
from slider_jax.face.landmarks import IBUG_OF_DENSE
from slider_jax.identity_weights import reference_landmarks

BELIEVED = 0.5


def points(images: UInt8[np.ndarray, "n h h 3"]) -> Float[np.ndarray, "n 68 2"]:
    """In pixels of aligned pictures; NaN where it sees no face."""
    at = reference_landmarks()
    middle, side = (at.min(0) + at.max(0)) / 2, np.ptp(at, axis=0).max()
    found = np.full((len(images), 68, 2), np.nan, np.float32)
    for i, image in enumerate(images):
        size = image.shape[0]
        region = landmarker.Region(*(middle * size), landmarker.ROOM * side * size)
        dense, belief = landmarker.locate(image, region)
        if belief >= BELIEVED:
            found[i] = dense[list(IBUG_OF_DENSE), :2]
    return found
