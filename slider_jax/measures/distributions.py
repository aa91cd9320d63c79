"""Two sets of pictures, as clouds of features: FID and KID, in float64.

Which features, `judges` says. Frechet's distance needs many more pictures than there
are features; print how many there were.
"""

import dataclasses

import numpy as np
from jaxtyping import Float, Inexact

BLOCK = 1024  # pictures a side of a block of the kernel matrix


@dataclasses.dataclass(frozen=True)
class Moments:
    """Of a set that nobody holds: count, mean, and Σ (x - mean)(x - mean)ᵀ.

    Sums of moments are the moments of both sets together (Chan 1979).
    """

    count: int
    mean: Float[np.ndarray, "d"]
    scatter: Float[np.ndarray, "d d"]

    @classmethod
    def of(cls, features: Inexact[np.ndarray, "n d"]) -> "Moments":
        """Of one batch."""
        x = _cloud(features)
        centred = x - x.mean(axis=0)
        return cls(len(x), x.mean(axis=0), centred.T @ centred)

    def __add__(self, other: "Moments") -> "Moments":
        count = self.count + other.count
        step = other.mean - self.mean
        apart = np.outer(step, step) * (self.count * other.count / count)
        mean = self.mean + step * (other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + apart)

    @property
    def covariance(self) -> Float[np.ndarray, "d d"]:
        return self.scatter / (self.count - 1)


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mₐ - m_b|² + tr(Σₐ + Σ_b - 2 √(Σₐ Σ_b)) (Heusel 2017).

    √(Σₐ Σ_b) has the trace of √(√Σₐ Σ_b √Σₐ), which is symmetric: no noise on the
    diagonal is needed where there are fewer pictures than features.
    """
    if a.mean.shape != b.mean.shape or min(a.count, b.count) < 2:
        raise ValueError(
            "A Frechet distance needs two sets of two pictures or more with the same "
            f"features, but these are {a.count} x {a.mean.size} and "
            f"{b.count} x {b.mean.size}."
        )
    values, vectors = np.linalg.eigh(a.covariance)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    both = np.linalg.eigvalsh(root @ b.covariance @ root)
    trace = np.trace(a.covariance) + np.trace(b.covariance)
    trace -= 2 * np.sqrt(both.clip(0)).sum()
    return float(((a.mean - b.mean) ** 2).sum() + trace)


def kernel_distance(
    a: Inexact[np.ndarray, "n d"], b: Inexact[np.ndarray, "m d"]
) -> float:
    """Squared maximum mean discrepancy under (x·y / d + 1)³ (Binkowski 2018), unbiased.

    Over all pairs, in blocks. Near zero it may be negative.
    """
    a, b = _cloud(a), _cloud(b)
    if min(len(a), len(b)) < 2 or a.shape[1] != b.shape[1]:
        raise ValueError(
            "A kernel distance needs two sets of two pictures or more with the same "
            f"features, but these are {list(a.shape)} and {list(b.shape)}."
        )
    within = sum((_kernel_sum(x, x) - _kernel_trace(x)) / _pairs(x) for x in (a, b))
    return float(within - 2 * _kernel_sum(a, b) / (len(a) * len(b)))


_pairs = lambda x: len(x) * (len(x) - 1)
_kernel = lambda dots, d: (dots / d + 1) ** 3
_kernel_trace = lambda x: _kernel((x * x).sum(axis=1), x.shape[1]).sum()


def _kernel_sum(a, b):
    d = a.shape[1]
    blocks = ((i, j) for i in range(0, len(a), BLOCK) for j in range(0, len(b), BLOCK))
    return sum(
        _kernel(a[i : i + BLOCK] @ b[j : j + BLOCK].T, d).sum() for i, j in blocks
    )


def _cloud(features):
    x = np.asarray(features, np.float64)
    if x.ndim != 2 or not x.size:
        raise ValueError(
            f"Features are [pictures, features], not empty; this is {list(x.shape)}."
        )
    return x
