"""An eye of which little is seen goes on behind its lids, and turns."""

import numpy as np
import pytest
from scipy import ndimage

from slider_jax import eyeball
from slider_jax.window import SIZE

MIDDLE, RADIUS = np.array([62.0, 66.0]), 20.0
PUPIL, IRIS, WHITE, SKIN = [20, 15, 10], [110, 70, 40], [225, 215, 210], [190, 150, 130]
NOBODY = np.zeros(2)


def ball(turned=NOBODY):
    x, y = np.meshgrid(*[np.arange(SIZE) + 0.5 - c for c in MIDDLE + turned])
    far = np.hypot(x, y)[..., None]
    eye = WHITE + (far < RADIUS) * np.subtract(IRIS, WHITE)
    return eye + (far < 8) * np.subtract(PUPIL, IRIS)


def lids(height):
    """An almond 90 pixels wide."""
    x, y = np.meshgrid(*[np.arange(SIZE) + 0.5 - c for c in MIDDLE])
    edge = height / 2 * (1 - np.square(x / 45)).clip(0)
    return (np.abs(y) < edge).astype(float)


def picture(height, turned=NOBODY):
    opened = lids(height)[..., None]
    return (SKIN + opened * (ball(turned) - SKIN)).astype(np.float32)


def rim(radius=RADIUS):
    return MIDDLE + radius * np.array([[0, 0], [1, 0], [0, -1], [-1, 0], [0, 1]])


def deep(height):
    """Where an opened eye shows whole."""
    return ndimage.distance_transform_edt(lids(height)) > eyeball.SHADED


@pytest.mark.parametrize("net", [0.6, 0.8, 1.0, 1.2])
def test_lids_that_open_show_the_whole_eye(net):
    """Whatever the net makes of the size of its iris."""
    found = eyeball.find(picture(22), lids(22), rim(net * RADIUS))
    eye, mask = found.between(lids(60), NOBODY)
    error = np.abs(eye - ball()).mean(2)[deep(60)]
    assert np.median(error) < 2 and error.mean() < 8
    narrow = np.abs(picture(22) - ball()).mean(2)[deep(60)]
    assert error.mean() < 0.2 * narrow.mean()
    assert (mask[lids(60) == 0] == 0).all() and (mask[deep(60)] == 1).all()


def test_eyes_turn_between_their_lids():
    turned = np.array([9.0, -5.0])
    found = eyeball.find(picture(40), lids(40), rim())
    eye, _ = found.between(lids(40), turned)
    there = lambda goal: np.abs(eye - ball(goal)).mean(2)[deep(40)].mean()
    assert there(turned) < 8 < 0.3 * there(NOBODY)


def test_what_was_seen_stays_to_the_last_digit():
    noise = np.random.default_rng(0).normal(0, 9, (SIZE, SIZE, 3))
    pixels = (picture(50) + noise).astype(np.float32)
    eye, _ = eyeball.find(pixels, lids(50), rim()).between(lids(70), NOBODY)
    seen = ndimage.distance_transform_edt(lids(50)) > 8
    np.testing.assert_allclose(eye[seen], pixels[seen], atol=1e-3)


def test_the_white_of_narrow_eyes_is_no_darker_than_skin_lets_it_be():
    shaded = picture(22)
    shaded[lids(22) == 1] *= 0.4
    eye, _ = eyeball.find(shaded, lids(22), rim()).between(lids(60), NOBODY)
    beside = np.array([MIDDLE[1] + 11, MIDDLE[0] + 25]).astype(int)
    assert shaded[lids(22) == 1].max() < 0.6 * np.mean(SKIN)
    assert eye[tuple(beside)].mean() > 0.65 * np.mean(SKIN)
    assert np.ptp(eye[tuple(beside)]) < 30


def test_nobody_knows_an_eye_that_is_shut():
    assert eyeball.find(picture(0), lids(0), rim()) is None


def test_an_eye_of_one_colour_is_no_trouble():
    flat = np.full((SIZE, SIZE, 3), 90, np.float32)
    eye, _ = eyeball.find(flat, lids(40), rim()).between(lids(60), NOBODY)
    assert np.isfinite(eye).all()
    black, _ = eyeball.find(0 * flat, lids(40), rim()).between(lids(60), NOBODY)
    assert (black == 0).all()


@pytest.mark.parametrize("height", [60, 20, 8])
def test_its_edges_are_left_to_lashes(height):
    """Of narrow eyes thinner ones, so that there too the middle is the eye's own."""
    found = eyeball.find(picture(40), lids(40), rim())
    _, mask = found.between(lids(height), NOBODY)
    depth = ndimage.distance_transform_edt(lids(height))
    first, last = np.array(eyeball.INSET) * min(1, depth.max() / eyeball.DEEP)
    assert (mask[..., 0][depth <= first] == 0).all()
    assert (mask[..., 0][depth >= last] == 1).all() and depth.max() > last
    _, shut = found.between(lids(0), NOBODY)
    assert not shut.any()
