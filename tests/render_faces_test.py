"""The command that makes a set, with a renderer that draws grey."""

import json
import pathlib
import subprocess
import sys

import tensorflow_datasets as tfds

from slider_jax import open_faces

DATA_PREP = pathlib.Path(__file__).parent.parent / "data_prep"
GREY = f"""
import sys
sys.path.insert(0, {str(DATA_PREP)!r})
import numpy as np
from absl import app
from slider_jax.face import sessions

class Renderer:
    def __init__(self, *, size, seed, batched, appearance, wardrobe, wishes=0, worn=0):
        self.size, self.wishes = size, wishes + worn

    def rows(self, identity, session, takes):
        tone = 10 * identity + takes + 100 * self.wishes
        grey = np.full((self.size, self.size), tone, np.uint8)
        zeros = lambda *shape: np.zeros(shape, np.float32)
        for take in range(takes):
            yield dict(
                image=np.stack([grey] * 3, axis=-1), mask=grey, kind="neutral",
                expression=zeros(30), speech=zeros(10), sliders=zeros(52),
                landmarks=zeros(68, 2), pose=zeros(3),
            )

sessions.Renderer = Renderer
import render_faces
app.run(render_faces.main)
"""


def run(*flags):
    command = [sys.executable, "-c", GREY, *flags]
    return subprocess.run(command, capture_output=True, text=True)


def test_two_shards_make_a_whole_set_with_its_card(tmp_path):
    flags = f"--out={tmp_path} --identities=6 --expressions=2 --unpaired=7 --size=16"
    first, second = (run(*flags.split(), f"--shard={i}/2") for i in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    assert "when the other shards are" in first.stdout and "is whole" in second.stdout
    splits = json.loads((tmp_path / "card.json").read_text())["splits"]
    assert [split["rows"] for split in splits.values()] == [15, 3, 6, 1]
    paired = tfds.builder_from_directory(tmp_path).as_data_source("train_paired")
    assert abs(int(paired[3]["image"].mean()) - (10 * 1 + 3)) <= 1
    card = (tmp_path / "card.md").read_text()
    assert "blend" in card and "appearance: built-in" in card


def test_only_training_pairs_wear_wishes(tmp_path):
    flags = "--identities=6 --expressions=1 --unpaired=6 --size=16"
    flags += " --wishes=0.3 --worn=0.2"
    found = run(f"--out={tmp_path}", *flags.split())
    assert found.returncode == 0, found.stderr
    splits = tfds.builder_from_directory(tmp_path).as_data_source()
    # The first person is for training, the sixth for testing.
    expected = [2 + 50, 50 + 2, 1, 50 + 1]
    for split, grey in zip(open_faces.SPLITS, expected, strict=True):
        assert abs(int(splits[split][0]["image"].mean()) - grey) <= 1
    card = (tmp_path / "card.md").read_text()
    assert "30% of training pairs" in card and "20% of training sessions" in card


def test_a_wrong_flag_is_one_sentence(tmp_path):
    for flag in ("--shard=2/2", "--quality=80"):
        found = run(f"--out={tmp_path}", flag)
        assert found.returncode == 2 and flag in found.stderr
        assert found.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
