"""The 68 points of iBUG: their groups, and where they lie in an aligned picture."""

import numpy as np
from jaxtyping import Float

# Of the 468 points of MediaPipe's mesh, those that sit at the 68 of iBUG.
IBUG_OF_DENSE = (
    *(127, 234, 132, 58, 172, 150, 176, 148, 152, 377, 400, 379, 397, 288, 361, 454),
    *(356, 70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 4),
    *(98, 97, 2, 326, 327, 33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),
    *(78, 82, 13, 312, 308, 317, 14, 87),
)
# Of the 468, round the right eye and the left: upper and lower lid, each from the outer
# corner to the inner.
LIDS = (
    (
        (33, 246, 161, 160, 159, 158, 157, 173, 133),
        (33, 7, 163, 144, 145, 153, 154, 155, 133),
    ),
    (
        (263, 466, 388, 387, 386, 385, 384, 398, 362),
        (263, 249, 390, 373, 374, 380, 381, 382, 362),
    ),
)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
# In a mirror image, point i is where point MIRROR[i] was.
MIRROR = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *range(27, 31),
    *range(35, 30, -1),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(64, 63, 62, 61, 60, 67, 66, 65),
)
# Brows, nose and eyes: what an opening mouth does not move (dossier 1.8).
RIGID = slice(17, 48)

EYE_DISTANCE, EYE_LINE = 0.28, 0.40  # in picture widths


def reference(points: Float[np.ndarray, "68 3"]) -> Float[np.ndarray, "68 2"]:
    """Where landmarks of a face at rest belong, in picture widths from the top left.

    Seen from the front: the eyes 0.28 apart, on a line at 0.40 from the top.
    """
    right, left = points[RIGHT_EYE, :2].mean(0), points[LEFT_EYE, :2].mean(0)
    scale = EYE_DISTANCE / np.linalg.norm(left - right)
    flat = (points[:, :2] - (left + right) / 2) * [scale, -scale]
    return (flat + [0.5, EYE_LINE]).astype(np.float32)
