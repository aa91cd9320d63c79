"""A head's turn, from its points."""

import numpy as np
import pytest

from slider_jax.face.pose import turn_of


def turned(yaw, pitch, roll):
    y, p, r = np.radians([yaw, pitch, roll])
    c, s = np.cos, np.sin
    about_y = np.array([[c(y), 0, s(y)], [0, 1, 0], [-s(y), 0, c(y)]])
    about_x = np.array([[1, 0, 0], [0, c(p), -s(p)], [0, s(p), c(p)]])
    about_z = np.array([[c(r), -s(r), 0], [s(r), c(r), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -10, 5), (-45, 20, -30)])
def test_a_turned_head_is_seen_turned_by_that(angles):
    solid = np.random.default_rng(0).normal(size=(20, 3)) * 60 + 9
    seen = 0.7 * (solid @ turned(*angles).T)[:, :2] * [1, -1] + [50, 80]
    np.testing.assert_allclose(turn_of(seen, solid), angles, atol=1e-9)
