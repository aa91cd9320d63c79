"""A set is its recipe: however many workers write it, and however often they die."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow_datasets as tfds

from slider_jax import open_faces
from slider_jax.face.expressions import KINDS
from slider_jax.face.sliders import SLIDERS

SIZE = 8
RECIPE = open_faces.Recipe(
    identities=7, sessions=2, expressions=3, unpaired=9, size=SIZE, rows_per_shard=16
)


def rows(split, identity, session, *, expressions=3, size=SIZE):
    """Coloured noise, a function of the person and the session."""
    r = np.random.default_rng((identity, session))
    takes = 1 if split.endswith("_unpaired") else 1 + expressions
    for take in range(takes):
        neutral = take == 0 and takes > 1
        number = lambda n, off=neutral: (
            np.zeros(n, np.float32) if off else r.uniform(-1, 1, n).astype(np.float32)
        )
        yield dict(
            image=open_faces.jpeg(r.integers(0, 256, (size, size, 3), np.uint8)),
            mask=open_faces.png(r.integers(0, 256, (size, size), np.uint8)),
            kind=KINDS[0 if neutral else 1 + take],
            expression=number(30),
            speech=number(10, off=takes > 1 or session % 2 == 0),  # two faces speak
            sliders=abs(number(len(SLIDERS))),
            landmarks=r.uniform(0, size, (68, 2)).astype(np.float32),
            pose=number(3),
        )


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("set")
    assert open_faces.generate(folder, RECIPE, rows)
    return folder


def test_no_session_is_in_two_files_and_none_is_missing():
    shards = open_faces.plan(RECIPE)
    found = [session for shard in shards for session in shard.sessions]
    assert len(found) == len(set(found)) == 7 * 2 + 9
    assert sum(shard.rows for shard in shards) == 7 * 2 * 4 + 9
    assert max(shard.rows for shard in shards) <= RECIPE.rows_per_shard


def test_nobody_is_in_both_train_and_test():
    people = {"train": set(), "test": set()}
    for shard in open_faces.plan(open_faces.Recipe(identities=180, unpaired=500)):
        people[shard.split.split("_")[0]] |= {i for i, _ in shard.sessions}
    assert not people["train"] & people["test"]
    assert (len(people["train"]), len(people["test"])) == (150, 30)


def test_tfds_reads_what_was_written(folder):
    builder = tfds.builder_from_directory(folder)
    assert set(builder.info.splits) == set(open_faces.SPLITS)
    skip = tfds.decode.SkipDecoding()
    found = builder.as_data_source("test_paired", decoders=dict(image=skip, mask=skip))
    assert len(found) == 1 * 2 * 4
    for index, row in enumerate(found):
        session, take = divmod(index, 4)
        truth = list(rows("test_paired", 5, session))[take]
        where = row["identity"], row["session"], row["take"]
        assert where == (5, session, take)
        assert KINDS[row["kind"]] == truth["kind"]
        assert row["image"] == truth["image"]
        np.testing.assert_array_equal(row["expression"], truth["expression"])
        np.testing.assert_array_equal(row["landmarks"], truth["landmarks"])


def test_tfds_decodes_the_pictures(folder):
    row = tfds.builder_from_directory(folder).as_data_source("train_unpaired")[0]
    assert row["image"].shape == (SIZE, SIZE, 3)
    assert row["mask"].shape == (SIZE, SIZE, 1)
    assert row["take"] == 1  # not a neutral


def test_three_workers_write_the_bytes_of_one(folder, tmp_path):
    whole = [
        open_faces.generate(tmp_path, RECIPE, rows, worker=(i, 3)) for i in (2, 0, 1)
    ]
    assert whole == [False, False, True]
    assert contents(tmp_path) == contents(folder)


def test_another_process_writes_the_same_bytes(folder, tmp_path):
    run(tmp_path, "open_faces.generate(folder, RECIPE, rows)").check_returncode()
    assert contents(tmp_path) == contents(folder)


def test_a_killed_worker_loses_no_row_and_doubles_none(folder, tmp_path):
    killed = run(
        tmp_path,
        """
        def dying(split, identity, session):
            if (split, identity) == ("train_paired", 3):
                os.kill(os.getpid(), signal.SIGKILL)
            return rows(split, identity, session)
        open_faces.generate(folder, RECIPE, dying)
        """,
    )
    assert killed.returncode == -signal.SIGKILL
    assert list(tmp_path.glob(".part-*")) and not open_faces.finish(tmp_path)
    before = contents(tmp_path)
    drawn = []

    def watched(split, identity, session):
        drawn.append((split, identity))
        return rows(split, identity, session)

    assert open_faces.generate(tmp_path, RECIPE, watched)
    assert ("train_paired", 0) not in drawn  # was whole before
    assert len(before) > 2 and contents(tmp_path) == contents(folder)


def run(folder, body):
    code = "import os, pathlib, signal\nfrom open_faces_test import *\n"
    code += f"folder = pathlib.Path({str(folder)!r})\n" + textwrap.dedent(body)
    tests = os.path.dirname(__file__)
    return subprocess.run([sys.executable, "-c", code], cwd=tests, capture_output=True)


def test_finishing_twice_changes_nothing(folder):
    before = contents(folder)
    assert open_faces.finish(folder)
    assert contents(folder) == before


def test_a_set_is_never_continued_with_another_recipe(folder):
    other = dataclasses.replace(RECIPE, seed=1)
    with pytest.raises(ValueError, match=r"another recipe \(seed differ"):
        open_faces.generate(folder, other, rows)


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(ValueError, match="holds other files"):
        open_faces.generate(tmp_path, RECIPE, rows)


def test_a_file_cut_short_is_named(tmp_path):
    open_faces.generate(tmp_path, RECIPE, rows)
    victim = next(tmp_path.glob("*train_paired*-00000-*"))
    victim.write_bytes(victim.read_bytes()[:-100])
    with pytest.raises(ValueError, match=f"{victim.name} is damaged"):
        open_faces.finish(tmp_path)


def test_a_recipe_without_people_is_refused(tmp_path):
    with pytest.raises(ValueError, match="needs people"):
        open_faces.generate(tmp_path, open_faces.Recipe(identities=0), rows)
