"""Is it still the same person? From embeddings by a recogniser that `judges` names."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Real

Embeddings = Real[np.ndarray, "n d"]
Scores = Real[np.ndarray, "_"]


def area_under_curve(
    same: Float[Array, "n"], different: Float[Array, "m"]
) -> Float[Array, ""]:
    """P(s > d) + P(s = d) / 2 for a score s of a same pair and d of a different one.

    The area under the ROC curve (Hanley and McNeil 1982): 1/2 is chance, 1 is perfect.
    """
    different = jnp.sort(different)
    below = jnp.searchsorted(different, same, side="left")
    not_above = jnp.searchsorted(different, same, side="right")
    return (below + not_above).mean() / (2 * different.size)


def cosine(a: Embeddings, b: Embeddings) -> Float[np.ndarray, "n"]:
    """Of the angle between embeddings: 1 for the same face, about 0 for strangers."""
    if a.shape != b.shape or a.ndim != 2 or not a.size:
        raise ValueError(
            "Embeddings [faces, numbers] are compared in pairs, but these are "
            f"{list(a.shape)} and {list(b.shape)}."
        )
    size = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return (a * b).sum(axis=1) / size


class Threshold(NamedTuple):
    """Scores at or above `value` are one person; `accuracy` counts both kinds alike."""

    value: float
    accuracy: float


def best_threshold(same: Scores, different: Scores) -> Threshold:
    """Where real pairs are told apart best (the protocol of EGGAN's Table 2).

    Half way between two scores; the lowest of several that are equally good.
    """
    _needs(same, different)
    scores = np.unique(np.concatenate([same, different]))
    values = np.append(scores[0], (scores[:-1] + scores[1:]) / 2)
    rejected = np.searchsorted(np.sort(same), values, side="left") / len(same)
    kept_out = np.searchsorted(np.sort(different), values, side="left") / len(different)
    accuracy = (1 - rejected + kept_out) / 2
    best = int(accuracy.argmax())
    return Threshold(float(values[best]), float(accuracy[best]))


def accepted(scores: Scores, threshold: Threshold) -> float:
    """Of pairs (source, its edit), the part that passes as one person."""
    _needs(scores)
    return float((scores >= threshold.value).mean())


def content_distance(frames: Real[np.ndarray, "t d"]) -> float:
    """Mean distance of all pairs of frames of a film (MoCoGAN's ACD)."""
    if frames.ndim != 2 or len(frames) < 2:
        raise ValueError(
            f"A film has two frames or more, [t d], not {list(frames.shape)}."
        )
    i, j = np.triu_indices(len(frames), 1)
    return float(np.linalg.norm(frames[i] - frames[j], axis=1).mean())


def content_distance_to(
    frames: Real[np.ndarray, "t d"], photo: Real[np.ndarray, "d"]
) -> float:
    """Mean distance of a film's frames to the photo that it was made from (ACD-I)."""
    if frames.ndim != 2 or not frames.size or frames.shape[1:] != photo.shape:
        raise ValueError(
            "A film [t d] is compared with a photo [d], but these are "
            f"{list(frames.shape)} and {list(photo.shape)}."
        )
    return float(np.linalg.norm(frames - photo, axis=1).mean())


def _needs(*scores):
    if not all(len(s) for s in scores):
        raise ValueError("Verification needs at least one pair of each kind.")
