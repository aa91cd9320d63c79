"""The reader of action units: exact where points are, and fitted on other people."""

import numpy as np
import pytest

from slider_jax.data import open_split
from slider_jax.evaluate import reader
from slider_jax.evaluate.testset import Faces
from slider_jax.face.action_units import UNITS, intensities
from slider_jax.identity_weights import reference_landmarks
from slider_jax.judges.points import poses
from slider_jax.licences import FOLDER
from slider_jax.measures import parameters

PEOPLE, TAKES = 4, 60
WIDTH = 64
table_rows = PEOPLE * TAKES


class Numbers(Faces):
    """A picture is the number of its row."""

    def images(self, rows):
        return rows


def people(blind=()):
    """A set in which points follow what is worn, in straight lines, and its sight.

    The `blind` rows show no face.
    """
    rng = np.random.default_rng(0)
    identity = np.arange(PEOPLE).repeat(TAKES)
    take = np.tile(np.arange(TAKES), PEOPLE)
    sliders = rng.uniform(0, 1, (table_rows, 52)) * (take > 0)[:, None]
    expression = rng.uniform(-1, 1, (table_rows, 30)) * (take > 0)[:, None]
    table = dict(
        identity=identity,
        session=np.zeros(table_rows, int),
        take=take,
        sliders=np.float32(sliders),
        expression=np.float32(expression),
    )
    worn = np.hstack([intensities(table["sliders"]), expression])
    face = WIDTH * reference_landmarks()
    face = face + rng.normal(0, 0.05, (PEOPLE, 68, 2))[identity]
    face = face + rng.normal(0, 9, (PEOPLE, 1, 2))[identity]  # nobody sits alike
    move = rng.normal(size=(47, 68 * 2))
    # Eyes move too, but a face at rest is what distances are measured by.
    points = face + (worn @ move).reshape(-1, 68, 2)
    points[list(blind)] = np.nan
    faces = Numbers(np.arange(table_rows), table)
    return faces, lambda rows: points[rows], points


def test_what_points_say_is_read():
    faces, sight, points = people()
    read = reader.fit(faces, sight, count=table_rows, seed=0)
    rows = np.array([3, 77, 130, 200])
    found, wanted = read(points[rows], rows), reader.worn(faces, rows)
    np.testing.assert_allclose(found["units"], wanted[0], atol=0.05)
    np.testing.assert_allclose(found["components"], wanted[1], atol=0.05)
    still = read(
        points[faces.table["take"] == 0], np.flatnonzero(faces.table["take"] == 0)
    )
    assert np.ptp(still["units"], axis=0).max() < 0.05  # whoever it is, at rest
    blind = read(np.full((1, 68, 2), np.nan), rows[:1])
    assert np.isnan(blind["units"]).all()


def test_nobody_is_read_by_what_was_fitted_on_him():
    faces, sight, points = people()
    before = reader.fit(faces, sight, count=table_rows, seed=0)
    points[faces.table["identity"] == 2] = points[faces.table["identity"] == 2][::-1]
    faces.memory.clear()
    after = reader.fit(faces, sight, count=table_rows, seed=0)
    np.testing.assert_allclose(after.weights[2], before.weights[2], rtol=1e-6)
    assert np.abs(after.weights[1] - before.weights[1]).max() > 1e-3


def test_faces_that_are_not_found_teach_nothing():
    faces, sight, _ = people(blind=(5, 61))
    read = reader.fit(faces, sight, count=table_rows, seed=0)
    assert all(np.isfinite(weights).all() for weights in read.weights.values())


def test_one_person_alone_is_not_read():
    faces, sight, _ = people()
    faces.table["identity"] = np.zeros(table_rows, int)
    assert reader.fit(faces, sight, count=9, seed=0) is None


def test_sums_are_by_person_and_of_faces_that_were_found():
    who = np.array([7, 3, 7, 7])
    wanted = np.random.default_rng(1).uniform(0, 1, (4, 2))
    read = wanted + [[0.1], [0.2], [np.nan], [0.3]]
    sums = reader.Sums(who)
    for part in (slice(0, 2), slice(2, 4)):
        sums("units", ("a", "b"), wanted[part], read[part], who[part])
    np.testing.assert_array_equal(sums.people, [3, 7])
    values = sums.found["units"]["values"]
    expected = parameters.channel_sums(wanted[[0, 3]], read[[0, 3]])
    np.testing.assert_allclose(values[1], expected)
    np.testing.assert_allclose(parameters.channel_mse(values[0]), [0.04, 0.04])


@pytest.mark.parametrize(
    "labels, speech, count", [("action_units", False, 17), ("components", True, 40)]
)
def test_channels_are_named(labels, speech, count):
    names = reader.channels(labels, speech=speech)
    assert len(set(names)) == count and (names == UNITS) == (count == 17)


def test_poses_of_renders_are_near_their_cameras():
    """Measured by the landmarker: 2.0, 3.3 and 1.0 degrees; by true points, less."""
    columns = open_split(FOLDER / "tiny", "test_paired").columns(["landmarks", "pose"])
    found = poses(columns["landmarks"].reshape(-1, 68, 2))
    error = np.abs(found - np.degrees(columns["pose"])).mean(axis=0)
    assert (error < [4, 6, 2]).all() and np.isnan(
        poses(np.full((1, 68, 2), np.nan))
    ).all()
