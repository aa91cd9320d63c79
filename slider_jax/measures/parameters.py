"""Parameters of two faces: expressions, action units, poses, and what sliders move."""

import numpy as np
from jaxtyping import Float, Real

TINY = 1e-6
ROUNDING = 1e-12  # of sums of squares

Parameters = Real[np.ndarray, "n k"]


def relative_error(reference: Parameters, found: Parameters) -> Float[np.ndarray, "n"]:
    """‖reference - found‖ / ‖reference‖; NaN for a face at rest (SliderGAN, Table 4).

    Its row 1, reading: the true parameters of a picture, and D's of it. Its row 2,
    consistency: the parameters asked for, and D's of the edit.
    """
    _same(reference, found)
    size = np.linalg.norm(reference, axis=1)
    error = np.linalg.norm(reference - found, axis=1)
    return np.divide(error, size, np.full(len(size), np.nan), where=size > TINY)


def channel_sums(wanted: Parameters, found: Parameters) -> Float[np.ndarray, "6 k"]:
    """What errors and correlations are made of; sums of parts add up to the whole's."""
    _same(wanted, found)
    x, y = np.float64(wanted), np.float64(found)
    return np.stack([x**0, x, y, x * x, y * y, x * y]).sum(axis=1)


def channel_mse(sums: Float[np.ndarray, "*n 6 k"]) -> Float[np.ndarray, "*n k"]:
    """Mean of squares over the faces, for every parameter (EGGAN, Table 1)."""
    n, _, _, xx, yy, xy = np.moveaxis(sums, -2, 0)
    return np.maximum(xx + yy - 2 * xy, 0) / n


def channel_correlation(
    sums: Float[np.ndarray, "*n 6 k"],
) -> Float[np.ndarray, "*n k"]:
    """Pearson's r over the faces, for every parameter; NaN for a constant one."""
    n, x, y, xx, yy, xy = np.moveaxis(sums, -2, 0)
    ours, theirs = n * xx - x * x, n * yy - y * y
    # What is left of a constant is rounding.
    varies = (ours > ROUNDING * n * xx) & (theirs > ROUNDING * n * yy)
    size = np.sqrt(np.where(varies, ours * theirs, 1))
    return np.where(varies, ((n * xy - x * y) / size).clip(-1, 1), np.nan)


def rmse(wanted: Parameters, found: Parameters) -> float:
    """√ of the mean of squares over faces and parameters (GATH, Table 2)."""
    _same(wanted, found)
    return float(np.sqrt(np.square(wanted - found).mean()))


def pose_error(
    wanted: Real[np.ndarray, "n 3"], found: Real[np.ndarray, "n 3"]
) -> Float[np.ndarray, "n"]:
    """√ of the mean square over yaw, pitch and roll, in degrees."""
    _same(wanted, found)
    return np.sqrt(np.square(wanted - found).mean(axis=1))


def disentanglement(
    rest: Real[np.ndarray, "n m"], moved: Real[np.ndarray, "n k m"], step: float
) -> Float[np.ndarray, "k m"]:
    """What m readings do while each of k sliders moves alone, a unit of it.

    From readings of n faces before, and after each slider moved by `step`. An editor
    that does what it is told has ones on the diagonal and zeros elsewhere.
    """
    if rest.ndim != 2 or not rest.size or moved.shape[::2] != rest.shape or not step:
        raise ValueError(
            "Readings [n m] at rest and [n k m] with each slider moved by a step that "
            f"is not zero make a matrix, not {list(rest.shape)} and "
            f"{list(moved.shape)} with {step}."
        )
    return (moved - rest[:, None]).mean(axis=0) / step


def selectivity(matrix: Float[np.ndarray, "k k"]) -> Float[np.ndarray, "k"]:
    """Of all that a slider moves (in squares), the part that is its own; else NaN."""
    squares = np.square(matrix)
    total = squares.sum(axis=1)
    return np.divide(
        np.diag(squares), total, np.full(len(total), np.nan), where=total > TINY**2
    )


def smoothness(path: Real[np.ndarray, "n t d"]) -> Float[np.ndarray, "n"]:
    """The mean step over the longest, along slides in equal steps.

    1 where all steps are equal, 1 / (t - 1) for a jump; NaN where nothing moves.
    """
    if path.ndim != 3 or path.shape[1] < 2 or not path.size:
        raise ValueError(
            f"A slide has two places or more, [n t d], not {list(path.shape)}."
        )
    step = np.linalg.norm(np.diff(path, axis=1), axis=2)
    longest = step.max(axis=1)
    return np.divide(
        step.mean(axis=1), longest, np.full(len(path), np.nan), where=longest > TINY
    )


def _same(a, b):
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise ValueError(
            "Parameters [faces, parameters] of the same faces are compared, but these "
            f"are {list(a.shape)} and {list(b.shape)}."
        )
