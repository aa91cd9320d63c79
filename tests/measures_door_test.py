"""The table is complete, and what cannot be measured is refused in a sentence.

In a process of its own: the checks of shapes in tests would speak first.
"""

import importlib
import json
import subprocess
import sys

import pytest

from slider_jax.measures import MEASURES

FILES = "distributions ied landmarks parameters people pixels recognition spread"
REFUSED = {
    **{
        f"{name}({a}, {b})": "Two batches of pictures [b h w 3] of one shape"
        for name in (
            "pixels.mae",
            "pixels.psnr",
            "pixels.ssim",
            "pixels.ms_ssim",
            "ied.ied",
        )
        for a, b in [
            ("o(2, 32, 32, 3)", "o(2, 32, 16, 3)"),
            ("o(32, 32, 3)", "o(32, 32, 3)"),
            ("o(0, 32, 32, 3)", "o(0, 32, 32, 3)"),
        ]
    },
    "distributions.Moments.of(o(0, 3))": "not empty; this is [0, 3]",
    "distributions.Moments.of(o(3))": "[pictures, features]",
    "distributions.frechet_distance(m(1, 3), m(2, 3))": "1 x 3 and 2 x 3",
    "distributions.frechet_distance(m(4, 3), m(4, 2))": "4 x 3 and 4 x 2",
    "distributions.kernel_distance(o(1, 3), o(4, 3))": "[1, 3] and [4, 3]",
    "parameters.relative_error(o(4, 3), o(4, 2))": "[4, 3] and [4, 2]",
    "parameters.rmse(o(0, 3), o(0, 3))": "of the same faces",
    "parameters.channel_sums(o(4), o(4))": "of the same faces",
    "parameters.pose_error(o(2, 3), o(3, 3))": "of the same faces",
    "parameters.disentanglement(o(2, 3), o(2, 4, 5), 1)": "[2, 3] and [2, 4, 5]",
    "parameters.disentanglement(o(2, 3), o(2, 3, 3), 0)": "with 0",
    "parameters.smoothness(o(2, 1, 3))": "two places or more",
    "people.cosine(o(2, 3), o(3, 3))": "[2, 3] and [3, 3]",
    "people.best_threshold(o(0), o(3))": "one pair of each kind",
    "people.accepted(o(0), people.Threshold(0, 1))": "one pair of each kind",
    "people.content_distance(o(1, 3))": "two frames or more",
    "people.content_distance_to(o(2, 3), o(4))": "[2, 3] and [4]",
    "landmarks.landmark_error(o(2, 68, 2), o(3, 68, 2))": "68 points each",
    "landmarks.mouth_opening(o(2, 478, 2))": "not [2, 478, 2]",
    "landmarks.eye_opening(o(0, 68, 2))": "not [0, 68, 2]",
    "landmarks.monotonicity(o(2, 1))": "two places or more",
    "recognition.confusion(o(2, 7), o(3).astype(int))": "[2, 7] and [3]",
    "recognition.confusion(o(0, 7), o(0).astype(int))": "as many faces",
    "spread.interval(o(0), seed=0)": "no number",
    "spread.interval(np.full(3, np.nan), seed=0)": "no number",
    "spread.interval(o(3), np.arange(2), seed=0)": "3 values, but 2 names",
    "spread.significance(o(3), o(2), seed=0)": "there are 3 and 2",
    "spread.over_seeds(o(0))": "no number",
}
SCRIPT = """
import json, sys
import numpy as np
from slider_jax.measures import {files}
o = lambda *shape: np.ones(shape)
m = lambda *shape: distributions.Moments.of(o(*shape))
said = {{}}
for call in json.load(sys.stdin):
    try:
        said[call] = repr(eval(call))
    except ValueError as error:
        said[call] = "ValueError: " + str(error)
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def said():
    script = SCRIPT.format(files=", ".join(FILES.split()))
    done = subprocess.run(
        [sys.executable, "-c", script],
        input=json.dumps(list(REFUSED)),
        capture_output=True,
        text=True,
    )
    assert not done.returncode, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("call", REFUSED)
def test_it_is_refused_in_one_sentence(said, call):
    assert said[call].startswith("ValueError: ") and REFUSED[call] in said[call]
    assert said[call].endswith(".") and "\n" not in said[call]


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
def test_every_measure_in_the_table_is_an_equation(measure):
    *file, function = measure.equation.split(".")
    package = "slider_jax" if file[0] == "nets" else "slider_jax.measures"
    module = importlib.import_module(".".join([package, *file]))
    assert getattr(module, function).__doc__
    assert measure.better in ("up", "down")


def test_no_two_measures_share_a_title():
    assert len({m.title for m in MEASURES.values()}) == len(MEASURES)
