"""Does an identity network know people? Verification on open_faces, and on photos."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from slider_jax import data, measures, photo
from slider_jax.batch import to_float

Embed = Callable[[Float[Array, "b h h 3"]], Float[Array, "b d"]]
SPLITS = ("train_paired", "test_paired")
BATCH = 16


class Pairs(NamedTuple):
    """Cosines of pairs of faces from different sessions: light and camera differ."""

    same: Float[np.ndarray, "n"]
    different: Float[np.ndarray, "m"]


def auc(embed: Embed, folder: str | os.PathLike) -> float:
    """The area under the ROC curve over all pairs of faces in a folder."""
    same, different = pairs(*embeddings(embed, folder))
    if not len(same):
        raise ValueError(
            f"{folder} shows nobody twice: render a set with --sessions=2 or more."
        )
    return float(measures.area_under_curve(jnp.array(same), jnp.array(different)))


def of_photos(
    embed: Embed, people: Mapping[str, Sequence[os.PathLike | str]], *, size: int = 128
) -> Pairs:
    """Of photographs by person; in each, the first face from the left counts."""
    found = []
    for number, paths in enumerate(people.values()):
        for path in paths:
            opened = photo.open_photo(path)
            face = photo.find_faces(opened)[0]
            crop = photo.crop(opened, photo.frame(face, size), size)
            found.append((np.asarray(embed(to_float(crop)[None]))[0], number))
    embedding, person = map(np.array, zip(*found, strict=True))
    return pairs(embedding, person, np.arange(len(person)))


def embeddings(
    embed: Embed, folder: str | os.PathLike
) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, "n"], Int[np.ndarray, "n"]]:
    """Of every face in the paired splits: embedding, person, session."""
    run = jax.jit(lambda images: embed(images))  # a recogniser cannot be hashed
    found = []
    for faces in (data.open_split(folder, split) for split in SPLITS):
        who = faces.columns(["identity", "session"])
        for first in range(0, len(faces), BATCH):
            # The last batch is filled up, so that one program does for all.
            rows = np.arange(first, first + BATCH).clip(max=len(faces) - 1)
            images = faces[rows].astype(np.float32) / 127.5 - 1
            count = min(BATCH, len(faces) - first)
            some = [who[name][first : first + count] for name in who]
            found.append((np.asarray(run(images))[:count], *some))
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def pairs(
    embedding: Float[np.ndarray, "n d"],
    person: Int[np.ndarray, "n"],
    session: Int[np.ndarray, "n"],
) -> Pairs:
    """Every two faces once, unless they are of one person in one session."""
    i, j = np.triu_indices(len(person), 1)
    cosine = (embedding @ embedding.T)[i, j]
    same, together = person[i] == person[j], session[i] == session[j]
    return Pairs(cosine[same & ~together], cosine[~same])
