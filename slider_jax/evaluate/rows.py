"""Rows of a table: contenders, or runs that differ in their seed, and their cells."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from slider_jax.evaluate.contenders import Contender
from slider_jax.measures import parameters, recognition, spread

# What is no mean over examples: (sums of a part, equation that makes channels of them).
STATISTICS = {
    "unit_mse": ("units", parameters.channel_mse),
    "unit_pcc": ("units", parameters.channel_correlation),
    "component_mse": ("components", parameters.channel_mse),
    "component_pcc": ("components", parameters.channel_correlation),
    "parameter_mse": ("own", parameters.channel_mse),
    "parameter_pcc": ("own", parameters.channel_correlation),
    "recognised": ("recognised", recognition.class_accuracy),
}
AVERAGE = "average"  # over the channels in which it is defined


@dataclasses.dataclass(frozen=True)
class Row:
    """One contender, or several runs that differ in their seed."""

    name: str
    role: str
    system: str
    parts: list[dict[str, Any]]

    @property
    def who(self) -> np.ndarray:
        """The people of `sums`."""
        return self.parts[0]["who"]

    def values(self, column: str) -> np.ndarray | None:
        """Of every example, the mean over seeds; None where it was not measured."""
        found = [p["values"][column] for p in self.parts if column in p["values"]]
        return np.mean(found, axis=0) if found else None

    def sums(self, column: str) -> tuple[np.ndarray, Callable] | None:
        """Of every person, added over seeds, and the statistic that is the column."""
        found = [one for part in self.parts if (one := _sums(part, column))]
        return (sum(values for values, _ in found), found[0][1]) if found else None

    def channels(self, column: str) -> tuple[str, ...]:
        """That its sums have."""
        return tuple(
            self.parts[0]["sums"][STATISTICS[column.partition(":")[0]][0]]["names"]
        )

    def cell(self, column: str, seed: int) -> dict[str, Any] | None:
        if column.partition(":")[0] in STATISTICS:
            return self._statistic(column, seed)
        numbers = [p.get("numbers", {}).get(column) for p in self.parts]
        each = self.values(column)
        if each is not None and np.isfinite(each).any():
            if len(self.parts) > 1:
                means = [np.nanmean(p["values"][column]) for p in self.parts]
                return _over_seeds(means)
            who = self.parts[0]["people"]
            found = spread.interval(each, who, seed=seed)
            return dict(found._asdict(), of=len(each), over="people")
        if None not in numbers and numbers:
            if len(numbers) > 1:
                return _over_seeds(numbers)
            return self._whole(column, float(numbers[0]))
        return None

    def _whole(self, column, number):
        """Of the set of all edits: its interval is over groups of people, if any."""
        without = self.parts[0].get("without", {}).get(column)
        if without is None:
            return dict(mean=number, over="nothing")
        found = spread.grouped(number, np.array(without), len(self.who))
        return dict(found._asdict(), over="people")

    def _statistic(self, column, seed):
        found = [_sums(part, column) for part in self.parts]
        if None in found:
            return None
        each = [float(statistic(values.sum(axis=0))) for values, statistic in found]
        if not np.isfinite(each).any():
            return None
        if len(each) > 1:
            return _over_seeds(each)
        interval = spread.interval_of(*found[0], seed=seed)
        return dict(interval._asdict(), over="people")


def rows(contenders: Sequence[Contender], parts: dict[str, dict]) -> list[Row]:
    """Floor first, ceiling last; `parts` by the contender's name."""
    groups: dict[str, list[Contender]] = {}
    for contender in contenders:
        if contender.name in parts:
            groups.setdefault(contender.group or contender.id, []).append(contender)
    found = []
    for some in groups.values():
        # The same weights twice are no second seed.
        some = list({contender.id: contender for contender in some}.values())
        seeds = f" and {len(some) - 1} more seeds" if len(some) > 1 else ""
        part = [parts[contender.name] for contender in some]
        system = some[0].about.get("system", "")
        found.append(Row(some[0].name + seeds, some[0].role, system, part))
    order = ("floor", "run", "ceiling")
    return sorted(found, key=lambda row: order.index(row.role))


def _over_seeds(means):
    return dict(spread.over_seeds(np.array(means, float))._asdict(), over="seeds")


def _sums(part, column):
    base, _, channel = column.partition(":")
    key, equation = STATISTICS[base]
    found = part.get("sums", {}).get(key)
    if found is None or not (channel == AVERAGE or channel in found["names"]):
        return None

    def statistic(sums):
        each = equation(sums)
        if channel != AVERAGE:
            return each[..., found["names"].index(channel)]
        defined = np.isfinite(each)
        total, count = np.where(defined, each, 0).sum(-1), defined.sum(-1)
        return np.divide(total, count, np.full(count.shape, np.nan), where=count > 0)

    return found["values"], statistic
