"""How a head is turned, from points of it in a picture."""

import numpy as np
from jaxtyping import Real


def turn_of(
    points: Real[np.ndarray, "n 2"], solid: Real[np.ndarray, "n 3"]
) -> tuple[float, float, float]:
    """(yaw, pitch, roll) in degrees, as in camera.py, by scaled orthography.

    `points` are in pixels, x to the right and y down; `solid` are those of a head that
    looks straight ahead, in any unit.
    """
    seen = points * [1.0, -1.0]
    turn, *_ = np.linalg.lstsq(solid - solid.mean(0), seen - seen.mean(0), rcond=None)
    u, _, v = np.linalg.svd(turn.T, full_matrices=False)
    x, y = u @ v  # the nearest two rows of a rotation matrix
    z = np.cross(x, y)
    pitch = np.arcsin(np.clip(z[1], -1, 1))
    # R = R_z(roll) R_x(pitch) R_y(yaw).
    yaw, roll = np.arctan2(-z[0], z[2]), np.arctan2(-x[1], y[1])
    return tuple(float(v) for v in np.degrees([yaw, pitch, roll]))
