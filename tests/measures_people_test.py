"""Measures of people, of points on faces, and of expressions that are recognised."""

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from slider_jax.data import open_split
from slider_jax.face.sliders import INDEX
from slider_jax.licences import FOLDER
from slider_jax.measures import landmarks, people, recognition


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_cosines_are_those_of_scipy():
    a, b = draw(2, 6, 5)
    expected = [
        1 - scipy.spatial.distance.cosine(x, y) for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(people.cosine(a, b), expected)


@pytest.mark.parametrize("seed", range(4))
def test_no_threshold_is_better_than_the_best(seed):
    same, different = draw(30, seed=seed) + 1, draw(17, seed=seed + 9)
    found = people.best_threshold(same, different)
    accuracy = lambda t: ((same >= t).mean() + (different < t).mean()) / 2
    everywhere = np.linspace(-5, 5, 2001)
    np.testing.assert_allclose(found.accuracy, accuracy(found.value))
    assert found.accuracy >= max(map(accuracy, everywhere))


def test_the_threshold_of_pairs_that_lie_apart_is_half_way():
    found = people.best_threshold(np.array([0.8, 0.6]), np.array([0.1, 0.2, 0.0]))
    np.testing.assert_allclose(found, (0.4, 1.0))
    assert people.accepted(np.array([0.5, 0.3, 0.9, 0.4]), found) == 0.75


def test_content_distances_are_those_of_scipy():
    frames, photo = draw(5, 3), draw(3, seed=1)
    expected = scipy.spatial.distance.pdist(frames).mean()
    np.testing.assert_allclose(people.content_distance(frames), expected)
    expected = scipy.spatial.distance.cdist(frames, photo[None]).mean()
    np.testing.assert_allclose(people.content_distance_to(frames, photo), expected)


def true_points():
    """Of faces of the tiny set, and their sliders."""
    columns = open_split(FOLDER / "tiny", "test_paired").columns(
        ["landmarks", "sliders"]
    )
    return columns["landmarks"].reshape(-1, 68, 2), columns["sliders"]


def test_points_moved_by_a_tenth_of_the_eyes_distance_are_off_by_that():
    truth, _ = true_points()
    shift = 0.1 * landmarks.eye_distance(truth)[:, None, None]
    np.testing.assert_allclose(
        landmarks.landmark_error(truth + shift * [0.6, 0.8], truth), 0.1, rtol=1e-5
    )


def test_openings_of_a_face_drawn_by_hand():
    """Eyes 100 apart and 20 wide, lids 4 and 8 apart; lips 10, 30 and 20 apart."""
    face = np.zeros((1, 68, 2))
    for first, x in ((36, -60), (42, 40)):
        xs, ys = [0, 5, 15, 20, 15, 5], [0, -2, -4, 0, 4, 2]
        face[0, first : first + 6] = np.stack([np.add(x, xs), ys], -1)
    for upper, lower, gap in ((61, 67, 10), (62, 66, 30), (63, 65, 20)):
        face[0, [upper, lower], 0] = 7 * upper
        face[0, lower, 1] = gap
    np.testing.assert_allclose(landmarks.eye_distance(face), [100])
    np.testing.assert_allclose(landmarks.eye_opening(face), [6 / 20])
    np.testing.assert_allclose(landmarks.mouth_opening(face), [0.2])


def test_openings_do_not_depend_on_size_place_and_lean():
    truth, _ = true_points()
    c, s = np.cos(0.4), np.sin(0.4)
    moved = 3 * truth @ np.array([[c, -s], [s, c]]) + 7
    for opening in (landmarks.mouth_opening, landmarks.eye_opening):
        np.testing.assert_allclose(opening(moved), opening(truth), rtol=1e-4)


def test_mouths_that_open_and_eyes_that_close_are_measured():
    """On the points of renders, against the sliders that drew them."""
    truth, sliders = true_points()
    jaw = sliders[:, INDEX["jawOpen"]]
    lids = sliders[:, [INDEX["eyeBlinkLeft"], INDEX["eyeBlinkRight"]]].mean(axis=1)
    mouth = scipy.stats.spearmanr(jaw, landmarks.mouth_opening(truth))[0]
    eyes = scipy.stats.spearmanr(lids, landmarks.eye_opening(truth))[0]
    assert mouth > 0.5 and eyes < -0.3


def test_monotonicity_is_kendalls_tau():
    values = draw(6, 8)
    expected = [scipy.stats.kendalltau(np.arange(8), v)[0] for v in values]
    np.testing.assert_allclose(landmarks.monotonicity(values), expected)
    np.testing.assert_allclose(landmarks.monotonicity(np.ones((1, 4))), [0])


def test_a_recogniser_that_confuses_two_classes():
    wanted = np.array([0, 0, 1, 1, 1])
    probabilities = np.eye(3)[[0, 1, 1, 1, 2]]
    counts = recognition.confusion(probabilities, wanted)
    np.testing.assert_array_equal(counts, [[1, 1, 0], [0, 2, 1], [0, 0, 0]])
    parts = [
        recognition.confusion(probabilities[i], wanted[i]) for i in ([0, 3], [1, 2, 4])
    ]
    np.testing.assert_array_equal(sum(parts), counts)
    accuracy = recognition.class_accuracy(counts)
    np.testing.assert_allclose(accuracy, [1 / 2, 2 / 3, np.nan])
    many = recognition.class_accuracy(np.stack([counts, 2 * counts]))
    np.testing.assert_allclose(many, [accuracy, accuracy])
