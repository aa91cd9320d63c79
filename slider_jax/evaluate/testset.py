"""The people of an open_faces set that nobody trains on, and what is asked of them."""

import dataclasses
import os
import pathlib
from collections.abc import Callable

import numpy as np

from slider_jax import data, open_faces, provenance
from slider_jax.batch import to_float

SPLITS = ("test_paired", "test_unpaired")
REMEMBERED = 40_000  # of a kilobyte or four each
COLUMNS = "identity session take kind expression speech sliders".split()


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What faces shall wear, in every language that a system may be told it in.

    `truth` is the picture in which they do, floats in [-1, 1], or None.
    """

    expression: np.ndarray  # [b 30]
    speech: np.ndarray  # [b 10]
    sliders: np.ndarray  # [b 52], by their names
    kind: np.ndarray  # [b], of KINDS
    truth: np.ndarray | None = None  # [b h w 3]

    def __len__(self) -> int:
        return len(self.expression)


@dataclasses.dataclass(frozen=True)
class Faces:
    """One split: its pictures, and a column of numbers for every name."""

    pictures: data.Faces
    table: dict[str, np.ndarray]
    memory: dict[tuple[str, int], np.ndarray] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.pictures)

    def images(self, rows: np.ndarray) -> np.ndarray:
        """Floats in [-1, 1], [b h w 3]."""
        return to_float(self.pictures[rows])

    def judged(self, name: str, judge: Callable, rows: np.ndarray) -> np.ndarray:
        """What a judge says of these pictures; it looks at each once or a few times."""
        if len(self.memory) > REMEMBERED:
            self.memory.clear()
        if not all((name, row) in self.memory for row in rows):
            for row, said in zip(rows, judge(self.images(rows)), strict=True):
                self.memory[name, row] = np.asarray(said)
        return np.stack([self.memory[name, row] for row in rows])

    def background(self, rows: np.ndarray) -> np.ndarray:
        """Where no pixel is of the face, [b h w]."""
        return np.stack([self.pictures.picture(i, "mask") == 0 for i in rows])

    def wanted(self, rows: np.ndarray) -> Wanted:
        """To be as in these pictures."""
        vectors = (self.table[n][rows] for n in ("expression", "speech", "sliders"))
        return Wanted(*vectors, self.table["kind"][rows], self.images(rows))


@dataclasses.dataclass(frozen=True)
class TestSet:
    """`paired` are sessions of a neutral face and others, `single` one face each."""

    folder: pathlib.Path
    paired: Faces
    single: Faces | None
    hash: str

    @property
    def size(self) -> int:
        return self.paired.pictures.size

    @property
    def people(self) -> int:
        return len(np.unique(self.paired.table["identity"]))


def open_test_set(folder: str | os.PathLike) -> TestSet:
    """The door: a folder that is no open_faces set, or has no test people, stops here.

    Whoever `open_faces.is_test` does not name is in training rows, here or elsewhere.
    """
    folder = pathlib.Path(folder)
    present = {shard.split for shard in open_faces.plan(open_faces.recipe_of(folder))}
    if "test_paired" not in present:
        raise ValueError(
            f"{folder} has no pairs of test people: render a set with 6 identities "
            "or more, and a session each."
        )
    paired, single = (_open(folder, s) if s in present else None for s in SPLITS)
    return TestSet(folder, paired, single, provenance.data_hash(folder))


def _open(folder, split):
    pictures = data.open_split(folder, split)
    table = pictures.columns(COLUMNS)
    if strangers := [i for i in table["identity"] if not open_faces.is_test(int(i))]:
        raise ValueError(
            f"{split} of {folder} holds person {strangers[0]}, who is for training: "
            "nothing was measured."
        )
    return Faces(pictures, table)


def pairs(faces: Faces, *, seed: int) -> np.ndarray:
    """Ordered pairs (input, target) of one session, all of them, shuffled, [n 2]."""
    who = np.stack([faces.table["identity"], faces.table["session"]])
    _, session = np.unique(who, axis=1, return_inverse=True)
    session = session.reshape(-1)
    found = []
    for one in range(session.max() + 1):
        rows = np.flatnonzero(session == one)
        found.append(rows[np.argwhere(~np.eye(len(rows), dtype=bool))])
    return np.random.default_rng([seed, 1]).permutation(np.concatenate(found))


def neutrals(faces: Faces, count: int) -> np.ndarray:
    """Rows of faces at rest; every person once before anyone twice."""
    rows = np.flatnonzero(faces.table["take"] == 0)
    who, session = (faces.table[name][rows] for name in ("identity", "session"))
    return rows[np.lexsort((who, session))][:count]
