"""How sure a mean is: SciPy's bootstrap and permutations, and people drawn whole."""

import numpy as np
import pytest
import scipy.stats

from slider_jax.measures import spread


def draw(n, seed=0):
    return np.random.default_rng(seed).exponential(size=n)


def test_the_interval_is_that_of_scipy():
    values = draw(60)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=1
    ).confidence_interval
    found = spread.interval(values, seed=0)
    np.testing.assert_allclose([found.low, found.high], theirs, atol=0.02)
    np.testing.assert_allclose(found.mean, values.mean())
    assert found.count == 60 and found == spread.interval(values, seed=0)


def test_the_true_mean_lies_in_the_interval_as_often_as_promised():
    inside = 0
    for seed in range(200):
        found = spread.interval(draw(50, seed), seed=seed)
        inside += found.low < 1 < found.high
    assert 0.88 < inside / 200 < 0.98


def test_ten_copies_of_a_person_make_nothing_surer():
    values = draw(20)
    alone = spread.interval(values, seed=0)
    copies = spread.interval(values.repeat(10), np.arange(20).repeat(10), seed=0)
    np.testing.assert_allclose(copies[:3], alone[:3])
    assert copies.count == 200
    strangers = spread.interval(values.repeat(10), seed=0)
    assert strangers.high - strangers.low < (alone.high - alone.low) / 2


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.5])
def test_significance_is_that_of_scipys_permutations(shift):
    ours, theirs = draw(25), draw(25, seed=1) + shift
    expected = scipy.stats.permutation_test(
        (ours, theirs),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=4000,
        rng=0,
    ).pvalue
    found = spread.significance(ours, theirs, seed=0)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_significance_of_three_people_cannot_be_great():
    """Signs of three people have eight outcomes, whatever they were asked."""
    ours = draw(300)
    found = spread.significance(ours, ours + 1, np.arange(3).repeat(100), seed=0)
    np.testing.assert_allclose(found, 2 / 8, atol=0.03)


def test_what_is_no_number_is_left_out_and_counted():
    values = np.array([1.0, np.nan, 3.0])
    found = spread.interval(values, np.array([4, 4, 9]), seed=0)
    assert (found.mean, found.count) == (2.0, 2)
    assert spread.over_seeds(values) == (2.0, np.sqrt(2), 2)


def test_one_seed_has_no_spread():
    found = spread.over_seeds(np.array([2.0]))
    assert found.mean == 2.0 and np.isnan(found.std)
