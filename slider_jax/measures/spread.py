"""How sure is a mean? Over faces by the bootstrap, over seeds by standard deviations.

Faces of one person are alike, so whole people are drawn where `people` says who is who.
NaN is no number: it is left out, and `count` says how many were left in.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Real
from scipy import stats

Values = Real[np.ndarray, "n"]
People = Int[np.ndarray, "n"]
Sums = Real[np.ndarray, "people *k"]  # of everybody, to be added up
Statistic = Callable[[np.ndarray], np.ndarray]  # of sums [*n *k] -> [*n]

DRAWS, LEVEL = 2000, 0.95
BLOCK = 256  # draws at a time: memory stays small for many people


class Interval(NamedTuple):
    """A mean, and the interval that holds the true one with probability LEVEL."""

    mean: float
    low: float
    high: float
    count: int


class OverSeeds(NamedTuple):
    mean: float
    std: float  # unbiased; NaN for a single seed
    count: int


def interval(values: Values, people: People | None = None, *, seed: int) -> Interval:
    """The percentile bootstrap (Efron 1979) of a mean."""
    sums, counts = _by_person(values, people)
    mean = lambda both: both[..., 0] / both[..., 1]
    found = interval_of(np.stack([sums, counts], axis=1), mean, seed=seed)
    return found._replace(count=int(counts.sum()))


def interval_of(sums: Sums, statistic: Statistic, *, seed: int) -> Interval:
    """The same of anything that is made of sums over people; `count` is of people.

    Draws in which it is not defined, such as one without a class, are left out.
    """
    flat = sums.reshape(len(sums), -1)
    rng = np.random.default_rng(seed)
    draws = [
        statistic((drawn @ flat).reshape(n, *sums.shape[1:]))
        for n in _blocks()
        for drawn in [rng.multinomial(len(sums), _even(sums), n)]
    ]
    tail = (1 - LEVEL) / 2
    low, high = np.nanquantile(np.concatenate(draws), [tail, 1 - tail])
    middle = float(statistic(sums.sum(axis=0)))
    return Interval(middle, float(low), float(high), len(sums))


def grouped(whole: float, without: Values, people: int) -> Interval:
    """Student's interval of what no sums give, by the jackknife (Quenouille 1956).

    `without[g]` is the same number without group g of the people, of several equal
    ones; `people` is how many there are.
    """
    groups = len(without)
    error = np.sqrt((groups - 1) * np.mean((without - np.mean(without)) ** 2))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1) * error)
    return Interval(whole, whole - reach, whole + reach, people)


def significance(
    ours: Values, theirs: Values, people: People | None = None, *, seed: int
) -> float:
    """P of a mean difference so large by chance, two-sided: signs are flipped.

    Of pairs, faces edited by both; if there were no difference, each could as well be
    the other way round. Never less than 1 / (DRAWS + 1).
    """
    if ours.shape != theirs.shape:
        raise ValueError(
            "Two methods are compared on the same faces, but there are "
            f"{len(ours)} and {len(theirs)}."
        )
    sums, _ = _by_person(ours - theirs, people)
    rng = np.random.default_rng(seed)
    chance = [np.abs(rng.choice((-1.0, 1.0), (n, len(sums))) @ sums) for n in _blocks()]
    found = abs(sums.sum()) * (1 - 1e-12)  # an equal one counts, however it is rounded
    return float((1 + (np.concatenate(chance) >= found).sum()) / (1 + DRAWS))


def significance_of(
    ours: Sums, theirs: Sums, statistic: Statistic, *, seed: int
) -> float:
    """The same for anything made of sums: whole people are swapped between the two."""
    middle = (ours + theirs).sum(axis=0) / 2
    half = ((ours - theirs) / 2).reshape(len(ours), -1)
    differ = lambda shift: np.abs(statistic(middle + shift) - statistic(middle - shift))
    rng = np.random.default_rng(seed)
    chance = [
        differ(
            (rng.choice((-1.0, 1.0), (n, len(half))) @ half).reshape(n, *middle.shape)
        )
        for n in _blocks()
    ]
    found = differ(half.sum(axis=0).reshape(middle.shape)) * (1 - 1e-12)
    # Where it is not defined, nothing speaks against chance.
    return float((1 + (~(np.concatenate(chance) < found)).sum()) / (1 + DRAWS))


def over_seeds(values: Float[np.ndarray, "n"]) -> OverSeeds:
    """Of the same measure of runs that differ in their seed."""
    values = _numbers(values)
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return OverSeeds(float(values.mean()), std, len(values))


def _by_person(values, people):
    """Sums and counts of each person's numbers."""
    if people is None:
        people = np.arange(len(values))
    if len(people) != len(values):
        raise ValueError(
            f"There are {len(values)} values, but {len(people)} names of people."
        )
    numbers = _numbers(values)
    who = np.unique(people[~np.isnan(values)], return_inverse=True)[1]
    return np.bincount(who, numbers), np.bincount(who).astype(float)


def _numbers(values):
    numbers = values[~np.isnan(values)]
    if not len(numbers):
        raise ValueError("There is no number to take a mean of.")
    return numbers


def _blocks() -> Iterator[int]:
    for first in range(0, DRAWS, BLOCK):
        yield min(BLOCK, DRAWS - first)


_even = lambda sums: np.full(len(sums), 1 / len(sums))
