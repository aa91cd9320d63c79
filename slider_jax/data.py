"""Batches from an open_faces set, through TFDS and Grain.

What a training step sees is a function of (seed, step) alone: not of the number of
threads, worker processes or hosts, and not of where an earlier run stopped.
"""

import bisect
import dataclasses
import functools
import io
import itertools
import os
import pathlib
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any, Literal

import grain
import numpy as np
import tensorflow_datasets as tfds
from absl import flags
from google.protobuf.json_format import ParseError
from google.protobuf.message import DecodeError
from jaxtyping import UInt8
from PIL import Image
from scipy.linalg import block_diag
from tensorflow_datasets.proto import tf_example_pb2

from slider_jax import open_faces
from slider_jax.batch import Batch, to_float
from slider_jax.face.labels import COLUMNS, conditions, labelled, width
from slider_jax.photographic import draw_shot

NEEDED = {"image", "take", "kind", "expression", "speech", "sliders"}
FORMATS = ("JPEG", "PNG")


@dataclasses.dataclass(frozen=True)
class Faces:
    """One split on disk: encoded rows by number, and where they lie."""

    split: str
    size: int
    files: list[str]
    ends: list[int]  # row after the last one of each file
    records: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.records)

    def row(self, index: int) -> Any:
        """The values of a row by name, as TFDS wrote them."""
        try:
            example = tf_example_pb2.Example.FromString(self.records[index])
        except (RuntimeError, DecodeError) as error:
            raise self._damaged(index, error) from error
        return example.features.feature

    def picture(self, index: int, name: str = "image") -> UInt8[np.ndarray, "..."]:
        """[h, w, 3] for `image`, [h, w] for `mask`."""
        encoded = self.row(index)[name].bytes_list.value[0]
        try:
            picture = np.asarray(Image.open(io.BytesIO(encoded), formats=FORMATS))
        except OSError as error:
            raise self._damaged(index, error) from error
        if picture.shape[:2] != (self.size, self.size):
            error = f"its {name} is of shape {picture.shape}, not of size {self.size}"
            raise self._damaged(index, error)
        return picture

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The pictures of rows of any shape, [*rows, h, w, 3]."""
        return np.stack([self.picture(i) for i in rows.flat]).reshape(
            *rows.shape, self.size, self.size, 3
        )

    def columns(self, names: Sequence[str]) -> dict[str, np.ndarray]:
        """Numbers of every row, [rows] or [rows, n], without decoding a picture."""
        rows = (self.row(i) for i in range(len(self)))
        values = zip(*([_number(row[n]) for n in names] for row in rows), strict=True)
        return {n: np.stack(column) for n, column in zip(names, values, strict=True)}

    def _damaged(self, index: int, error: object) -> ValueError:
        file = self.files[bisect.bisect(self.ends, index)]
        return ValueError(
            f"Row {index} of {self.split} cannot be read ({error}): delete {file} "
            "and run data_prep/render_faces.py again as before."
        )


def _number(feature: Any) -> np.ndarray:
    if feature.HasField("float_list"):
        return np.array(feature.float_list.value, np.float32)
    return np.array(feature.int64_list.value[0], np.int32)


def open_split(
    folder: str | os.PathLike, split: str, *, size: int | None = None
) -> Faces:
    """The door: whatever is wrong with a folder is said here, in one sentence."""
    folder = pathlib.Path(folder)
    if not (folder / "dataset_info.json").exists():
        open_faces.recipe_of(folder)
        raise ValueError(
            f"The set in {folder} is not finished: "
            "run data_prep/render_faces.py again as before."
        )
    try:
        builder = tfds.builder_from_directory(folder)
    except (ParseError, ValueError) as error:
        raise ValueError(
            f"dataset_info.json or features.json in {folder} cannot be read: delete "
            "both and run data_prep/render_faces.py again as before."
        ) from error
    info = builder.info
    if missing := NEEDED - info.features.keys():
        raise ValueError(
            f"{folder} holds {info.name}, not faces: it has no {min(missing)!r}. "
            "Make a set with `python data_prep/render_faces.py --out=DIR`."
        )
    if str(info.version) != open_faces.VERSION:
        raise ValueError(
            f"{folder} is a set of version {info.version}, whose parameters mean "
            f"something else than today's ({open_faces.VERSION}): render it again."
        )
    if split not in info.splits:
        mend = ", or render a set with --unpaired=N" * split.endswith("_unpaired")
        raise ValueError(
            f"{folder} has no {split!r}; choose from {[*info.splits]}{mend}."
        )
    found = info.features["image"].shape[0]
    if size not in (None, found):
        raise ValueError(
            f"{folder} holds faces of {found} pixels, not {size}: "
            f"ask for {found}, or render a set with --size={size}."
        )
    files = [str(path) for path in info.splits[split].filepaths]
    lengths = info.splits[split].shard_lengths
    for path, rows in zip(files, lengths, strict=True):
        open_faces.check(pathlib.Path(path), rows)
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    records = builder.as_data_source(split, deserialize_method=raw)
    ends = list(itertools.accumulate(lengths))
    return Faces(split, found, files, ends, records)


def stream(
    folder: str | os.PathLike,
    split: str,
    *,
    batch_size: int,
    n_critic: int,
    seed: int,
    start: int = 0,
    size: int | None = None,
    speech: bool = False,
    labels: Literal["components", "action_units", "classes"] = "components",
    au_noise: float = 0.0,
    pairs: Literal["neutral", "any", "strangers"] = "neutral",
    mirror: tuple[np.ndarray, np.ndarray] | None = None,
    noise: float = 0.0,
    photographic: float = 0.0,
    process: tuple[int, int] = (0, 1),
    threads: int = 1,
    workers: int = 0,
    cache: bool = False,
    shown: bool = False,
) -> grain.DatasetIterator:
    """Batches [n_critic, batch_size / processes, ...] without end, from step `start`.

    A paired split gives pairs of one session: the neutral and another face, in either
    direction, or with `pairs="any"` any two (dossier A13). An unpaired split, and any
    split with `pairs="strangers"`, gives faces, each with the parameters of a random
    face of the split as its target, plus U(-noise, noise) (A15). Without `speech`,
    faces that speak are left out. With `mirror`, the mirror matrices of the expression
    and the speech components ([30, 30], [10, 10]), or that of other labels, half of the
    examples are flipped (A16). `photographic` is the strength in [0, 1] of what
    photographic.py lays over both pictures of an example.

    What stands as `expression` and `target_expression` are the `labels`, as in
    face/labels.py, where `au_noise` is told of too; a face without one is left out.

    `process` is (index, count) of the hosts. On machines of few cores one thread is
    faster than several; `workers` are processes of their own; `cache` keeps the decoded
    split in memory. The iterator has Grain's exact `get_state` and `set_state`, and
    `start=n` goes on where any run, whatever its workers, stood after n steps. With
    `shown`, the target of a stranger's expression is the stranger, for people to see.
    """
    faces = open_split(folder, split, size=size)
    if labels not in COLUMNS:
        raise ValueError(f"data.labels is {labels!r}; choose from {[*COLUMNS]}.")
    table = faces.columns(["take", "speech", *COLUMNS[labels]])
    if pairs not in PAIRS:
        raise ValueError(f"data.pairs is {pairs!r}; choose from {[*PAIRS]}.")
    pair = _strangers if split.endswith("_unpaired") else PAIRS[pairs]
    # Without its speech half, the vector of a face that speaks tells half the truth.
    true = speech | ~table["speech"].any(1)
    if not true.any():
        raise ValueError(f"Every face in {split} of {folder} speaks: use speech=True.")
    choices, choose = pair(table["take"], true & labelled(labels, table))
    if not choices:
        raise ValueError(f"No face in {split} of {folder} has one of the {labels}.")
    if cache and workers:
        raise ValueError("A cache is not shared with workers: give it threads instead.")
    index, count = process
    if batch_size % count:
        raise ValueError(f"A batch of {batch_size} does not split over {count} hosts.")
    local = batch_size // count
    rounds = Rounds(
        images=_cache(faces, threads) if cache else faces,
        parameters=conditions(labels, table, speech=speech, au_noise=au_noise),
        choose=choose,
        paired=pair is not _strangers,
        shown=shown,
        shape=(n_critic, batch_size),
        mine=slice(index * local, (index + 1) * local),
        seed=seed,
        noise=noise,
        mirror=None if mirror is None else block_diag(*mirror[: 1 + speech]),
        photographic=photographic,
    )
    steps = grain.MapDataset.range(choices).seed(seed).shuffle().repeat()
    steps = steps.batch(n_critic * batch_size).map_with_index(rounds)[start:]
    steps = steps.to_iter_dataset(
        grain.ReadOptions(num_threads=threads, prefetch_buffer_size=2 * threads)
    )
    if workers:
        if not flags.FLAGS.is_parsed():  # Grain reads flags in its workers
            flags.FLAGS.mark_as_parsed()
        steps = steps.mp_prefetch(grain.MultiprocessingOptions(num_workers=workers))
    # Floats are four times as big: not before they have left a worker.
    steps = steps.map(functools.partial(_to_batch, paired=rounds.paired))
    ahead = grain.experimental.ThreadPrefetchIterDataset
    return iter(ahead(steps, prefetch_buffer_size=1))


def example(
    folder: str | os.PathLike,
    *,
    batch_size: int,
    speech: bool = False,
    labels: str = "components",
) -> Batch:
    """Zeros in the shapes of one critic's batch."""
    size = open_faces.recipe_of(folder).size
    image = np.zeros((batch_size, size, size, 3), np.float32)
    vector = np.zeros((batch_size, width(labels, speech=speech)), np.float32)
    return Batch(image, vector, image, vector, np.zeros(batch_size, bool))


@dataclasses.dataclass(frozen=True)
class Rounds:
    """The faces of one step and their targets, as bytes."""

    images: Any  # rows [n, b] -> uint8 [n, b, h, w, 3]
    parameters: np.ndarray  # [rows, k]
    choose: Callable
    paired: bool
    shown: bool
    shape: tuple[int, int]  # n_critic, and the batch over all hosts
    mine: slice  # of that batch
    seed: int
    noise: float
    mirror: np.ndarray | None
    photographic: float

    def __call__(self, step: int, order: np.ndarray) -> dict[str, np.ndarray]:
        # Drawn for all hosts, so that their number does not matter.
        r = np.random.default_rng((self.seed, step))
        luck, coin, flip = r.random((3, *self.shape))[..., self.mine]
        noise = r.uniform(-1, 1, (*self.shape, self.parameters.shape[1]))
        order = order.reshape(self.shape)[:, self.mine]
        rows, targets = self.choose(order, luck, coin)
        chosen = dict(
            image=self.images[rows],
            expression=self.parameters[rows],
            target_expression=self.parameters[targets],
        )
        if self.paired or self.shown:
            chosen["target"] = self.images[targets]
        if not self.paired:
            chosen["target_expression"] += self.noise * noise[:, self.mine]
        if self.mirror is not None:
            turned = flip < 0.5
            for name, value in chosen.items():
                half, vector = value[turned], name.endswith("expression")
                value[turned] = half @ self.mirror.T if vector else half[:, :, ::-1]
        if self.photographic:
            pictures = (chosen[n] for n in ("image", "target") if n in chosen)
            self._photograph(step, *pictures)
        return chosen

    def _photograph(self, step, *pictures):
        """In place; an example's pictures alike."""
        numbers = 1 + np.arange(np.prod(self.shape)).reshape(self.shape)[:, self.mine]
        for place, number in np.ndenumerate(numbers):
            r = np.random.default_rng((self.seed, step, number))
            shot = draw_shot(r, pictures[0].shape[-2], self.photographic)
            for many in pictures:
                many[place] = shot(many[place])


def _to_batch(chosen: dict[str, np.ndarray], *, paired: bool) -> Batch:
    """Without a pair the target is ignored; if none is there, it is the image."""
    image = to_float(chosen.pop("image"))
    target = to_float(chosen.pop("target")) if "target" in chosen else image
    paired = np.full(image.shape[:2], paired)
    return Batch(image=image, target=target, paired=paired, **chosen)


# How to choose pairs: from the rows' takes, and whether a row's vector says all (paired
# sessions never speak), how many choices an epoch runs through, and which (rows, target
# rows) a choice means, given two numbers of luck in [0, 1).


def _neutral_and_other(take, true):
    others = np.flatnonzero((take > 0) & true)
    neutral = np.maximum.accumulate(np.where(take == 0, np.arange(len(take)), 0))

    def choose(order, luck, coin):
        a, b = others[order], neutral[others[order]]
        return np.where(coin < 0.5, a, b), np.where(coin < 0.5, b, a)

    return len(others), choose


def _any_two(take, true):
    rows = np.flatnonzero(true)
    session = np.cumsum(take == 0)[rows]
    first = np.searchsorted(session, session)
    lengths = np.searchsorted(session, session, side="right") - first
    place = np.arange(len(rows)) - first

    def choose(order, luck, coin):
        ahead = 1 + np.floor(luck * (lengths[order] - 1)).astype(int)
        return rows[order], rows[first[order] + (place[order] + ahead) % lengths[order]]

    return len(rows), choose


def _strangers(take, true):
    rows = np.flatnonzero(true)
    pick = lambda luck: rows[(luck * len(rows)).astype(int)]
    return len(rows), lambda order, luck, coin: (rows[order], pick(luck))


PAIRS = {"neutral": _neutral_and_other, "any": _any_two, "strangers": _strangers}


def _cache(faces: Faces, threads: int) -> np.ndarray:
    cache = np.empty((len(faces), faces.size, faces.size, 3), np.uint8)
    with futures.ThreadPoolExecutor(threads) as pool:
        for i, picture in enumerate(pool.map(faces.picture, range(len(faces)))):
            cache[i] = picture
    return cache
