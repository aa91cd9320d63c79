"""Distances of clouds of features: against SciPy's square root, and against loops."""

import numpy as np
import pytest
import scipy.linalg

from slider_jax.measures import distributions
from slider_jax.measures.distributions import Moments


def clouds(n=40, m=31, d=6, seed=0):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d))
    return rng.normal(size=(n, d)), rng.normal(0.3, 1, size=(m, d)) @ mix


def test_the_frechet_distance_is_that_of_scipys_square_root():
    a, b = clouds()
    root = scipy.linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum()
    expected += np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    found = distributions.frechet_distance(Moments.of(a), Moments.of(b))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_set_is_not_away_from_itself():
    """Even where features are more than pictures, and the covariance is singular."""
    a, _ = clouds(n=5, d=12)
    found = distributions.frechet_distance(Moments.of(a), Moments.of(a))
    np.testing.assert_allclose(found, 0, atol=1e-6)


def test_a_shifted_set_is_away_by_the_square_of_the_shift():
    a, _ = clouds()
    found = distributions.frechet_distance(Moments.of(a), Moments.of(a + 2))
    np.testing.assert_allclose(found, 6 * 4, rtol=1e-9)


def test_moments_of_parts_add_up_to_those_of_the_whole():
    """Far from zero too, where Σ x xᵀ would have lost its digits."""
    whole = clouds(n=100)[0].astype(np.float32) + 1e4
    parts = [Moments.of(x) for x in np.split(whole, [1, 7, 60])]
    found = parts[0] + parts[1] + parts[2] + parts[3]
    assert found.count == 100
    exact = whole.astype(np.float64)
    np.testing.assert_allclose(found.mean, exact.mean(0), rtol=1e-14)
    np.testing.assert_allclose(found.covariance, np.cov(exact.T), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("block", [1024, 7])
def test_the_kernel_distance_is_that_of_a_loop(monkeypatch, block):
    monkeypatch.setattr(distributions, "BLOCK", block)
    a, b = clouds(n=15, m=12)
    kernel = lambda x, y: (x @ y / 6 + 1) ** 3
    within = lambda s: np.mean(
        [kernel(x, y) for i, x in enumerate(s) for j, y in enumerate(s) if i != j]
    )
    between = np.mean([kernel(x, y) for x in a for y in b])
    expected = within(a) + within(b) - 2 * between
    np.testing.assert_allclose(distributions.kernel_distance(a, b), expected, rtol=1e-9)


def test_the_kernel_distance_of_one_distribution_is_zero_on_average():
    rng = np.random.default_rng(0)
    found = [
        distributions.kernel_distance(*rng.normal(size=(2, 20, 4))) for _ in range(400)
    ]
    assert abs(np.mean(found)) < 4 * np.std(found) / 20
