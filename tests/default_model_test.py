"""The model in the package: it edits people it has never seen, towards the truth."""

import jax
import numpy as np
import pytest

from slider_jax import data, model_file, photo, prepare
from slider_jax.edit import Editor
from slider_jax.face import requests
from slider_jax.painter import make_painter


@pytest.fixture(scope="module")
def painter():
    return make_painter(model_file.load_model())


def test_it_says_what_it_is(painter):
    card = painter.model.card
    assert card["licence"] == "Apache-2.0" and card["default"] is True
    assert "no photograph" in card["note"]


def test_an_edit_comes_nearer_to_the_ground_truth(painter):
    pairs = data.stream(prepare.TINY, "test_paired", batch_size=64, n_critic=1, seed=0)
    pairs = jax.tree.map(lambda x: x[0], next(pairs))
    rest = np.abs(pairs.expression).max(1) == 0
    times = painter.model.size // pairs.image.shape[1]
    large = lambda x: np.kron(x[rest], np.ones((1, times, times, 1), np.float32))
    before, after = large(pairs.image), large(pairs.target)
    vectors = pairs.target_expression[rest]
    crops = ((before + 1) * 127.5).round().astype(np.uint8)
    edits = [painter.paint(*row)[0] for row in zip(crops, vectors, strict=True)]
    changed = np.abs(after - before).sum(3) > 0.15
    error = lambda x: np.square(x - after)[changed].sum()
    assert error(np.stack(edits)) < 0.8 * error(before)


def test_the_mask_leaves_most_of_a_picture_alone(painter):
    crop = np.full((painter.model.size,) * 2 + (3,), 128, np.uint8)
    _, mask, _ = painter.paint(crop, np.zeros(painter.model.parameters))
    assert mask.mean() < 0.5


def a_render():
    split = data.open_split(prepare.TINY, "test_paired")
    return np.kron(split[np.array([3])][0], np.ones((5, 5, 1), np.uint8))


def the_astronaut():
    """NASA's portrait of Eileen Collins, in the public domain."""
    return pytest.importorskip("skimage.data").astronaut()


@pytest.mark.parametrize("picture", [a_render, the_astronaut])
def test_left_and_right_mirror_to_the_bit(painter, picture):
    editor, maps = Editor(painter), painter.maps
    asked = {"mouthSmileLeft": 0.9, "browOuterUpRight": 0.8, "jawOpen": 0.3}
    here = photo.open_photo(picture())
    there = photo.open_photo(here.pixels[:, ::-1])
    (one,) = editor.edit_all(here, asked)
    (two,) = editor.edit_all(there, requests.mirror(asked, maps))
    np.testing.assert_array_equal(two.photo.pixels, one.photo.pixels[:, ::-1])
    np.testing.assert_array_equal(two.mask, one.mask[:, ::-1])
    np.testing.assert_array_equal(two.requested, maps.reflect(one.requested))
    read = maps.reflect(one.measured.expression)
    np.testing.assert_array_equal(two.measured.expression, read)
    face = one.measured.face.mirrored(here.pixels.shape[1])
    assert two.measured.face.box == face.box and one.pixels_changed
    np.testing.assert_array_equal(two.measured.face.landmarks, face.landmarks)
