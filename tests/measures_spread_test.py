"""How sure a mean is: SciPy's bootstrap and permutations, and people drawn whole."""

import itertools

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


def pearson(people):
    """Sums of pairs (x, y) by person, and r of them."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(people, 5))
    y = x + rng.normal(size=(people, 5))
    sums = np.stack([x**0, x, y, x * x, y * y, x * y], axis=1).sum(axis=2)

    def r(sums):
        n, x, y, xx, yy, xy = np.moveaxis(sums, -1, 0)
        return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))

    return x, y, sums, r


def test_the_interval_of_a_correlation_is_that_of_scipy_over_people():
    x, y, sums, r = pearson(30)
    theirs = scipy.stats.bootstrap(
        (np.arange(30),),
        lambda who: scipy.stats.pearsonr(x[who].ravel(), y[who].ravel())[0],
        n_resamples=2000,
        method="percentile",
        vectorized=False,
        rng=1,
    ).confidence_interval
    found = spread.interval_of(sums, r, seed=0)
    np.testing.assert_allclose(found.mean, scipy.stats.pearsonr(x.flat, y.flat)[0])
    np.testing.assert_allclose([found.low, found.high], theirs, atol=0.02)


def test_a_better_correlation_is_told_from_a_worse_and_not_from_its_like():
    x, y, sums, r = pearson(30)
    worse = sums * 1.0
    worse[:, 4] += 40  # of y, noise that x knows nothing of
    assert spread.significance_of(sums, worse, r, seed=0) < 0.01
    assert spread.significance_of(sums, sums, r, seed=0) == 1
    every = np.array(list(itertools.product((0, 1), repeat=8)))[:, :, None]
    ours, theirs = sums[:8], sums[8:16]
    swap = lambda i: r((np.where(i, ours, theirs)).sum(axis=1))
    chance = np.abs(swap(every) - swap(1 - every))
    exact = (chance >= chance[0] * (1 - 1e-9)).mean()
    found = spread.significance_of(ours, theirs, r, seed=0)
    np.testing.assert_allclose(found, exact, atol=0.03)
    means = lambda both: both[..., 0] / both[..., 1]
    a, b = draw(20), draw(20, 1) * 1.3
    both = [np.stack([v, np.ones(20)], axis=1) for v in (a, b)]
    np.testing.assert_allclose(
        spread.significance_of(*both, means, seed=0), spread.significance(a, b, seed=0)
    )


def test_the_jackknife_of_a_mean_is_students_interval():
    values = draw(12)
    without = np.array([np.delete(values, i).mean() for i in range(12)])
    found = spread.grouped(values.mean(), without, 12)
    theirs = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose([found.low, found.high], theirs, rtol=1e-9)
    assert found.mean == values.mean() and found.count == 12
