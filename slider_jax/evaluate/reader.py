"""What a face wears, read by one reader for all runs (EGGAN, Table 1).

The landmarker's points, less those of the same sitting at rest, in a linear regression
on true pictures of the other test people: nobody is read by what was fitted on him.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.evaluate.testset import Faces
from slider_jax.face.action_units import UNITS, intensities
from slider_jax.measures.landmarks import eye_distance
from slider_jax.measures.parameters import channel_sums

RIDGE = 0.03  # the same from .003 to .1, on 15 test people
CHUNK = 64
COMPONENTS = tuple(f"component {i + 1}" for i in range(EXPRESSION))
SPOKEN = tuple(f"speech {i + 1}" for i in range(SPEECH))
NAMES = {"units": UNITS, "components": COMPONENTS}


@dataclasses.dataclass(frozen=True)
class Reader:
    """`sight` finds points of pictures, [b h w 3] to [b 68 2]."""

    faces: Faces
    sight: Callable
    at_rest: np.ndarray  # of every row, the row of the same sitting at rest
    weights: dict[int, np.ndarray]  # by who is read, [137 k]

    def __call__(self, points: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Of points [b 68 2] in edits towards these rows; NaN without a face."""
        moves = _moves(self.faces, self.sight, self.at_rest, points, rows)
        who = self.faces.table["identity"][rows]
        read = np.stack([m @ self.weights[p] for m, p in zip(moves, who, strict=True)])
        units, components = np.split(read, [len(UNITS)], axis=1)
        return dict(units=units, components=components)


def fit(faces: Faces, sight: Callable, *, count: int, seed: int) -> Reader | None:
    """By up to `count` true pictures; None where there is nobody else to learn from."""
    people = np.unique(faces.table["identity"])
    if len(people) < 2:
        return None
    at_rest = _at_rest(faces)
    order = np.random.default_rng([seed, 7]).permutation(len(faces))[:count]
    squares = {person: 0.0 for person in people}
    products = dict(squares)
    for first in range(0, len(order), CHUNK):
        rows = order[first : first + CHUNK]
        moves = _moves(faces, sight, at_rest, faces.judged("points", sight, rows), rows)
        seen, wanted = np.isfinite(moves).all(axis=1), np.hstack([*worn(faces, rows)])
        for person in np.unique(faces.table["identity"][rows]):
            mine = seen & (faces.table["identity"][rows] == person)
            squares[person] += moves[mine].T @ moves[mine]
            products[person] += moves[mine].T @ wanted[mine]
    ridge = RIDGE * np.eye(1 + 2 * 68)
    ridge[-1, -1] = 1e-9  # the constant is free
    left = sum(squares.values()) + ridge, sum(products.values())
    weights = {
        p: np.linalg.solve(left[0] - squares[p], left[1] - products[p]) for p in people
    }
    return Reader(faces, sight, at_rest, weights)


def worn(faces: Faces, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is asked for with these rows: intensities [b 17] and components [b 30]."""
    return intensities(faces.table["sliders"][rows]), faces.table["expression"][rows]


def channels(labels: str, *, speech: bool) -> tuple[str, ...]:
    """Of the condition of a system that is told in numbers, by face/labels.py."""
    return UNITS if labels == "action_units" else COMPONENTS + speech * SPOKEN


def _at_rest(faces):
    who = np.stack([faces.table["identity"], faces.table["session"]])
    _, sitting = np.unique(who, axis=1, return_inverse=True)
    rest = np.flatnonzero(faces.table["take"] == 0)
    row_of = dict(zip(sitting.reshape(-1)[rest], rest, strict=True))
    return np.array([row_of[one] for one in sitting.reshape(-1)])


def _moves(faces, sight, at_rest, points, rows):
    """In distances between the eyes, with a 1 at the end, [b 137]."""
    rest = faces.judged("points", sight, at_rest[rows])
    moves = (points - rest) / eye_distance(rest)[:, None, None]
    return np.pad(
        np.float64(moves.reshape(len(rows), -1)), ((0, 0), (0, 1)), constant_values=1
    )


class Sums:
    """`channel_sums` of every person, batch after batch; of faces that were found."""

    def __init__(self, people: np.ndarray):
        self.people, self.found = np.unique(people), {}

    def __call__(self, key, names, wanted, read, people):
        shape = len(self.people), 6, len(names)
        if key not in self.found:
            self.found[key] = dict(names=list(names), values=np.zeros(shape))
        values, seen = self.found[key]["values"], np.isfinite(read).all(axis=1)
        for person in np.unique(people[seen]):
            mine = seen & (people == person)
            at = np.searchsorted(self.people, person)
            values[at] += channel_sums(wanted[mine], read[mine])
