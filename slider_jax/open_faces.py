"""The open data set: faces with exact parameters, written as TFDS without TensorFlow.

A *session* is one person under one camera, light, hair and background. A paired session
is a neutral face and its other expressions, in consecutive rows; an unpaired session is
one row. Which file holds which sessions follows from the recipe alone, and files appear
whole, so any number of workers may write one set, stop at any moment and go on.
"""

import dataclasses
import io
import json
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordReader, ArrayRecordWriter
from PIL import Image
from tensorflow_datasets.core import dataset_info, naming
from tensorflow_datasets.core.example_serializer import ExampleSerializer
from tqdm import tqdm

from slider_jax import files
from slider_jax.batch import EXPRESSION, SPEECH
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import SLIDERS

NAME = "open_faces"
VERSION = "2.0.0"  # 1: a parameter of 1 was three deviations
TEST_EVERY = 6  # 4DFAB's 150 : 30 people
SPLITS = ("train_paired", "test_paired", "train_unpaired", "test_unpaired")

Row = dict[str, Any]
RenderSession = Callable[[str, int, int], Iterable[Row]]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of a set.

    There are `sessions` paired sessions a person, each of a neutral face and
    `expressions` others, and `unpaired` single faces in all. `renderer` is whatever the
    renderer was told and wants written in the data card; JSON can hold it.
    """

    identities: int
    sessions: int = 1
    expressions: int = 20
    unpaired: int = 0
    size: int = 128
    seed: int = 0
    rows_per_shard: int = 2048
    renderer: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file, and the (identity, session) pairs in it."""

    split: str
    index: int
    count: int
    takes: int
    sessions: tuple[tuple[int, int], ...]

    @property
    def file(self) -> str:
        return f"{NAME}-{self.split}.array_record-{self.index:05}-of-{self.count:05}"

    @property
    def rows(self) -> int:
        return len(self.sessions) * self.takes


def is_test(identity: int) -> bool:
    """Every sixth person is for testing, in paired and unpaired rows alike."""
    return identity % TEST_EVERY == TEST_EVERY - 1


def features(size: int) -> tfds.features.FeaturesDict:
    """One row: a face, where it is in the picture, and the numbers that drew it."""
    tensor = lambda *shape: tfds.features.Tensor(shape=shape, dtype=np.float32)
    scalar = lambda doc: tfds.features.Scalar(dtype=np.int32, doc=doc)
    picture = lambda channels, encoding: tfds.features.Image(
        shape=(size, size, channels), encoding_format=encoding
    )
    return tfds.features.FeaturesDict(
        {
            "image": picture(3, "jpeg"),
            "mask": picture(1, "png"),  # coverage of the face, 255 is all of a pixel
            "identity": scalar("person; never in both train and test"),
            "session": scalar("camera, light, hair and background of this person"),
            "take": scalar("place in the session; 0 is the neutral of a pair"),
            "kind": tfds.features.ClassLabel(names=list(KINDS)),
            "expression": tensor(EXPRESSION),  # in [-1, 1], zero is neutral
            "speech": tensor(SPEECH),  # likewise
            "sliders": tensor(len(SLIDERS)),  # named in face/sliders.py, zero at rest
            "landmarks": tensor(68, 2),  # iBUG order; x, y in pixels from the top left
            "pose": tensor(3),  # yaw, pitch, roll in radians
        }
    )


def plan(recipe: Recipe) -> list[Shard]:
    """Every file of the set, in order."""
    return [shard for split in SPLITS for shard in _shards(split, recipe)]


def _shards(split: str, recipe: Recipe) -> Iterator[Shard]:
    test, takes = split.startswith("test"), 1 + recipe.expressions
    numbers = lambda person: range(recipe.sessions)
    if split.endswith("_unpaired"):
        takes, (each, more) = 1, divmod(recipe.unpaired, recipe.identities)
        # Numbered after the paired ones: a session's number is its own.
        numbers = lambda person: range(
            recipe.sessions, recipe.sessions + each + (person < more)
        )
    people = [i for i in range(recipe.identities) if is_test(i) == test]
    sessions = tuple((i, session) for i in people for session in numbers(i))
    step = max(1, recipe.rows_per_shard // takes)
    starts = range(0, len(sessions), step)
    for index, start in enumerate(starts):
        some = sessions[start : start + step]
        yield Shard(split, index, len(starts), takes, some)


def jpeg(image: np.ndarray, quality: int = 95) -> bytes:
    """Full colour resolution: lips and eyes are a few pixels wide."""
    return _encode(image, format="JPEG", quality=quality, subsampling=0)


def png(mask: np.ndarray) -> bytes:
    return _encode(mask, format="PNG")


def _encode(image: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, **options)
    return buffer.getvalue()


def write_shard(folder: pathlib.Path, shard: Shard, rows: Iterator[bytes]) -> None:
    """Writes beside its place and moves there when whole."""
    part = _scratch(folder)
    writer = ArrayRecordWriter(part, "group_size:1")
    try:
        for row in rows:
            writer.write(row)
    finally:  # also when interrupted: its threads would be ended in the middle
        writer.close()
    try:
        os.replace(part, folder / shard.file)
    except FileNotFoundError:
        # Another worker wrote the same file, finished the set and swept the floor.
        if not (folder / shard.file).exists():
            raise


def _scratch(folder: pathlib.Path) -> str:
    """A new empty file that nobody takes for part of the set."""
    handle, path = tempfile.mkstemp(prefix=".part-", dir=folder)
    os.close(handle)
    os.chmod(path, 0o644)
    return path


def generate(
    folder: str | os.PathLike,
    recipe: Recipe,
    render_session: RenderSession,
    *,
    worker: tuple[int, int] = (0, 1),
) -> bool:
    """Writes the files of worker i of n that are not there; true if the set is whole.

    `render_session(split, identity, session)` gives the session's rows in order, less
    identity, session and take; images as encoded bytes. It must be a function of its
    arguments and the recipe.
    """
    folder = start(folder, recipe)
    index, workers = worker
    mine = plan(recipe)[index::workers]
    missing = [shard for shard in mine if not (folder / shard.file).exists()]
    total, todo = (sum(shard.rows for shard in some) for some in (mine, missing))
    schema = features(recipe.size)
    serializer = ExampleSerializer(schema.get_serialized_info())

    def rows(shard: Shard, bar: tqdm) -> Iterator[bytes]:
        for identity, session in shard.sessions:
            for take, row in enumerate(render_session(shard.split, identity, session)):
                take = 1 if shard.takes == 1 else take
                row = row | dict(identity=identity, session=session, take=take)
                example = serializer.get_tf_example(schema.encode_example(row))
                bar.update()
                # Or the order of the features would differ between processes.
                yield example.SerializeToString(deterministic=True)

    with tqdm(total=total, initial=total - todo, unit="face", mininterval=1) as bar:
        for shard in missing:
            write_shard(folder, shard, rows(shard, bar))
    return finish(folder)


def start(folder: str | os.PathLike, recipe: Recipe) -> pathlib.Path:
    """The folder, with its recipe in it. Refuses to mix two sets."""
    if recipe.identities < 1 or not plan(recipe):
        raise ValueError(f"A set needs people and sessions; {recipe} has none.")
    folder = pathlib.Path(folder)
    files.be_folder(folder)
    path = folder / "recipe.json"
    content = dict(name=NAME, version=VERSION) | dataclasses.asdict(recipe)
    text = json.dumps(content, indent=2)
    occupied = any(not p.name.startswith(".") for p in folder.iterdir())
    if not path.exists():  # looked at second, for another worker may just have begun
        if occupied:
            raise ValueError(f"{folder} holds other files; choose an empty folder.")
        part = pathlib.Path(_scratch(folder))
        part.write_text(text)
        os.replace(part, path)
    old, new = files.read_json(path), json.loads(text)
    if changed := [k for k in sorted(old.keys() | new) if old.get(k) != new.get(k)]:
        raise ValueError(
            f"{folder} was begun with another recipe ({', '.join(changed)} differ); "
            f"see {path}, or choose another folder."
        )
    return folder


def recipe_of(folder: str | os.PathLike) -> Recipe:
    """The recipe of a set, whole or not."""
    path = pathlib.Path(folder) / "recipe.json"
    if not path.exists():
        raise FileNotFoundError(
            f"No data set in {folder}: there is no recipe.json. "
            f"Make one with `python data_prep/render_faces.py --out={folder}`."
        )
    content = files.read_json(path)
    if [content.pop(k, None) for k in ("name", "version")] != [NAME, VERSION]:
        raise ValueError(
            f"{path} is not the recipe of an {NAME} {VERSION} set: render it anew."
        )
    return Recipe(**content)


def finish(folder: str | os.PathLike) -> bool:
    """Writes TFDS's own files once every shard is there; false while one is not.

    Doing it twice, or by two workers at once, changes nothing.
    """
    folder = pathlib.Path(folder)
    recipe = recipe_of(folder)
    shards = plan(recipe)
    if not all((folder / shard.file).exists() for shard in shards):
        return False
    for shard in shards:
        check(folder / shard.file, shard.rows)
    info = dataset_info.DatasetInfo(
        builder=dataset_info.DatasetIdentity(
            name=NAME, version=VERSION, data_dir=str(folder), module_name=""
        ),
        description=__doc__,
        features=features(recipe.size),
    )
    info.set_file_format(tfds.core.FileFormat.ARRAY_RECORD)
    info.set_splits(tfds.core.splits.SplitDict(_splits(folder, shards)))
    with tempfile.TemporaryDirectory(prefix=".info-", dir=folder) as scratch:
        info.write_to_directory(scratch)
        # In this order dataset_info.json, which says "whole", comes last.
        for path in sorted(pathlib.Path(scratch).iterdir(), reverse=True):
            os.replace(path, folder / path.name)
    for part in folder.glob(".part-*"):
        part.unlink(missing_ok=True)
    return True


def _splits(folder: pathlib.Path, shards: list[Shard]) -> list[tfds.core.SplitInfo]:
    template = naming.ShardedFileTemplate(
        data_dir=folder, dataset_name=NAME, filetype_suffix="array_record"
    )
    of = {split: [s for s in shards if s.split == split] for split in SPLITS}
    return [
        tfds.core.SplitInfo(
            name=split,
            shard_lengths=[shard.rows for shard in some],
            num_bytes=sum((folder / shard.file).stat().st_size for shard in some),
            filename_template=template.replace(split=split),
        )
        for split, some in of.items()
        if some
    ]


def check(path: pathlib.Path, rows: int) -> None:
    """Refuses a file that was cut short."""
    reader = ArrayRecordReader(str(path))
    found = reader.num_records() if reader.ok() else 0
    if found != rows:
        raise ValueError(
            f"{path} is damaged: {found} of {rows} rows can be read. "
            "Delete it and run data_prep/render_faces.py again as before."
        )
