"""Measures of parameters: worked out by hand, and SciPy's correlation."""

import numpy as np
import pytest
import scipy.stats

from slider_jax.measures import parameters


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_the_relative_error_is_of_lengths_and_leaves_rest_out():
    reference, found = np.array([[3.0, 4], [0, 0]]), np.array([[3.0, 3], [1, 0]])
    error = parameters.relative_error(reference, found)
    np.testing.assert_allclose(error, [0.2, np.nan])


def sums(a, b):
    """In two parts, which is what they are for."""
    return parameters.channel_sums(a[:3], b[:3]) + parameters.channel_sums(a[3:], b[3:])


def test_errors_of_channels_are_those_of_numpy():
    a, b = draw(2, 9, 4)
    expected = [np.mean((x - y) ** 2) for x, y in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(parameters.channel_mse(sums(a, b)), expected)
    np.testing.assert_allclose(parameters.rmse(a, b), np.sqrt(np.mean(expected)))


def test_correlations_are_those_of_scipy_one_by_one_and_many_at_once():
    a = draw(20, 4)
    b = a + draw(20, 4, seed=1)
    expected = [scipy.stats.pearsonr(x, y)[0] for x, y in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(parameters.channel_correlation(sums(a, b)), expected)
    many = parameters.channel_correlation(np.stack([sums(a, b), sums(b, -a)]))
    np.testing.assert_allclose(many, [expected, np.negative(expected)])


@pytest.mark.parametrize("value", [0.0, 0.1, 1e8])
def test_a_constant_channel_has_no_correlation(value):
    a, b = draw(2, 7, 2)
    a[:, 1] = value
    for pair in [(a, b), (b, a)]:
        found = parameters.channel_correlation(sums(*pair))
        assert np.isfinite(found[0]) and np.isnan(found[1])


def test_the_pose_error_is_over_the_three_angles():
    turned = np.array([[30.0, 0, 0], [3, -3, 3]])
    found = parameters.pose_error(np.zeros((2, 3)), turned)
    np.testing.assert_allclose(found, [30 / np.sqrt(3), 3])


def test_a_slider_that_moves_its_neighbour_is_seen_in_the_matrix():
    rest = draw(5, 3)
    truth = np.array([[1, 0.5, 0], [0, 0.8, 0], [0, 0, 0]])
    noise = draw(5, 3, 3, seed=2)
    moved = rest[:, None] + 0.6 * truth + (noise - noise.mean(axis=0))
    matrix = parameters.disentanglement(rest, moved, 0.6)
    np.testing.assert_allclose(matrix, truth, atol=1e-12)
    np.testing.assert_allclose(parameters.selectivity(truth), [0.8, 1, np.nan])


def test_a_jump_is_less_smooth_than_equal_steps():
    even = np.stack([np.arange(5), -np.arange(5)], -1)[None] / 4
    jump = np.where(np.arange(5) < 2, 0.0, 1.0)[None, :, None].repeat(2, 2)
    still = np.ones((1, 5, 2))
    found = parameters.smoothness(np.concatenate([even, jump, still]))
    np.testing.assert_allclose(found, [1, 0.25, np.nan])
