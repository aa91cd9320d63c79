"""What 68 points of iBUG say of a face, in distances between its eyes."""

import numpy as np
from jaxtyping import Float, Real

from slider_jax.face.landmarks import LEFT_EYE, RIGHT_EYE

Points = Real[np.ndarray, "n 68 2"]
PerExample = Float[np.ndarray, "n"]

INNER_LIPS = ((61, 67), (62, 66), (63, 65))  # over each other
# Corners, then lids over each other, of either eye.
EYES = (
    ((36, 39), ((37, 41), (38, 40))),
    ((42, 45), ((43, 47), (44, 46))),
)


def landmark_error(found: Points, truth: Points) -> PerExample:
    """Mean distance of the points, in distances between the eyes of the truth."""
    _faces(found, truth)
    distance = np.linalg.norm(found - truth, axis=2).mean(axis=1)
    return distance / eye_distance(truth)


def eye_distance(points: Points) -> PerExample:
    """From the middle of one eye to the middle of the other."""
    _faces(points)
    right, left = points[:, RIGHT_EYE].mean(axis=1), points[:, LEFT_EYE].mean(axis=1)
    return np.linalg.norm(left - right, axis=1)


def mouth_opening(points: Points) -> PerExample:
    """Between the inner lips, in distances between the eyes; three places' mean."""
    return _gap(points, INNER_LIPS) / eye_distance(points)


def eye_opening(points: Points) -> PerExample:
    """Between the lids over the eye's width, both eyes' mean; falls as eyes close.

    The eye aspect ratio (Soukupova and Cech 2016).
    """
    _faces(points)
    ratios = [_gap(points, lids) / _gap(points, (corners,)) for corners, lids in EYES]
    return np.mean(ratios, axis=0)


def monotonicity(values: Real[np.ndarray, "n t"]) -> PerExample:
    """Kendall's τ of a value along a slide: 1 it always grows, -1 it always falls."""
    if values.ndim != 2 or not len(values) or values.shape[1] < 2:
        raise ValueError(
            f"A slide has two places or more, [n t], not {list(values.shape)}."
        )
    i, j = np.triu_indices(values.shape[1], 1)
    return np.sign(values[:, j] - values[:, i]).mean(axis=1)


def _gap(points, pairs):
    one, other = np.array(pairs).T
    return np.linalg.norm(points[:, one] - points[:, other], axis=2).mean(axis=1)


def _faces(*sets):
    if any(p.shape != sets[0].shape or p.shape[1:] != (68, 2) for p in sets) or not len(
        sets[0]
    ):
        shapes = " and ".join(str(list(p.shape)) for p in sets)
        raise ValueError(f"Faces have 68 points each, [n 68 2], not {shapes}.")
